// Attention over cached keys and values (the KV cache of generation): of one new token with this file's kernels, which
// read each key and value once and in order; of several new tokens as softmax between two matmuls.
#pragma once
#include "CModelKernels.h"
#include "lanes.h"

// Loads 2 * LANES numbers from x[i] on. Those of bfloat16 are deinterleaved, first the even ones and then the odd ones,
// because that takes one shift and one mask.
INLINE void load_deinterleaved(lanes v[2], const void *x, long i, const bool bf16) {
  if (!bf16) {
    memcpy(v, (const real *)x + i, 2 * sizeof *v);
    return;
  }
#if REAL_IS_FLOAT
  typedef uint32_t wide_lanes __attribute__((vector_size(64)));
  wide_lanes pairs, even, odd;
  memcpy(&pairs, (const uint16_t *)x + i, sizeof pairs);
  even = pairs << 16, odd = pairs & 0xffff0000u;
  memcpy(&v[0], &even, sizeof even);
  memcpy(&v[1], &odd, sizeof odd);
#else
  for (int lane = 0; lane < 2 * LANES; lane++) v[lane % 2][lane / 2] = load_operand(x, i + lane, bf16);
#endif
}

// Deinterleaves reals in the same way, ...
INLINE void deinterleave(long width, const real *x, real *out) {
  long i = 0;
  for (; i + 2 * LANES <= width; i += 2 * LANES) {
    for (int lane = 0; lane < LANES; lane++) {
      out[i + lane] = x[i + 2 * lane], out[i + LANES + lane] = x[i + 2 * lane + 1];
    }
  }
  for (; i < width; i++) out[i] = x[i];
}

// ... and back.
INLINE void interleave(long width, const real *x, real *out) {
  long i = 0;
  for (; i + 2 * LANES <= width; i += 2 * LANES) {
    for (int lane = 0; lane < LANES; lane++) {
      out[i + 2 * lane] = x[i + lane], out[i + 2 * lane + 1] = x[i + LANES + lane];
    }
  }
  for (; i < width; i++) out[i] = x[i];
}

// The dot product of a query and a key, as LANES partial sums.
INLINE lanes query_times_key(long width, const real *query, const void *key, const bool bf16) {
  FUSED
  lanes sum = {0}, q[2], k[2];
  long i = 0;
  for (; i + 2 * LANES <= width; i += 2 * LANES) {
    load_deinterleaved(q, query, i, false);
    load_deinterleaved(k, key, i, bf16);
    sum += q[0] * k[0];
    sum += q[1] * k[1];
  }
  for (; i < width; i++) sum[0] += query[i] * load_operand(key, i, bf16);
  return sum;
}

// Lane i of the result is the sum of the lanes of x[i].
INLINE lanes sums_of_lanes(const lanes x[LANES]) {
#if REAL_IS_FLOAT && HAS_AVX512
  // Each step adds the two halves of pairs of registers and leaves half as many registers.
  __m512 pairs[8], fours[4], eights[2];
  for (int i = 0; i < 8; i++) {
    __m512 a = (__m512)x[2 * i], b = (__m512)x[2 * i + 1];
    pairs[i] = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
  }
  for (int i = 0; i < 4; i++) {
    __m512d a = (__m512d)pairs[2 * i], b = (__m512d)pairs[2 * i + 1];
    fours[i] = _mm512_add_ps((__m512)_mm512_unpacklo_pd(a, b), (__m512)_mm512_unpackhi_pd(a, b));
  }
  for (int i = 0; i < 2; i++) {
    __m512 a = fours[2 * i], b = fours[2 * i + 1];
    eights[i] = _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
  }
  return (lanes)_mm512_add_ps(_mm512_shuffle_f32x4(eights[0], eights[1], 0x88),
                              _mm512_shuffle_f32x4(eights[0], eights[1], 0xdd));
#else
  lanes sums;
  for (int i = 0; i < LANES; i++) {
    lanes sum = x[i];
    for (int step = LANES / 2; step > 0; step /= 2) {
      for (int lane = 0; lane < step; lane++) sum[lane] += sum[lane + step];
    }
    sums[i] = sum[0];
  }
  return sums;
#endif
}

// out += weight * value
INLINE void add_value(long width, real weight, const void *value, real *out, const bool bf16) {
  FUSED
  long i = 0;
  for (; i + 2 * LANES <= width; i += 2 * LANES) {
    lanes sums[2], v[2];
    memcpy(sums, out + i, sizeof sums);
    load_deinterleaved(v, value, i, bf16);
    sums[0] += weight * v[0];
    sums[1] += weight * v[1];
    memcpy(out + i, sums, sizeof sums);
  }
  for (; i < width; i++) out[i] += weight * load_operand(value, i, bf16);
}

