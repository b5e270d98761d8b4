// What every kernel source needs, for one precision: `real`, its elementary functions, and the attributes.
// The including file defines REAL_IS_FLOAT as 1 or 0, and sets the instruction set of all that follows.
#pragma once
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "CModelKernels.h"

#define KERNEL static
#define INLINE static inline __attribute__((always_inline))
// At the head of a kernel whose sums may be taken in any fixed order.
#define VECTOR_SUMS _Pragma("clang fp reassociate(on) contract(fast)")
#define FUSED _Pragma("clang fp contract(fast)")
// Before a loop whose results may replace what each is made from but nothing else.
#if REAL_IS_FLOAT
#define EACH_ITSELF _Pragma("clang loop vectorize(assume_safety)")
#else
#define EACH_ITSELF  // exp and erfc of double are calls
#endif

#if REAL_IS_FLOAT
typedef float real;
#define REAL_MAX FLT_MAX

// exp to about 1 unit in the last place: 2^n times the Taylor polynomial of the rest, |rest| <= ln 2 / 2. Below -87 it
// stays at e^-87 instead of going to subnormals.
INLINE real real_exp(real x) {
  FUSED
  x = x > 88.0f ? 88.0f : x;
  x = x < -87.0f ? -87.0f : x;
  // Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits.
  float shifted = x * 1.44269504f + 12582912.0f;
  float n = shifted - 12582912.0f;
  float r = x - n * 0.693145752f;
  r = r - n * 1.42860677e-6f;
  float p = 1.98412698e-4f;
  p = p * r + 1.38888889e-3f;
  p = p * r + 8.33333333e-3f;
  p = p * r + 4.16666667e-2f;
  p = p * r + 1.66666667e-1f;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  uint32_t bits;
  memcpy(&bits, &shifted, 4);
  bits = (bits + 127) << 23;
  float power;
  memcpy(&power, &bits, 4);
  return p * power;
}

// Phi(-|x|), the normal distribution's lower tail: exp(-x^2 / 2) / 2 times exp(t^2) erfc(t) at t = |x| / sqrt 2, the
// latter as s P(s), s = 1 / (1 + t / 2), fitted by least squares on 0...9.5 to a relative error of 5e-8.
// `density` takes exp(-x^2 / 2).
INLINE real normal_tail(real x, real *density) {
  FUSED
  float t = __builtin_fabsf(x) * 0.707106781f;
  float e = real_exp(-t * t);
  float s = 1.0f / (1.0f + 0.5f * t);
  float p = -0.059941494f;
  p = p * s + 0.288647518f;
  p = p * s - 0.495214782f;
  p = p * s + 0.286715658f;
  p = p * s - 0.0321947814f;
  p = p * s + 0.204866786f;
  p = p * s + 0.242599956f;
  p = p * s + 0.282437853f;
  p = p * s + 0.282083236f;
  *density = e;
  return 0.5f * e * s * p;
}
INLINE real real_log(real x) { return logf(x); }
INLINE real real_sqrt(real x) { return __builtin_sqrtf(x); }
#else
typedef double real;
#define REAL_MAX DBL_MAX

INLINE real real_exp(real x) { return exp(x); }
INLINE real normal_tail(real x, real *density) {
  *density = exp(-0.5 * x * x);
  return 0.5 * erfc(fabs(x) * 0.70710678118654752);
}
INLINE real real_log(real x) { return log(x); }
INLINE real real_sqrt(real x) { return __builtin_sqrt(x); }
#endif

enum { LANES = 64 / sizeof(real) };

// An operand is a matrix as products take it: reals or, where `bf16` says so, bfloat16 in 16 bits. `bf16` is a constant
// wherever these are inlined.
INLINE uint16_t to_bfloat16(real x) {
  float value = (float)x;
#if HAS_BFLOAT16_DOT
  // One instruction, which takes subnormal numbers for 0, as the dot products do.
  __bf16 nearest = (__bf16)value;
  uint16_t result;
  memcpy(&result, &nearest, 2);
  return result;
#endif
  uint32_t bits;
  memcpy(&bits, &value, 4);
  // To the nearest, ties to even; a NaN stays one.
  uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  return (uint16_t)(value != value ? (bits >> 16) | 0x40 : rounded);
}

// Away from zero with the probability that the part cut off is of the step to the next number; `chance` is random bits.
INLINE uint16_t to_bfloat16_by_chance(real x, uint32_t chance) {
  float value = (float)x;
  uint32_t bits;
  memcpy(&bits, &value, 4);
  uint32_t rounded = (bits + (chance & 0xffff)) >> 16;
  return (uint16_t)(value != value ? (bits >> 16) | 0x40 : rounded);
}

INLINE real from_bfloat16(uint16_t x) {
  uint32_t bits = (uint32_t)x << 16;
  float value;
  memcpy(&value, &bits, 4);
  return (real)value;
}

INLINE real load_operand(const void *x, long i, bool bf16) {
  return bf16 ? from_bfloat16(((const uint16_t *)x)[i]) : ((const real *)x)[i];
}

INLINE void store_operand(void *x, long i, real value, bool bf16) {
  if (bf16) {
    ((uint16_t *)x)[i] = to_bfloat16(value);
  } else {
    ((real *)x)[i] = value;
  }
}

// The i-th element of an operand.
INLINE void *operand_at(const void *x, long i, bool bf16) {
  return (char *)x + i * (long)(bf16 ? sizeof(uint16_t) : sizeof(real));
}

// Compiles an inlined kernel once for each form of its operands.
#define BY_FORM(bf16, kernel, ...)     \
  do {                                 \
    if (bf16) {                        \
      kernel(__VA_ARGS__, true);       \
    } else {                           \
      kernel(__VA_ARGS__, false);      \
    }                                  \
  } while (0)

// The largest number of a row; NaN is passed over, and -infinity stands for "none".
INLINE real row_max(long count, const real *x) {
  real lanes[4 * LANES];
  for (int j = 0; j < 4 * LANES; j++) lanes[j] = -(real)INFINITY;
  long c = 0;
  for (; c + 4 * LANES <= count; c += 4 * LANES) {
    for (int j = 0; j < 4 * LANES; j++) lanes[j] = x[c + j] > lanes[j] ? x[c + j] : lanes[j];
  }
  real best = -(real)INFINITY;
  for (; c < count; c++) best = x[c] > best ? x[c] : best;
  for (int j = 0; j < 4 * LANES; j++) best = lanes[j] > best ? lanes[j] : best;
  return best;
}

// Two rounds of multiply and shift over a 32-bit counter, each with its bf16 of the key.
INLINE uint32_t hash_element(uint64_t key, uint32_t index) {
  uint32_t h = index * 0x9e3779b1u + (uint32_t)key;
  h ^= h >> 16;
  h *= 0x85ebca6bu;
  h ^= h >> 13;
  h += (uint32_t)(key >> 32);
  h *= 0xc2b2ae35u;
  h ^= h >> 16;
  h *= 0x9e3779b1u;
  h ^= h >> 15;
  return h;
}

INLINE real masked(real x, dropout_mask mask, real scale, uint64_t index) {
  return hash_element(mask.key, (uint32_t)index) >= mask.threshold ? x * scale : (real)0;
}
