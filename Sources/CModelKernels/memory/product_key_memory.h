// The product-key memory (Lample et al., 2019): the weighted sum of values, and backward through it and through the
// choice of slots.
#pragma once
#include "operands.h"

// Prefetches the next rows of values: the starts of rows of reals, which the processor then continues by itself; whole
// rows of bfloat16, 64 columns at a time, because those are short.
INLINE void weighted_sum_in(long rows, long reads, long columns, const int32_t *slots, const real *weights,
                            const void *values, real *y, const bool bf16) {
  FUSED
  const long span = bf16 ? 64 : columns, prefetched = bf16 ? 128 : 256;
  for (long row = 0; row < rows; row++, slots += reads, weights += reads, y += columns) {
    for (long c = 0; c < columns; c++) y[c] = 0;
    long m = 0;
    for (; m + 4 <= reads; m += 4) {
      const void *v[4], *next[4];
      for (int j = 0; j < 4; j++) {
        const long ahead = m + 4 + j < reads || row + 1 < rows ? m + 4 + j : m + j;
        v[j] = operand_at(values, slots[m + j] * columns, bf16);
        next[j] = operand_at(values, slots[ahead] * columns, bf16);
      }
      const real w0 = weights[m], w1 = weights[m + 1], w2 = weights[m + 2], w3 = weights[m + 3];
      for (long first = 0; first < columns; first += span) {
        const long end = first + span < columns ? first + span : columns;
        for (int j = 0; j < 4; j++) {
          const char *line = operand_at(next[j], first, bf16);
          for (long at = 0; at < prefetched; at += 64) __builtin_prefetch(line + at);
        }
        for (long c = first; c < end; c++) {
          y[c] += (w0 * load_operand(v[0], c, bf16) + w1 * load_operand(v[1], c, bf16)) +
                  (w2 * load_operand(v[2], c, bf16) + w3 * load_operand(v[3], c, bf16));
        }
      }
    }
    for (; m < reads; m++) {
      const void *v = operand_at(values, slots[m] * columns, bf16);
      for (long c = 0; c < columns; c++) y[c] += weights[m] * load_operand(v, c, bf16);
    }
  }
}

KERNEL void weighted_sum(long rows, long reads, long columns, const int32_t *slots, const void *weights,
                         const void *values, void *y, bool bf16) {
  BY_FORM(bf16, weighted_sum_in, rows, reads, columns, slots, weights, values, y);
}

// Slot by slot, so that each value row is read from memory once.
INLINE void weighted_sum_backward_in(long count, long reads, long columns, const int32_t *slot_ids,
                                     const int32_t *starts, const int32_t *order, const void *values, const real *dy,
                                     real *d_weights, const bool bf16) {
  VECTOR_SUMS
  for (long s = 0; s < count; s++) {
    const void *value = operand_at(values, slot_ids[s] * columns, bf16);
    for (long at = starts[s]; at < starts[s + 1]; at++) {
      const real *d = dy + order[at] / reads * columns;
      real sum = 0;
      for (long c = 0; c < columns; c++) sum += d[c] * load_operand(value, c, bf16);
      d_weights[order[at]] = sum;
    }
  }
}

KERNEL void weighted_sum_backward(long count, long reads, long columns, const int32_t *slot_ids, const int32_t *starts,
                                  const int32_t *order, const void *values, const void *dy, void *d_weights,
                                  bool bf16) {
  BY_FORM(bf16, weighted_sum_backward_in, count, reads, columns, slot_ids, starts, order, values, dy, d_weights);
}

INLINE void product_key_top_k_backward_in(long rows, long n, long k, const int32_t *slots, const real *weights,
                                          const real *d_weights, long in_stride, void *d_scores, long stride,
                                          real *buffer, const bool bf16) {
  VECTOR_SUMS
  for (long row = 0; row < rows; row++) {
    real *d_first = bf16 ? buffer : d_scores, *d_second = d_first + n;
    for (long i = 0; i < 2 * n; i++) d_first[i] = 0;
    real mean = 0;
    for (long m = 0; m < k; m++) mean += weights[m] * d_weights[m];
    for (long m = 0; m < k; m++) {
      real d = weights[m] * (d_weights[m] - mean);
      int32_t i = slots[m] / (int32_t)n;
      d_first[i] += d;
      d_second[slots[m] - i * (int32_t)n] += d;
    }
    if (bf16) {
      for (long i = 0; i < 2 * n; i++) store_operand(d_scores, i, buffer[i], bf16);
    }
    slots += in_stride, weights += in_stride, d_weights += in_stride;
    d_scores = operand_at(d_scores, stride, bf16);
  }
}

KERNEL void product_key_top_k_backward(long rows, long n, long k, const int32_t *slots, const void *weights,
                                       const void *d_weights, long in_stride, void *d_scores, long stride, void *buffer,
                                       bool bf16) {
  BY_FORM(bf16, product_key_top_k_backward_in, rows, n, k, slots, weights, d_weights, in_stride, d_scores, stride,
          buffer);
}

KERNEL void accumulate_mass(long count, const int32_t *slots, const void *pweights, double *mass) {
  const real *weights = pweights;
  for (long i = 0; i < count; i++) mass[slots[i]] += (double)weights[i];
}
