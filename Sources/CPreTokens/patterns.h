// Included once for each instruction set, see pre_tokens.c.
//
// A block is 64 bytes of text. Vector comparisons classify its ASCII bytes, and a table classifies its other characters
// one by one. Then each class is a word with a bit for each *character* of the block, and the patterns are computed for
// all characters at once. "The character before is a letter" is `letters << 1`, with the last bit of the block before
// shifted in. Patterns look ahead in two ways only: a run of white space gives its last character back to what follows,
// and the last line break of a run decides where the run is cut. Both are settled when the deciding character is read;
// the bits of the earlier characters are set then, even in earlier blocks.

#ifndef PKM_PATTERNS_TYPES
#define PKM_PATTERNS_TYPES
enum { OTHER, SPACE, NUMBER, MARK, UPPER, LOWER, CASELESS };

typedef uint8_t bytes64 __attribute__((vector_size(64)));
typedef _Bool bits64 __attribute__((ext_vector_type(64)));

// A bit for each character of a block, in order.
typedef struct {
  uint64_t letter, number, space, mark, upper, lower;
  // U+0020, carriage return or line feed, apostrophe, slash
  uint64_t blank, line_break, apostrophe, slash;
  // All characters.
  uint64_t all;
  // How many.
  int count;
  // A bit for each *byte* that begins a character.
  uint64_t leads;
} block;

// What the characters before a block say about it. The classes are 0 or 1, for the last character before the block.
typedef struct {
  uint64_t letter, number, space, other, blank, line_break, isolated, swallowed, lower_phase, upper_phase;
  // Starts that a contraction sets or clears in the next block, by character.
  uint64_t set, clear;
  // The number characters since the last start in a run of numbers.
  int group;
  // The bytes of this block that belong to the last character of the block before, and the offset of that character.
  int inside;
  size_t last;
  // Offsets whose start is undecided: of a run of white space after a line break, and of a run of upper case after a
  // letter without case.
  size_t indent, capitals;
} state;

#define NOWHERE SIZE_MAX
#define INLINED static inline __attribute__((always_inline))
#endif

#define BEFORE(bits, carry) (((bits) << 1) | (carry))
#define LAST(bits) ((bits) >> (b.count - 1) & 1)

// A bit for each byte of a vector that is not 0. A macro, because the calling convention for vectors of 64 bytes
// depends on the instruction set.
#define MASK(lanes)                                                   \
  ({                                                                  \
    bits64 bits_ = __builtin_convertvector((bytes64)(lanes), bits64); \
    uint64_t word_;                                                   \
    memcpy(&word_, &bits_, 8);                                        \
    word_;                                                            \
  })

// Returns the length of the character at text[0] and writes its class; 1 and OTHER if it is not well-formed (Unicode,
// table 3-7). `left` bytes may be read.
static inline int NAME(decode)(const uint8_t *text, size_t left, const uint8_t *classes, uint8_t *class) {
  uint32_t a = text[0];
  *class = OTHER;
#define TAIL(n) ((text[n] & 0xc0) == 0x80)
  if (a < 0xe0) {
    if (a < 0xc2 || left < 2 || !TAIL(1)) return 1;
    *class = classes[(a & 0x1f) << 6 | (text[1] & 0x3f)];
    return 2;
  }
  if (a < 0xf0) {
    if (left < 3 || !TAIL(1) || !TAIL(2)) return 1;
    uint32_t point = (a & 0x0f) << 12 | (text[1] & 0x3f) << 6 | (text[2] & 0x3f);
    if (point < 0x800 || (point & 0xf800) == 0xd800) return 1;
    *class = classes[point];
    return 3;
  }
  if (a > 0xf4 || left < 4 || !TAIL(1) || !TAIL(2) || !TAIL(3)) return 1;
  uint32_t point = (a & 0x07) << 18 | (text[1] & 0x3f) << 12 | (text[2] & 0x3f) << 6 | (text[3] & 0x3f);
  if (point < 0x10000 || point > 0x10ffff) return 1;
  *class = classes[point];
  return 4;
#undef TAIL
}

