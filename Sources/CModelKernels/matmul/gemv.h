// GEMV: one row times the transpose of a matrix, which is read once and not packed.
#pragma once
#include "lanes.h"

// The dot product of one row of A and one of B, in four sums. B comes from memory and is read once, so it is
// prefetched.
INLINE real dot_product(long k, const void *a, const void *b, const bool bf16) {
  FUSED
  enum { SUMS = 4, AHEAD = 4096 };
  lanes sums[SUMS] = {{0}};
  long p = 0;
  for (; p + SUMS * LANES <= k; p += SUMS * LANES) {
#pragma clang loop unroll(full)
    for (int j = 0; j < SUMS; j++) {
      lanes left, right;
      load_lanes(&left, a, p + j * LANES, bf16);
      load_lanes(&right, b, p + j * LANES, bf16);
      if (!bf16 || j % 2 == 0) __builtin_prefetch((const char *)operand_at(b, p + j * LANES, bf16) + AHEAD);
      sums[j] += left * right;
    }
  }
  for (; p + LANES <= k; p += LANES) {
    lanes left, right;
    load_lanes(&left, a, p, bf16);
    load_lanes(&right, b, p, bf16);
    sums[0] += left * right;
  }
  lanes sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  for (int step = LANES / 2; step > 0; step /= 2) {
    for (int lane = 0; lane < step; lane++) sum[lane] += sum[lane + step];
  }
  real total = sum[0];
  for (; p < k; p++) total += load_operand(a, p, bf16) * load_operand(b, p, bf16);
  return total;
}

// c = a * B^T for a row vector a.
INLINE void gemv_in(long n, long k, const void *a, const void *b, long ldb, real *c, const bool bf16) {
  for (long column = 0; column < n; column++) c[column] = dot_product(k, a, operand_at(b, column * ldb, bf16), bf16);
}

KERNEL void gemv(long n, long k, const void *a, const void *b, long ldb, void *c, bool bf16) {
  BY_FORM(bf16, gemv_in, n, k, a, b, ldb, c);
}
