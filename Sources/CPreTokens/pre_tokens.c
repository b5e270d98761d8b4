// The kernel of patterns.h, compiled for AVX-512, for AVX2 and for any machine. The best one that this machine can run
// is used. Bits are gathered and scattered by one instruction where the machine has it (BMI2).
#include "pre_tokens.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("arch=x86-64-v4"))), apply_to = function)
#define NAME(name) name##_v4
#define GATHER(bits, mask) _pext_u64(bits, mask)
#define SCATTER(bits, mask) _pdep_u64(bits, mask)
#include "patterns.h"
#pragma clang attribute pop
#undef NAME

#pragma clang attribute push(__attribute__((target("arch=x86-64-v3"))), apply_to = function)
#define NAME(name) name##_v3
#include "patterns.h"
#pragma clang attribute pop
#undef NAME
#undef GATHER
#undef SCATTER
#endif

// Moves the bits of `bits` at the positions of `mask` to the lowest positions.
static inline uint64_t gather(uint64_t bits, uint64_t mask) {
  uint64_t result = 0;
  for (int position = 0; mask; mask &= mask - 1, position++)
    if (bits & mask & -mask) result |= 1ull << position;
  return result;
}

// Moves the lowest bits of `bits` to the positions of `mask`.
static inline uint64_t scatter(uint64_t bits, uint64_t mask) {
  uint64_t result = 0;
  for (; mask; mask &= mask - 1, bits >>= 1)
    if (bits & 1) result |= mask & -mask;
  return result;
}

#define NAME(name) name##_any
#define GATHER gather
#define SCATTER scatter
#include "patterns.h"

bool pkm_pre_token_starts_with(int instructions, int pattern, const uint8_t *text, size_t count, size_t readable,
                               const uint8_t *classes, uint64_t *starts) {
  switch (instructions) {
#if defined(__x86_64__)
    case PKM_INSTRUCTIONS_V4:
      if (!__builtin_cpu_supports("x86-64-v4")) return false;
      pre_token_starts_v4(pattern, text, count, readable, classes, starts);
      return true;
    case PKM_INSTRUCTIONS_V3:
      if (!__builtin_cpu_supports("x86-64-v3")) return false;
      pre_token_starts_v3(pattern, text, count, readable, classes, starts);
      return true;
#endif
    case PKM_INSTRUCTIONS_ANY:
      pre_token_starts_any(pattern, text, count, readable, classes, starts);
      return true;
    default: return false;
  }
}

void pkm_pre_token_starts(int pattern, const uint8_t *text, size_t count, size_t readable, const uint8_t *classes,
                          uint64_t *starts) {
  int instructions = PKM_INSTRUCTIONS_V4;
  while (!pkm_pre_token_starts_with(instructions, pattern, text, count, readable, classes, starts)) instructions--;
}
