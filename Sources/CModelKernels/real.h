// The number type of the kernels, `real`, its elementary functions, and the attributes that kernels carry.
//
// Every kernel header is compiled once per variant (variants/*.c): the variant defines REAL_IS_FLOAT as 1 or 0,
// includes variants/target_*.h, which defines HAS_AVX512, HAS_BF16_DOT, HAS_BYTE_DOT and HAS_TILES as far as they hold,
// and then includes kernel_table.h. A header that is read by itself is the float variant for any processor.
#pragma once
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef REAL_IS_FLOAT
#define REAL_IS_FLOAT 1
#endif

#define KERNEL static
#define INLINE static inline __attribute__((always_inline))
// At the head of a kernel: its sums may be reordered (the compiler vectorizes them), in an order that is fixed by the
// build.
#define VECTOR_SUMS _Pragma("clang fp reassociate(on) contract(fast)")
// At the head of a kernel: a multiplication and an addition may become one fused instruction; sums keep their order.
#define FUSED _Pragma("clang fp contract(fast)")
// Before a loop whose output may overwrite its input at the same index, and nothing else.
#if REAL_IS_FLOAT
#define EACH_ITSELF _Pragma("clang loop vectorize(assume_safety)")
#else
#define EACH_ITSELF  // exp and erfc of double are calls, which do not vectorize
#endif

#if REAL_IS_FLOAT
typedef float real;
#define REAL_MAX FLT_MAX

// exp to about 1 unit in the last place: 2^n times the Taylor polynomial of the remainder r, |r| <= ln 2 / 2. The
// argument is clamped to -87...88, so that results are neither subnormal nor infinite.
INLINE real real_exp(real x) {
  FUSED
  x = x > 88.0f ? 88.0f : x;
  x = x < -87.0f ? -87.0f : x;
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits of the mantissa.
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

// Phi(-|x|), the lower tail of the normal distribution: exp(-x^2 / 2) / 2 times exp(t^2) erfc(t) at t = |x| / sqrt 2.
// The second factor is s P(s) with s = 1 / (1 + t / 2); P is a least-squares fit on 0...9.5 with a relative error of
// 5e-8. Also stores exp(-x^2 / 2) in `density`.
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

// Numbers in one 64-byte register.
enum { LANES = 64 / sizeof(real) };

// The largest number of a row; NaN is ignored, and the result is -infinity if there is no number.
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
