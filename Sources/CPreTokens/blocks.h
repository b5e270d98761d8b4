// Blocks of text as bits, for the patterns; included once for each instruction set, see pre_tokens.c.
//
// A block is 64 bytes of text. Vector comparisons classify its ASCII bytes, and a table classifies its other characters
// one by one. Then each class is a word with a bit for each *character* of the block, and the patterns are computed for
// all characters at once. "The character before is a letter" is `letters << 1`, with the last bit of the block before
// shifted in. Patterns look ahead in two ways only: a run of white space gives its last character back to what follows,
// and the last line break of a run decides where the run is cut. Both are settled when the deciding character is read;
// the bits of the earlier characters are set then, even in earlier blocks.

#ifndef PKM_PATTERNS_TYPES
#define PKM_PATTERNS_TYPES
// The last three are only in the tables that the patterns of DeepSeek and Kimi take.
enum { OTHER, SPACE, NUMBER, MARK, UPPER, LOWER, CASELESS, SYMBOL, CHINESE, RARE };

typedef uint8_t bytes64 __attribute__((vector_size(64)));
typedef _Bool bits64 __attribute__((ext_vector_type(64)));

// A bit for each character of a block, in order.
typedef struct {
  uint64_t letter, number, space, mark, upper, lower;
  // U+0020, carriage return or line feed, apostrophe, slash
  uint64_t blank, line_break, apostrophe, slash;
  // DeepSeek: punctuation and symbols, those of ASCII, the letters of ASCII. Kimi too: Chinese characters.
  uint64_t symbol, ascii_symbol, ascii_letter, chinese;
  // Whether there is a character that the pattern treats in ways that are not computed here.
  bool has_rare;
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
  // DeepSeek: a character that nothing matches by itself, the word of a symbol and letters of ASCII.
  uint64_t rest, symbol_word, chinese;
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
INLINED block NAME(classify)(int pattern, const uint8_t *text, size_t left, size_t readable, const uint8_t *classes,
                             int *inside) {
  bool has_symbols = pattern == PKM_PATTERN_DEEPSEEK, has_chinese = has_symbols || pattern == PKM_PATTERN_KIMI;
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
  if (has_symbols) b.symbol = MASK((bytes64)((bytes64)(v - 0x21) < 0x5e)) & ~(b.letter | b.number);
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
    b.symbol &= valid;
  }
  b.ascii_letter = b.letter;
  b.ascii_symbol = b.symbol;
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
      if (class >= UPPER && class <= CASELESS) b.letter |= bit;
      if (class == UPPER) b.upper |= bit;
      if (class == LOWER) b.lower |= bit;
      if (class == NUMBER) b.number |= bit;
      if (class == SPACE) b.space |= bit;
      if (class == MARK) b.mark |= bit;
      if (has_symbols && class == SYMBOL) b.symbol |= bit;
      if (has_chinese && class == CHINESE) b.chinese |= bit;
      if (has_chinese && class == RARE) b.has_rare = true;
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
    if (has_symbols) {
      b.symbol = GATHER(b.symbol, b.leads);
      b.ascii_symbol = GATHER(b.ascii_symbol, b.leads);
      b.ascii_letter = GATHER(b.ascii_letter, b.leads);
    }
    if (has_chinese) b.chinese = GATHER(b.chinese, b.leads);
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

// The bits of `region` from each bit of `from`, which is in a run of `region`, to the end of the run.
static inline uint64_t NAME(fill)(uint64_t region, uint64_t from) { return region & ~(region + from); }

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
