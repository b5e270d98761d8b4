// White space with line breaks, as GPT-4's pattern and its relatives cut it: `\s*[\r\n]+|\s+(?!\S)|\s+`. Included once for
// each instruction set.

// If anything but white space (`ink`) follows, the white space after the last line break of its run (`indent`) begins a
// pre-token, except its last character. Line breaks that are `swallowed` end no run of white space.
INLINED uint64_t NAME(indents)(block b, state *s, uint64_t ink, uint64_t indent, uint64_t swallowed, size_t base,
                               uint64_t *all_starts) {
  uint64_t starts = 0;
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
  return starts;
}