INLINED void NAME(load)(bytes64 *v, const uint8_t *text, size_t left, size_t readable) {
  if (readable >= 64) {
    memcpy(v, text, 64);
  } else {
    uint8_t padded[64] = {0};
    memcpy(padded, text, left);
    memcpy(v, padded, 64);
  }
}

// Classifies the block at text[0]; the text ends after `left` bytes.
INLINED block NAME(classify)(const uint8_t *text, size_t left, size_t readable, const uint8_t *classes, int *inside) {
  bytes64 v;
  NAME(load)(&v, text, left, readable);
  uint64_t valid = left >= 64 ? ~0ull : (1ull << left) - 1;
  block b = {0};
  bytes64 folded = (v | 0x20) - 'a';
  b.letter = MASK((bytes64)(folded < 26));
  b.upper = MASK((bytes64)((bytes64)(v - 'A') < 26));
  b.lower = b.letter & ~b.upper;
  b.number = MASK((bytes64)((bytes64)(v - '0') < 10));
  b.blank = MASK((bytes64)(v == ' '));
  b.space = b.blank | MASK((bytes64)((bytes64)(v - 9) < 5));
  b.line_break = MASK((bytes64)((v == '\n') | (v == '\r')));
  b.apostrophe = MASK((bytes64)(v == '\''));
  b.slash = MASK((bytes64)(v == '/'));
  if (left < 64) {
    b.letter &= valid;
    b.upper &= valid;
    b.lower &= valid;
    b.number &= valid;
    b.blank &= valid;
    b.space &= valid;
    b.line_break &= valid;
    b.apostrophe &= valid;
    b.slash &= valid;
  }
  uint64_t rest = MASK((bytes64)(v >= 0x80)) & valid;
  b.leads = valid;
  if (rest | (uint64_t)*inside) {
    uint64_t tails = (1ull << *inside) - 1;
    *inside = 0;
    rest &= ~tails;
    while (rest) {
      int offset = __builtin_ctzll(rest);
      uint8_t class;
      int length = NAME(decode)(text + offset, left - offset, classes, &class);
      uint64_t bit = 1ull << offset;
      if (class >= UPPER) b.letter |= bit;
      if (class == UPPER) b.upper |= bit;
      if (class == LOWER) b.lower |= bit;
      if (class == NUMBER) b.number |= bit;
      if (class == SPACE) b.space |= bit;
      if (class == MARK) b.mark |= bit;
      uint64_t tail = ((1ull << (length - 1)) - 1) << offset << 1;
      tails |= tail;
      rest &= ~(bit | tail);
      if (offset + length > 64) *inside = offset + length - 64;
    }
    b.leads &= ~tails;
    b.letter = GATHER(b.letter, b.leads);
    b.upper = GATHER(b.upper, b.leads);
    b.lower = GATHER(b.lower, b.leads);
    b.number = GATHER(b.number, b.leads);
    b.blank = GATHER(b.blank, b.leads);
    b.space = GATHER(b.space, b.leads);
    b.line_break = GATHER(b.line_break, b.leads);
    b.apostrophe = GATHER(b.apostrophe, b.leads);
    b.slash = GATHER(b.slash, b.leads);
    b.mark = GATHER(b.mark, b.leads);
  }
  b.count = __builtin_popcountll(b.leads);
  b.all = b.count == 64 ? ~0ull : (1ull << b.count) - 1;
  return b;
}

// The offset in the block of the first byte of a character.
static inline int NAME(offset)(block b, int character) {
  return b.leads == ~0ull ? character : __builtin_ctzll(SCATTER(1ull << character, b.leads));
}

static inline void NAME(set)(uint64_t *starts, size_t offset) { starts[offset / 64] |= 1ull << offset % 64; }

