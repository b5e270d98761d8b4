// The kernel of patterns.h, compiled for AVX-512, for AVX2 and for any machine; the first that this machine can run is
// used. Bits are gathered and scattered by one instruction where there is one (BMI2).
#include "CPreTokens.h"

#include <stdbool.h>
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

// The bits of `bits` under `mask`, moved together.
static inline uint64_t gather(uint64_t bits, uint64_t mask) {
  uint64_t result = 0;
  for (int place = 0; mask; mask &= mask - 1, place++)
    if (bits & mask & -mask) result |= 1ull << place;
  return result;
}

// The reverse.
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

int pkm_pre_token_starts_on(int machine, int pattern, const uint8_t *text, size_t count, size_t readable, const uint8_t *classes,
                            uint64_t *starts) {
#if defined(__x86_64__)
  if (machine == 2 && __builtin_cpu_supports("x86-64-v4"))
    return pre_token_starts_v4(pattern, text, count, readable, classes, starts), 1;
  if (machine == 1 && __builtin_cpu_supports("x86-64-v3"))
    return pre_token_starts_v3(pattern, text, count, readable, classes, starts), 1;
#endif
  if (machine == 0) return pre_token_starts_any(pattern, text, count, readable, classes, starts), 1;
  return 0;
}

void pkm_pre_token_starts(int pattern, const uint8_t *text, size_t count, size_t readable, const uint8_t *classes, uint64_t *starts) {
  for (int machine = 2; !pkm_pre_token_starts_on(machine, pattern, text, count, readable, classes, starts); machine--) {
  }
}