// Replaces scores by the unnormalized weights of the values, exp(scale * (score - the largest)), and returns their sum.
// `count` is a multiple of LANES.
INLINE real softmax_weights(long count, real scale, real *scores) {
  FUSED
  const real top = row_max(count, scores);
  lanes sum = {0}, e;
  for (long s = 0; s < count; s += LANES) {
    EACH_ITSELF
    for (int lane = 0; lane < LANES; lane++) scores[s + lane] = real_exp((scores[s + lane] - top) * scale);
    memcpy(&e, scores + s, sizeof e);
    sum += e;
  }
  real total = 0;
  for (int lane = 0; lane < LANES; lane++) total += sum[lane];
  return total;
}

// Prefetches some numbers of row `row` of `count` rows; rows from `count` on are those of `next`, which are read
// afterwards.
INLINE void prefetch_row(const void *rows, const void *next, long count, long row, long stride, long first, long width,
                         const bool bf16) {
  const bool is_next = row >= count;
  const void *from = operand_at(is_next ? next : rows, (is_next ? row - count : row) * stride, bf16);
  const char *x = operand_at(from, first, bf16), *end = operand_at(x, width, bf16);
  for (; x < end; x += 64) __builtin_prefetch(x);
}

// The scores of a head fill whole registers.
INLINE long padded_scores(long seen) { return (seen + LANES - 1) / LANES * LANES; }

KERNEL long kv_attention_scratch(long seen, long heads, long width) {
  return heads * (LANES * LANES + padded_scores(seen) + 1 + width);
}

// Reads rows in the order of memory, for all heads, and prefetches 8 KiB ahead: other orders and distances read more
// slowly.
INLINE void kv_attention_in(long seen, long heads, long width, real scale, const real *queries, const void *keys,
                            const void *values, const void *next, long stride, lanes *sums_of_heads, real *out,
                            const bool bf16) {
  const long row_bytes = heads * width * (long)(bf16 ? sizeof(uint16_t) : sizeof(real));
  const long ahead = (8 << 10) / row_bytes + 1, padded = padded_scores(seen);
  real *scores = (real *)(sums_of_heads + heads * LANES), *totals = scores + heads * padded;
  real *mixed = bf16 ? totals + heads : out;
  if (bf16) {
    for (long h = 0; h < heads; h++) deinterleave(width, queries + h * width, mixed + h * width);
    queries = mixed;
  }
  for (long first = 0; first < seen; first += LANES) {
    const long count = seen - first < LANES ? seen - first : LANES;
    for (long s = first; s < first + count; s++) {
      for (long h = 0; h < heads; h++) {
        prefetch_row(keys, values, seen, s + ahead, stride, h * width, width, bf16);
        sums_of_heads[h * LANES + s - first] =
            query_times_key(width, queries + h * width, operand_at(keys, s * stride + h * width, bf16), bf16);
      }
    }
    for (long h = 0; h < heads; h++) {
      lanes sums = sums_of_lanes(sums_of_heads + h * LANES);
      for (long lane = count; lane < LANES; lane++) sums[lane] = -(real)INFINITY;
      memcpy(scores + h * padded + first, &sums, sizeof sums);
    }
  }
  for (long h = 0; h < heads; h++) totals[h] = softmax_weights(padded, scale, scores + h * padded);
  for (long i = 0; i < heads * width; i++) mixed[i] = 0;
  for (long s = 0; s < seen; s++) {
    for (long h = 0; h < heads; h++) {
      prefetch_row(values, next, seen, s + ahead, stride, h * width, width, bf16);
      const void *value = operand_at(values, s * stride + h * width, bf16);
      add_value(width, scores[h * padded + s], value, mixed + h * width, bf16);
    }
  }
  for (long h = 0; h < heads; h++) {
    if (bf16) interleave(width, mixed + h * width, out + h * width);
    for (long i = 0; i < width; i++) out[h * width + i] /= totals[h];
  }
}

KERNEL void kv_attention(long seen, long heads, long width, double scale, const void *queries, const void *keys,
                         const void *values, const void *next, long stride, void *scratch, void *out, bool bf16) {
  BY_FORM(bf16, kv_attention_in, seen, heads, width, (real)scale, queries, keys, values, next, stride, scratch, out);
}

// --- several new tokens

KERNEL void causal_softmax(long rows, long first_row, long columns, double scale, void *pscores, long stride) {
  VECTOR_SUMS
  real *scores = pscores;
  const real factor = (real)scale;
  for (long r = 0; r < rows; r++, scores += stride) {
    long count = first_row + r + 1;
    real top = row_max(count, scores) * factor, sum = 0;
    for (long c = 0; c < count; c++) {
      real e = real_exp(scores[c] * factor - top);
      scores[c] = e;
      sum += e;
    }
    real share = 1 / sum;
    for (long c = 0; c < count; c++) scores[c] *= share;
    for (long c = count; c < columns; c++) scores[c] = 0;
  }
}