// The number of characters in the contraction at the apostrophe text[0], the apostrophe included (s t m d re ve ll), or
// 0. With `folds` case does not matter, and the long s (U+017F) is an s.
static inline int NAME(contraction)(const uint8_t *text, size_t left, bool folds) {
  if (left < 2) return 0;
  uint8_t second = folds ? text[1] | 0x20 : text[1];
  switch (second) {
    case 's': case 't': case 'm': case 'd': return 2;
    case 'r': case 'v': case 'l':
      return left >= 3 && (folds ? text[2] | 0x20 : text[2]) == (second == 'l' ? 'l' : 'e') ? 3 : 0;
    default: return folds && left >= 3 && text[1] == 0xc5 && text[2] == 0xbf ? 2 : 0;
  }
}

// gpt2: the contractions, then ' ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+'; whitespace: ' ?\S+|\s+(?!\S)|\s+'.
// Digits: numbers are cut out before, each (DIGITS) or in runs, so that text ends before them and begins behind them.
INLINED uint64_t NAME(gpt2)(block b, state *s, const uint8_t *text, size_t left, int pattern, bool *at_last) {
  bool whitespace = pattern == PKM_PATTERN_WHITESPACE;
  bool cuts_digits = pattern == PKM_PATTERN_DIGITS || pattern == PKM_PATTERN_DIGIT_RUNS;
  uint64_t ink = b.all & ~b.space;
  if (cuts_digits) ink &= ~b.number;
  uint64_t other = ink & ~(b.letter | b.number);
  uint64_t spaces_before = BEFORE(b.space, s->space);
  uint64_t same = whitespace ? ~spaces_before & ~(uint64_t)(s->last == NOWHERE)
                             : (b.letter & BEFORE(b.letter, s->letter)) | (b.number & BEFORE(b.number, s->number)) |
                                   (other & BEFORE(other, s->other));
  // A run of anything but white space begins with the blank before it, which a run of white space gives back.
  uint64_t runs = ink & ~same & ~BEFORE(b.blank, s->blank);
  uint64_t given = ink & spaces_before;
  uint64_t starts = runs | (b.space & ~spaces_before) | given >> 1;
  *at_last = given & 1;
  if (pattern == PKM_PATTERN_DIGITS) starts |= b.number;
  if (pattern == PKM_PATTERN_DIGIT_RUNS) starts |= b.number & ~BEFORE(b.number, s->number);
  if (!whitespace) {
    uint64_t apostrophes = b.apostrophe & runs;
    if (apostrophes | s->set | s->clear) {
      unsigned __int128 set = s->set, clear = s->clear;
      for (; apostrophes; apostrophes &= apostrophes - 1) {
        int i = __builtin_ctzll(apostrophes), at = NAME(offset)(b, i);
        int length = NAME(contraction)(text + at, left - at, false);
        if (!length) continue;
        clear |= (unsigned __int128)1 << (i + 1);
        set |= (unsigned __int128)1 << (i + length);
      }
      starts = (starts & ~(uint64_t)clear) | ((uint64_t)set & b.all);
      s->set = (uint64_t)(set >> b.count);
      s->clear = (uint64_t)(clear >> b.count);
    }
  }
  s->letter = LAST(b.letter);
  s->number = LAST(b.number);
  s->other = LAST(other);
  s->space = LAST(b.space);
  s->blank = LAST(b.blank);
  return starts;
}

