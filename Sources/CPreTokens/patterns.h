// Finds the starts of pre-tokens, block by block; included once for each instruction set, see pre_tokens.c.
#include "blocks.h"
#include "white_space.h"
#include "gpt2.h"
#include "cl100k.h"
#include "deepseek.h"

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
    block b = NAME(classify)(pattern, text + base, left, readable - base, classes, &s.inside);
    if (b.count == 0) continue;
    if (pattern == PKM_PATTERN_KIMI && b.has_rare) {
      starts[0] &= ~1ull;
      return;
    }
    bool at_last = false;
    uint64_t bits;
    if (pattern == PKM_PATTERN_GPT2 || pattern == PKM_PATTERN_WHITESPACE || pattern == PKM_PATTERN_DIGITS ||
        pattern == PKM_PATTERN_DIGIT_RUNS) {
      bits = NAME(gpt2)(b, &s, text + base, left, pattern, &at_last);
    } else if (pattern == PKM_PATTERN_DEEPSEEK) {
      bits = NAME(deepseek)(b, &s, base, starts, &at_last);
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
    RUN(PKM_PATTERN_DEEPSEEK);
    RUN(PKM_PATTERN_KIMI);
    default: NAME(words)(text, count, readable, starts);
  }
#undef RUN
  NAME(set)(starts, count);
}

#undef BEFORE
#undef MASK
#undef LAST
