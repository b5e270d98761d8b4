// The pattern of GPT-4 and its relatives. Included once for each instruction set.

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
// kimi:   o200k with [\p{Han}]+ before all others and without these characters in words, and [\r\n]* after punctuation.
//         What is of Han and no letter, but a number, symbol or mark, is rare.
INLINED uint64_t NAME(cl100k)(block b, state *s, const uint8_t *text, size_t base, size_t left, int pattern,
                                    uint64_t *all_starts, bool *at_last) {
  bool cuts_case =
      pattern == PKM_PATTERN_O200K || pattern == PKM_PATTERN_TEKKEN || pattern == PKM_PATTERN_KIMI;
  bool single_digits =
      pattern == PKM_PATTERN_QWEN2 || pattern == PKM_PATTERN_QWEN35 || pattern == PKM_PATTERN_TEKKEN;
  if (pattern == PKM_PATTERN_QWEN35) b.letter |= b.mark;
  // The slash is punctuation like any other.
  if (pattern == PKM_PATTERN_KIMI) b.slash = 0;
  uint64_t ink = b.all & ~b.space;
  uint64_t word = b.letter;
  // Punctuation is neither white space, letter nor number. It includes marks, except in o200k those of a word.
  uint64_t other = ink & ~(b.letter | b.number | b.chinese);
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
  starts |= b.chinese & ~BEFORE(b.chinese, s->chinese);
  starts |= word & ~word_before & ~BEFORE(indent, s->space & ~s->line_break) & ~BEFORE(isolated, s->isolated);

  starts |= NAME(indents)(b, s, ink, indent, swallowed, base, all_starts);

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
  s->chinese = LAST(b.chinese);
  s->other = LAST(other);
  s->isolated = LAST(isolated);
  s->swallowed = LAST(swallowed);
  s->space = LAST(space);
  s->line_break = LAST(b.line_break);
  s->blank = LAST(b.blank);
  return (starts & ~clear) | set;
}
