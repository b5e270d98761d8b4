// The pattern of GPT-2 and its relatives. Included once for each instruction set.

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
