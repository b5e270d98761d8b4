// The operands of a matmul: matrices of reals or, if `bf16`, of bfloat16 in 16 bits. `bf16` is a compile-time constant
// wherever these functions are inlined (see BY_FORM).
#pragma once
#include "real.h"

// Rounds to the nearest bfloat16, ties to even.
INLINE uint16_t to_bf16(real x) {
  float value = (float)x;
#if HAS_BF16_DOT
  // One instruction. It flushes subnormal numbers to 0, as the bfloat16 dot products do.
  __bf16 nearest = (__bf16)value;
  uint16_t result;
  memcpy(&result, &nearest, 2);
  return result;
#endif
  uint32_t bits;
  memcpy(&bits, &value, 4);
  // A NaN must stay a NaN: rounding could carry it to infinity.
  uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  return (uint16_t)(value != value ? (bits >> 16) | 0x40 : rounded);
}

// Stochastic rounding: away from zero with a probability equal to the truncated part as a fraction of the step to the
// next bfloat16, so that the expected result is x. `random` holds 16 random bits.
INLINE uint16_t to_bf16_stochastically(real x, uint32_t random) {
  float value = (float)x;
  uint32_t bits;
  memcpy(&bits, &value, 4);
  uint32_t rounded = (bits + (random & 0xffff)) >> 16;
  return (uint16_t)(value != value ? (bits >> 16) | 0x40 : rounded);
}

INLINE real from_bf16(uint16_t x) {
  uint32_t bits = (uint32_t)x << 16;
  float value;
  memcpy(&value, &bits, 4);
  return (real)value;
}

INLINE real load_operand(const void *x, long i, bool bf16) {
  return bf16 ? from_bf16(((const uint16_t *)x)[i]) : ((const real *)x)[i];
}

INLINE void store_operand(void *x, long i, real value, bool bf16) {
  if (bf16) {
    ((uint16_t *)x)[i] = to_bf16(value);
  } else {
    ((real *)x)[i] = value;
  }
}

// The address of element i of an operand.
INLINE void *operand_at(const void *x, long i, bool bf16) {
  return (char *)x + i * (long)(bf16 ? sizeof(uint16_t) : sizeof(real));
}

// Compiles an inlined kernel once for operands of bfloat16 and once for operands of reals.
#define BY_FORM(bf16, kernel, ...) \
  do {                             \
    if (bf16) {                    \
      kernel(__VA_ARGS__, true);   \
    } else {                       \
      kernel(__VA_ARGS__, false);  \
    }                              \
  } while (0)