// The first, fourth, seventh and so on of each run of numbers.
INLINED uint64_t NAME(groups)(block b, state *s) {
  uint64_t numbers = b.number;
  if (!numbers) {
    s->group = 0;
    return 0;
  }
  uint64_t next = numbers & ~BEFORE(numbers, s->number);
  // In a run that continues from the block before, the next group begins after 3 - group characters.
  if (numbers & s->number) {
    int first = 3 - s->group;
    uint64_t needed = (2ull << first) - 1;
    if ((numbers & needed) == needed) next |= 1ull << first;
  }
  uint64_t starts = next;
  uint64_t thirds = numbers & numbers << 1 & numbers << 2;
  while ((next = next << 3 & thirds)) starts |= next;
  if (!LAST(numbers)) {
    s->group = 0;
  } else {
    // Only starts in the last run count. It has one, or it continues from the block before.
    uint64_t gaps = b.all & ~numbers;
    int run = gaps ? 64 - __builtin_clzll(gaps) : 0;
    uint64_t mine = starts >> run << run;
    s->group = mine ? b.count - (63 - __builtin_clzll(mine)) : s->group + b.count;
  }
  return starts;
}

// The bits of `region` from each bit of `from`, which is in a run of `region`, to the end of the run.
static inline uint64_t NAME(fill)(uint64_t region, uint64_t from) { return region & ~(region + from); }

// o200k: a mark belongs to a word or to a run of punctuation, whichever began first, and slashes belong to the line
// breaks after punctuation. Walks over the characters of the few blocks in which either can happen.
static inline void NAME(walk)(block b, const state *s, uint64_t other, uint64_t *marks, uint64_t *swallowed) {
  bool in_run = s->other, isolated = s->isolated, blank = s->blank, swallowing = s->swallowed;
  for (int i = 0; i < b.count; i++) {
    uint64_t bit = 1ull << i;
    bool was_run = in_run, was_isolated = isolated;
    in_run = isolated = false;
    if ((b.line_break & bit && (was_run || swallowing)) || (b.slash & bit && swallowing)) {
      *swallowed |= bit;
      swallowing = true;
    } else {
      swallowing = false;
      if (b.mark & bit) {
        if (was_run && !was_isolated) {
          *marks |= bit;
          in_run = true;
        }
      } else if (other & bit) {
        in_run = true;
        isolated = !was_run && !blank;
      }
    }
    blank = b.blank & bit;
  }
}

