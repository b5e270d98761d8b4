// Packed operands. A group is what one 32-bit lane of a register holds along k: one float, or two neighbors in
// bfloat16, which one instruction multiplies and adds. (In double a group has 64 bits and holds one double or two
// bfloat16.)
#pragma once
#include "lanes.h"

#if REAL_IS_FLOAT
typedef uint32_t packed_group;
#else
typedef uint64_t packed_group;
#endif

// Groups in k numbers. If k is odd, the last group of bfloat16 is half empty.
INLINE long group_count(long k, const bool bf16) { return bf16 ? (k + 1) / 2 : k; }

#if REAL_IS_FLOAT && HAS_AVX512
// Transposes 16 x 16 groups: row j of `in` becomes column j of `out`, whose rows are `out_stride` groups apart.
INLINE void transpose_groups(const __m512i in[16], packed_group *out, long out_stride) {
  __m512i t[16], u[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(in[i], in[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(in[i], in[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    for (int j = 0; j < 2; j++) {
      u[i + 2 * j] = _mm512_unpacklo_epi64(t[i + j], t[i + j + 2]);
      u[i + 2 * j + 1] = _mm512_unpackhi_epi64(t[i + j], t[i + j + 2]);
    }
  }
  // u[4 g + q] now holds in its quarter l the groups 4 l + q of the rows 4 g to 4 g + 3.
  for (int q = 0; q < 4; q++) {
    __m512i low = _mm512_shuffle_i32x4(u[q], u[4 + q], 0x44), high = _mm512_shuffle_i32x4(u[q], u[4 + q], 0xee);
    __m512i low2 = _mm512_shuffle_i32x4(u[8 + q], u[12 + q], 0x44),
            high2 = _mm512_shuffle_i32x4(u[8 + q], u[12 + q], 0xee);
    _mm512_storeu_si512(out + (0 + q) * out_stride, _mm512_shuffle_i32x4(low, low2, 0x88));
    _mm512_storeu_si512(out + (4 + q) * out_stride, _mm512_shuffle_i32x4(low, low2, 0xdd));
    _mm512_storeu_si512(out + (8 + q) * out_stride, _mm512_shuffle_i32x4(high, high2, 0x88));
    _mm512_storeu_si512(out + (12 + q) * out_stride, _mm512_shuffle_i32x4(high, high2, 0xdd));
  }
}

// Loads the groups p to p + 15 of up to 16 rows of a matrix whose rows have k numbers. Missing groups and rows are
// zeros.
INLINE void load_groups(__m512i rows[16], long count, const void *x, long stride, long p, long k, const bool bf16) {
  const long size = bf16 ? 2 : 4, bytes = k * size - 4 * p < 64 ? k * size - 4 * p : 64;
  const __mmask64 mask = bytes == 64 ? ~(__mmask64)0 : ((__mmask64)1 << bytes) - 1;
  for (long j = 0; j < 16; j++) {
    rows[j] =
        j < count ? _mm512_maskz_loadu_epi8(mask, (const char *)x + j * stride * size + 4 * p) : _mm512_setzero_si512();
  }
}
#endif

// Packs the groups first..<last of the m rows of A transposed: for each group of k, one lane per row of A, with zeros
// in the lanes m..<width. Each number of a row of A then has a lane of its own, and meets one broadcast number of B.
INLINE void pack_transposed(long m, long width, long k, long first, long last, const void *a, long lda,
                            packed_group *out, const bool bf16) {
  const long whole = bf16 ? k / 2 : k;
#if REAL_IS_FLOAT && HAS_AVX512
  for (; first + 16 <= last; first += 16) {
    for (long i = 0; i < width; i += 16) {
      __m512i rows[16];
      load_groups(rows, m - i, operand_at(a, i * lda, bf16), lda, first, k, bf16);
      transpose_groups(rows, out + first * width + i, width);
    }
  }
#endif
  for (long block = first; block < last; block += 64) {
    long end = block + 64 < last ? block + 64 : last;
    for (long i = 0; i < width; i++) {
      for (long p = block; p < end; p++) {
        packed_group group = 0;
        if (i < m)
          memcpy(&group, operand_at(a, i * lda + (bf16 ? 2 * p : p), bf16), bf16 ? p < whole ? 4 : 2 : sizeof(real));
        out[p * width + i] = group;
      }
    }
  }
}

// sum += a * b, for a register of groups and one broadcast group; in bfloat16 two products per lane. Unless `is_whole`,
// the group at b is half empty and only its first number is read.
INLINE void multiply_add(lanes *sum, const packed_group *a, const void *b, const bool bf16, const bool is_whole) {
  FUSED
  if (!bf16) {
    lanes left;
    memcpy(&left, a, sizeof left);
    *sum += left * *(const real *)b;
    return;
  }
  uint32_t pair = 0;
  memcpy(&pair, b, is_whole ? 4 : 2);
#if REAL_IS_FLOAT && HAS_BF16_DOT
  *sum = (lanes)_mm512_dpbf16_ps((__m512)*sum, (__m512bh)_mm512_loadu_si512(a), (__m512bh)_mm512_set1_epi32((int)pair));
#else
  real low = from_bf16((uint16_t)pair), high = from_bf16((uint16_t)(pair >> 16));
  lanes left, right;
  for (int lane = 0; lane < LANES; lane++) {
    left[lane] = from_bf16((uint16_t)a[lane]);
    right[lane] = from_bf16((uint16_t)(a[lane] >> 16));
  }
  *sum += left * low;
  *sum += right * high;
#endif
}
