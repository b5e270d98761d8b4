// A register of numbers: 16 floats or 8 doubles, whatever width the processor has; narrower processors use several.
#pragma once
#include "operands.h"

typedef real lanes __attribute__((vector_size(64)));

// Vectors are passed only to functions that are inlined, so their calling convention does not matter.
#pragma clang diagnostic ignored "-Wpsabi"

INLINE lanes load_reals(const real *x) {
  lanes v;
  memcpy(&v, x, sizeof v);
  return v;
}

INLINE void store_reals(lanes v, void *out) { memcpy(out, &v, sizeof v); }

// LANES numbers of an operand from x[i] on.
INLINE void load_lanes(lanes *v, const void *x, long i, const bool bf16) {
  if (!bf16) {
    memcpy(v, (const real *)x + i, sizeof *v);
    return;
  }
#if REAL_IS_FLOAT
  typedef uint16_t narrow_lanes __attribute__((vector_size(32)));
  typedef uint32_t wide_lanes __attribute__((vector_size(64)));
  narrow_lanes narrow;
  memcpy(&narrow, (const uint16_t *)x + i, sizeof narrow);
  wide_lanes wide = __builtin_convertvector(narrow, wide_lanes) << 16;
  memcpy(v, &wide, sizeof wide);
#else
  for (int lane = 0; lane < LANES; lane++) (*v)[lane] = load_operand(x, i + lane, bf16);
#endif
}

// The bits of a register, one integer per lane: comparisons give -1 where they hold and 0 elsewhere.
#if REAL_IS_FLOAT
typedef int32_t lane_bits __attribute__((vector_size(64)));
#else
typedef int64_t lane_bits __attribute__((vector_size(64)));
#endif

// In each lane x where `condition` is all ones, y where it is 0.
INLINE lanes choose(lane_bits condition, lanes x, lanes y) {
  return (lanes)((condition & (lane_bits)x) | (~condition & (lane_bits)y));
}

// 2^x for x <= 0, to 2 units in the last place; 0 below 2^-126.
INLINE lanes lane_powers(lanes x) {
#if REAL_IS_FLOAT
  FUSED
  x = choose(x < -127.0f, (lanes){0} - 127.0f, x);
  // Adding 1.5 * 2^23 + 127 rounds to an integer and leaves the biased exponent of the result in the low bits.
  lanes shifted = x + 12583039.0f;
  lanes r = x - (shifted - 12583039.0f);
  lanes p = (lanes){0} + 1.32647459e-3f;
  p = p * r + 9.67151299e-3f;
  p = p * r + 5.55073358e-2f;
  p = p * r + 2.40222424e-1f;
  p = p * r + 6.93147004e-1f;
  p = p * r + 1.0f;
  return p * (lanes)((lane_bits)shifted << 23);
#else
  for (int i = 0; i < LANES; i++) x[i] = exp2(x[i]);
  return x;
#endif
}