// cl100k: '(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+\z|\s*[\r\n]+|
//         \s+(?!\S)|\s+
// llama3: the same without \s+\z.
// o200k:  words are also cut where upper case follows lower case, contractions belong to the word before them, and
//         [\r\n/]* follows punctuation.
// qwen2:  llama3 with \p{N} in place of \p{N}{1,3}; qwen35: also with [\p{L}\p{M}]+ for words, and no marks in
//         punctuation.
// tekken: o200k with \p{N} in place of \p{N}{1,3}, and without contractions.
INLINED uint64_t NAME(cl100k)(block b, state *s, const uint8_t *text, size_t base, size_t left, int pattern,
                                    uint64_t *all_starts, bool *at_last) {
  bool cuts_case = pattern == PKM_PATTERN_O200K || pattern == PKM_PATTERN_TEKKEN;
  bool single_digits =
      pattern == PKM_PATTERN_QWEN2 || pattern == PKM_PATTERN_QWEN35 || pattern == PKM_PATTERN_TEKKEN;
  if (pattern == PKM_PATTERN_QWEN35) b.letter |= b.mark;
  uint64_t ink = b.all & ~b.space;
  uint64_t word = b.letter;
  // Punctuation is neither white space, letter nor number. It includes marks, except in o200k those of a word.
  uint64_t other = ink & ~(b.letter | b.number);
  // Line breaks, and in o200k slashes, that belong to the punctuation before them.
  uint64_t swallowed = 0;
  bool walks = false;
  if (cuts_case) {
    other &= ~b.mark;
    walks = (b.mark & BEFORE(other, s->other)) | (b.slash & BEFORE(b.line_break, s->swallowed));
  }
  if (walks) {
    uint64_t marks = 0;
    NAME(walk)(b, s, other, &marks, &swallowed);
    word |= b.mark & ~marks;
    other = (other | marks) & ~swallowed;
  } else {
    if (cuts_case) word |= b.mark;
    uint64_t from = b.line_break & BEFORE(other, s->other | s->swallowed);
    swallowed = NAME(fill)(b.line_break, from);
  }
  uint64_t blank_before = BEFORE(b.blank, s->blank);
  // The first character of a run of punctuation without a blank before it; if a letter follows, it begins that word.
  uint64_t isolated = other & ~BEFORE(other, s->other) & ~blank_before;
  uint64_t space = b.space & ~swallowed;
  uint64_t indent = b.space & ~b.line_break;
  uint64_t word_before = BEFORE(word, s->letter);

  // Contractions are pre-tokens in cl100k and ends of words in o200k. A new pre-token begins after one.
  uint64_t set = s->set, clear = s->clear;
  uint64_t apostrophes = b.apostrophe & (cuts_case ? word_before : isolated);
  if (pattern == PKM_PATTERN_TEKKEN) apostrophes = 0;
  s->set = s->clear = 0;
  for (; apostrophes; apostrophes &= apostrophes - 1) {
    int i = __builtin_ctzll(apostrophes), at = NAME(offset)(b, i);
    // An apostrophe after a contraction begins a pre-token.
    if (cuts_case && set >> i & 1) continue;
    int length = NAME(contraction)(text + at, left - at, true);
    if (!length) continue;
    // Case does not cut a contraction.
    for (int k = 0; cuts_case && k < length; k++) {
      if (i + k < b.count) {
        clear |= 1ull << (i + k);
      } else {
        s->clear |= 1ull << (i + k - b.count);
      }
    }
    if (i + length < b.count) {
      set |= 1ull << (i + length);
    } else {
      s->set |= 1ull << (i + length - b.count);
    }
  }
  set &= b.all;

  uint64_t given = ink & BEFORE(indent, s->space & ~s->line_break);
  *at_last = given & 1;
  uint64_t starts = isolated | given >> 1 | (single_digits ? b.number : NAME(groups)(b, s));
  starts |= space & ~BEFORE(space, s->space);
  starts |= word & ~word_before & ~BEFORE(indent, s->space & ~s->line_break) & ~BEFORE(isolated, s->isolated);

  // If anything but white space follows, the white space after the last line break of its run begins a pre-token,
  // except its last character.
  if (s->indent != NOWHERE) {
    int end = __builtin_ctzll(~indent | 1ull << 63);
    if (end == 63 && indent >> 63) end = 64;
    if (end < b.count) {
      if (ink >> end & 1) NAME(set)(all_starts, s->indent);
      s->indent = NOWHERE;
    }
  }
  uint64_t behind_break = indent & BEFORE(b.line_break & ~swallowed, s->line_break & s->space);
  for (; behind_break; behind_break &= behind_break - 1) {
    int i = __builtin_ctzll(behind_break);
    uint64_t run_end = ((behind_break & -behind_break) + indent) & ~indent;
    run_end = run_end >> i << i & b.all;
    if (!run_end) {
      s->indent = base + NAME(offset)(b, i);
    } else if (ink & run_end & -run_end) {
      starts |= 1ull << i;
    }
  }

  if (cuts_case) {
    // After its first lower-case letter a word ends before upper case. Letters without case, and marks, continue both.
    uint64_t caseless = word & ~(b.upper | b.lower);
    uint64_t from = caseless & BEFORE(b.lower, s->lower_phase) & ~set;
    uint64_t lower = b.lower | NAME(fill)(caseless, from);
    starts |= b.upper & BEFORE(lower, s->lower_phase);
    // Upper case after letters without case belongs to them only if the word continues.
    uint64_t undecided = caseless & ~lower;
    uint64_t behind = b.upper & BEFORE(undecided, s->upper_phase);
    if (s->capitals != NOWHERE) {
      int end = ~b.upper ? __builtin_ctzll(~b.upper) : 64;
      if (end < b.count) {
        if (!(word >> end & 1)) NAME(set)(all_starts, s->capitals);
        s->capitals = NOWHERE;
      }
    }
    for (; behind; behind &= behind - 1) {
      int i = __builtin_ctzll(behind);
      uint64_t rest = ~(b.upper >> i);
      int end = i + (rest ? __builtin_ctzll(rest) : 64);
      if (end >= b.count) {
        s->capitals = base + NAME(offset)(b, i);
      } else if (!(word >> end & 1)) {
        starts |= 1ull << i;
      }
    }
    s->lower_phase = LAST(lower);
    s->upper_phase = LAST(undecided);
  }
  s->letter = LAST(word);
  s->number = LAST(b.number);
  s->other = LAST(other);
  s->isolated = LAST(isolated);
  s->swallowed = LAST(swallowed);
  s->space = LAST(space);
  s->line_break = LAST(b.line_break);
  s->blank = LAST(b.blank);
  return (starts & ~clear) | set;
}

