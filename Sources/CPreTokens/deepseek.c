// The chain of three splits of DeepSeek's tokenizers, character by character. Numbers and runs of Chinese characters and
// kana are cut out first, so for the rest text ends before them and begins behind them.
#include <stdbool.h>
#include <string.h>

#include "pre_tokens.h"

// The kind of the character at text[at] and its length; 1 byte of kind REST if it is not well-formed (Unicode, table
// 3-7).
static inline int kind(const uint8_t *text, size_t at, size_t count, const uint8_t *kinds, int *length) {
  uint32_t a = text[at];
  *length = 1;
  if (a < 0x80) return kinds[a];
  const uint8_t *t = text + at;
  size_t left = count - at;
#define TAIL(n) ((t[n] & 0xc0) == 0x80)
  uint32_t point;
  int size;
  if (a < 0xe0) {
    if (a < 0xc2 || left < 2 || !TAIL(1)) return PKM_DEEPSEEK_REST;
    point = (a & 0x1f) << 6 | (t[1] & 0x3f);
    size = 2;
  } else if (a < 0xf0) {
    if (left < 3 || !TAIL(1) || !TAIL(2)) return PKM_DEEPSEEK_REST;
    point = (a & 0x0f) << 12 | (t[1] & 0x3f) << 6 | (t[2] & 0x3f);
    if (point < 0x800 || (point & 0xf800) == 0xd800) return PKM_DEEPSEEK_REST;
    size = 3;
  } else {
    if (a > 0xf4 || left < 4 || !TAIL(1) || !TAIL(2) || !TAIL(3)) return PKM_DEEPSEEK_REST;
    point = (a & 0x07) << 18 | (t[1] & 0x3f) << 12 | (t[2] & 0x3f) << 6 | (t[3] & 0x3f);
    if (point < 0x10000 || point > 0x10ffff) return PKM_DEEPSEEK_REST;
    size = 4;
  }
#undef TAIL
  *length = size;
  return kinds[point];
}

#define IN(set, k) ((set) >> (k)&1)
#define BIT(k) (1u << PKM_DEEPSEEK_##k)
enum {
  WORD = BIT(MARK) | BIT(LETTER) | BIT(ASCII_LETTER),
  SYMBOLS = BIT(SYMBOL) | BIT(ASCII_SYMBOL),
  WHITE = BIT(SPACE) | BIT(BREAK),
};

// The end of the run of characters whose kind is in a set.
static inline size_t run(const uint8_t *text, size_t at, size_t count, const uint8_t *kinds, uint32_t set) {
  int length;
  while (at < count && IN(set, kind(text, at, count, kinds, &length))) at += length;
  return at;
}

// \s*[\r\n]+|\s+(?!\S)|\s+
static size_t white(const uint8_t *text, size_t at, size_t count, const uint8_t *kinds) {
  size_t start = at, last = at, after_break = 0;
  int length, found = 0;
  while (at < count) {
    found = kind(text, at, count, kinds, &length);
    if (!IN(WHITE, found)) break;
    last = at;
    at += length;
    if (found == PKM_DEEPSEEK_BREAK) after_break = at;
  }
  if (after_break) return after_break;
  bool ends = at == count || found == PKM_DEEPSEEK_NUMBER || found == PKM_DEEPSEEK_CHINESE;
  return ends || last == start ? at : last;
}

void pkm_deepseek_starts(const uint8_t *text, size_t count, const uint8_t *kinds, uint64_t *starts) {
  memset(starts, 0, (count / 64 + 1) * 8);
  size_t at = 0;
  while (at < count) {
    starts[at / 64] |= 1ull << at % 64;
    int length, next_length;
    int first = kind(text, at, count, kinds, &length);
    size_t behind = at + length;
    int next = behind < count ? kind(text, behind, count, kinds, &next_length) : PKM_DEEPSEEK_NUMBER;
    switch (first) {
      case PKM_DEEPSEEK_NUMBER:
        // \p{N}{1,3}
        at = behind;
        for (int i = 0; i < 2 && at < count && kind(text, at, count, kinds, &length) == PKM_DEEPSEEK_NUMBER; i++)
          at += length;
        break;
      case PKM_DEEPSEEK_CHINESE: at = run(text, behind, count, kinds, BIT(CHINESE)); break;
      case PKM_DEEPSEEK_MARK:
      case PKM_DEEPSEEK_LETTER:
      case PKM_DEEPSEEK_ASCII_LETTER: at = run(text, behind, count, kinds, WORD); break;
      case PKM_DEEPSEEK_ASCII_SYMBOL:
        // [!-/:-@\[-`{-~][A-Za-z]+
        if (next == PKM_DEEPSEEK_ASCII_LETTER) {
          at = run(text, behind, count, kinds, BIT(ASCII_LETTER));
          break;
        }
        // fall through
      case PKM_DEEPSEEK_SYMBOL:
        at = run(text, run(text, behind, count, kinds, SYMBOLS), count, kinds, BIT(BREAK));
        break;
      case PKM_DEEPSEEK_SPACE:
        // [^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*
        if (IN(WORD, next)) {
          at = run(text, behind, count, kinds, WORD);
        } else if (text[at] == ' ' && IN(SYMBOLS, next)) {
          at = run(text, run(text, behind, count, kinds, SYMBOLS), count, kinds, BIT(BREAK));
        } else {
          at = white(text, at, count, kinds);
        }
        break;
      case PKM_DEEPSEEK_BREAK: at = white(text, at, count, kinds); break;
      default:
        if (behind < count && IN(WORD, next)) {
          at = run(text, behind, count, kinds, WORD);
          break;
        }
        // What nothing matches is one piece.
        at = behind;
        while (at < count && kind(text, at, count, kinds, &length) == PKM_DEEPSEEK_REST) {
          size_t after = at + length;
          if (after < count && IN(WORD, kind(text, after, count, kinds, &next_length))) break;
          at = after;
        }
    }
  }
  starts[count / 64] |= 1ull << count % 64;
}
