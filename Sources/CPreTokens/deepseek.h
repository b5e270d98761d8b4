// DeepSeek's chain of three splits. Included once for each instruction set.

// Numbers (\p{N}{1,3}) and runs of Chinese characters and kana are cut out first, so for the rest text ends before them
// and begins behind them. Then
//   [!-/:-@\[-`{-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
INLINED uint64_t NAME(deepseek)(block b, state *s, size_t base, uint64_t *all_starts, bool *at_last) {
  uint64_t word = b.letter | b.mark;
  uint64_t other = b.symbol;
  // What no part matches, but for the last one before a word, which is its first character.
  uint64_t rest = b.all & ~(b.space | word | other | b.number | b.chinese);
  uint64_t swallowed = NAME(fill)(b.line_break, b.line_break & BEFORE(other, s->other | s->swallowed));
  uint64_t space = b.space & ~swallowed;
  uint64_t indent = b.space & ~b.line_break;
  uint64_t indent_before = BEFORE(indent, s->space & ~s->line_break);
  uint64_t rest_before = BEFORE(rest, s->rest);
  // The first character of a run of punctuation without a blank before it; one of ASCII begins a word of ASCII.
  uint64_t isolated = other & ~BEFORE(other, s->other) & ~BEFORE(b.blank, s->blank);
  uint64_t first = word & ~BEFORE(word, s->letter);
  uint64_t joined = first & b.ascii_letter & BEFORE(isolated & b.ascii_symbol, s->isolated);
  // Letters of ASCII behind such a symbol; other letters and marks begin a new word.
  uint64_t symbol_word = NAME(fill)(b.ascii_letter, joined | (b.ascii_letter & s->symbol_word));

  uint64_t given = ((word | other | rest) & indent_before) | (first & rest_before);
  *at_last = given & 1;
  uint64_t starts = isolated | given >> 1 | NAME(groups)(b, s) | (b.chinese & ~BEFORE(b.chinese, s->chinese));
  starts |= (space & ~BEFORE(space, s->space)) | (rest & ~rest_before);
  starts |= first & ~indent_before & ~rest_before & ~joined;
  starts |= word & ~b.ascii_letter & BEFORE(symbol_word, s->symbol_word);
  starts |= NAME(indents)(b, s, b.all & ~b.space, indent, swallowed, base, all_starts);

  s->letter = LAST(word);
  s->number = LAST(b.number);
  s->chinese = LAST(b.chinese);
  s->other = LAST(other);
  s->isolated = LAST(isolated & b.ascii_symbol);
  s->symbol_word = LAST(symbol_word);
  s->swallowed = LAST(swallowed);
  s->space = LAST(space);
  s->rest = LAST(rest);
  s->line_break = LAST(b.line_break);
  s->blank = LAST(b.blank);
  return starts;
}