static inline void NAME(words)(const uint8_t *text, size_t count, size_t readable, uint64_t *starts) {
  uint64_t before = 0;
  for (size_t base = 0; base < count; base += 64) {
    size_t left = count - base;
    bytes64 v;
    NAME(load)(&v, text + base, left, readable - base);
    uint64_t separators = MASK((bytes64)((v == ' ') | (v == '\n')));
    uint64_t changes = separators ^ BEFORE(separators, before);
    starts[base / 64] = left >= 64 ? changes : changes & ((1ull << left) - 1);
    before = separators >> 63;
  }
  if (count) starts[0] |= 1;
}

INLINED void NAME(run)(int pattern, const uint8_t *text, size_t count, size_t readable, const uint8_t *classes,
                       uint64_t *starts) {
  state s = {0};
  s.last = s.indent = s.capitals = NOWHERE;
  for (size_t base = 0; base < count; base += 64) {
    size_t left = count - base;
    block b = NAME(classify)(text + base, left, readable - base, classes, &s.inside);
    if (b.count == 0) continue;
    bool at_last = false;
    uint64_t bits;
    if (pattern == PKM_PATTERN_GPT2 || pattern == PKM_PATTERN_WHITESPACE || pattern == PKM_PATTERN_DIGITS ||
        pattern == PKM_PATTERN_DIGIT_RUNS) {
      bits = NAME(gpt2)(b, &s, text + base, left, pattern, &at_last);
    } else {
      bits = NAME(cl100k)(b, &s, text + base, base, left, pattern, starts, &at_last);
    }
    if (at_last) NAME(set)(starts, s.last);
    starts[base / 64] |= b.leads == ~0ull ? bits : SCATTER(bits, b.leads);
    s.last = base + (63 - __builtin_clzll(b.leads));
  }
  // The end of the text settles what is undecided.
  if (s.indent != NOWHERE && pattern != PKM_PATTERN_CL100K) NAME(set)(starts, s.indent);
  if (s.capitals != NOWHERE) NAME(set)(starts, s.capitals);
}

static void NAME(pre_token_starts)(int pattern, const uint8_t *text, size_t count, size_t readable,
                                   const uint8_t *classes, uint64_t *starts) {
  memset(starts, 0, (count / 64 + 1) * 8);
  // A copy of the loop for each pattern.
#define RUN(name) \
  case name: NAME(run)(name, text, count, readable, classes, starts); break
  switch (pattern) {
    RUN(PKM_PATTERN_GPT2);
    RUN(PKM_PATTERN_CL100K);
    RUN(PKM_PATTERN_LLAMA3);
    RUN(PKM_PATTERN_O200K);
    RUN(PKM_PATTERN_WHITESPACE);
    RUN(PKM_PATTERN_QWEN2);
    RUN(PKM_PATTERN_QWEN35);
    RUN(PKM_PATTERN_TEKKEN);
    RUN(PKM_PATTERN_DIGITS);
    RUN(PKM_PATTERN_DIGIT_RUNS);
    default: NAME(words)(text, count, readable, starts);
  }
#undef RUN
  NAME(set)(starts, count);
}

#undef BEFORE
#undef MASK
#undef LAST
