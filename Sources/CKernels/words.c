// How many words a text has: see Words.swift.
#include <string.h>

#include "CKernels.h"

#if defined(__x86_64__)
#define MULTIVERSIONED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MULTIVERSIONED
#endif

typedef uint8_t Bytes __attribute__((ext_vector_type(64)));
typedef bool Flags __attribute__((ext_vector_type(64)));

// A bit a byte, the first lowest: whether it is white space.
static inline __attribute__((always_inline)) uint64_t spaces(const uint8_t *bytes) {
  Bytes lanes;
  memcpy(&lanes, bytes, sizeof lanes);
  Flags flags = __builtin_convertvector((lanes == ' ') | (lanes - 9 < 5), Flags);
  uint64_t bits;
  memcpy(&bits, &flags, sizeof bits);
  return bits;
}

MULTIVERSIONED
size_t pkm_words_count(const uint8_t *bytes, size_t count) {
  size_t words = 0;
  // Whether white space, or nothing, comes before.
  uint64_t isFirst = 1;
  for (; count >= 64; bytes += 64, count -= 64) {
    uint64_t white = spaces(bytes);
    words += (size_t)__builtin_popcountll(~white & (white << 1 | isFirst));
    isFirst = white >> 63;
  }
  if (count > 0) {
    uint8_t tail[64];
    memset(tail, ' ', sizeof tail);
    memcpy(tail, bytes, count);
    uint64_t white = spaces(tail);
    words += (size_t)__builtin_popcountll(~white & (white << 1 | isFirst));
  }
  return words;
}
