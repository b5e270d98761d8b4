// GEMM with a transposed left operand, C += alpha * A^T * B, as for weight gradients, with AVX-512 or tiles. B is
// packed as in gemm_panels.h. Each thread packs its columns of A, some rows at a time, in blocks of GEMM_A_ROWS columns
// that are adjacent for each group of k, and sums the columns in the same pass (the bias gradient).
#pragma once
#include "CModelKernels.h"
#include "matmul/gemm_panels.h"

#if REAL_IS_FLOAT && (HAS_AVX512 || HAS_TILES)

enum {
  // Groups of k that are packed at a time.
  GEMM_TN_DEPTH_GROUPS = 384,
  // Groups of one packed block of columns; two more than it holds, because 8 are written where 6 are used.
  GEMM_TN_BLOCK_GROUPS = GEMM_TN_DEPTH_GROUPS * GEMM_A_ROWS + 2,
  // Blocks of columns in one call.
  GEMM_TN_BLOCKS = PKM_GEMM_TN_COLUMNS / GEMM_A_ROWS,
  // Groups that are packed for all columns before the next ones: so many rows fit one cache set, though they are a
  // power of two apart.
  GEMM_TN_GROUPS_AT_ONCE = 8
};
_Static_assert(GEMM_TN_BLOCK_GROUPS *GEMM_TN_BLOCKS == PKM_GEMM_TN_BUFFER_GROUPS, "callers allocate what gemm_tn uses");

// The sums of GEMM_A_ROWS columns.
#if HAS_AVX512
typedef __m256 column_totals;
#else
typedef real column_totals[GEMM_A_ROWS];
#endif

// Packs `count` groups of each of the m columns of A, and adds the numbers of each column to `totals`.
INLINE void pack_column_groups(const long count, long m, const void *a, long lda, packed_group *out,
                               column_totals *totals, const bool bf16) {
  const long group = bf16 ? 2 : 1;
  for (long i = 0; i < m; i += GEMM_A_ROWS, out += GEMM_TN_BLOCK_GROUPS, totals++) {
    const long width = m - i < GEMM_A_ROWS ? m - i : GEMM_A_ROWS;
#if !HAS_AVX512
    for (long p = 0; p < count; p++) {
      for (long j = 0; j < GEMM_A_ROWS; j++) {
        packed_group packed = 0;
        for (long r = 0; r < group && j < width; r++) {
          const void *x = operand_at(a, (group * p + r) * lda + i + j, bf16);
          (*totals)[j] += load_operand(x, 0, bf16);
          packed_group number = 0;
          memcpy(&number, x, bf16 ? 2 : 4);
          packed |= number << 16 * r;
        }
        out[p * GEMM_A_ROWS + j] = packed;
      }
    }
#else
    const __mmask8 wanted = (__mmask8)((1u << width) - 1);
    for (long r = 0; r < group * count; r++) {
      // The processor does not prefetch rows that are far apart.
      __builtin_prefetch(operand_at(a, (r + 2 * GEMM_TN_GROUPS_AT_ONCE) * lda + i, bf16));
    }
    __m256 total = *totals;
#pragma clang loop unroll(full)
    for (long p = 0; p < count; p++) {
      __m256i packed;
      if (bf16) {
        const uint16_t *x = (const uint16_t *)a + 2 * p * lda + i;
        packed = _mm256_cvtepu16_epi32(_mm_maskz_loadu_epi16(wanted, x));
        __m256i next = _mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_maskz_loadu_epi16(wanted, x + lda)), 16);
        total = _mm256_add_ps(total, (__m256)_mm256_slli_epi32(packed, 16));
        total = _mm256_add_ps(total, (__m256)next);
        packed = _mm256_or_si256(packed, next);
      } else {
        packed = _mm256_maskz_loadu_epi32(wanted, (const uint32_t *)a + p * lda + i);
        total = _mm256_add_ps(total, (__m256)packed);
      }
      _mm256_storeu_si256((__m256i *)(out + p * GEMM_A_ROWS), packed);
    }
    *totals = total;
#endif
  }
}

// Packs m columns of A and adds factor * their sums to `sums`, in the same order, and so to the same bits, as
// column_sum.
INLINE void pack_columns(long groups, long m, const void *a, long lda, packed_group *out, real factor, real *sums,
                         const bool bf16) {
  const long group = bf16 ? 2 : 1, block = 64 / group;
  for (long first = 0; first < groups; first += block) {
    const long last = first + block < groups ? first + block : groups;
    column_totals totals[GEMM_TN_BLOCKS] = {{0}};
    long p = first;
    for (; p + GEMM_TN_GROUPS_AT_ONCE <= last; p += GEMM_TN_GROUPS_AT_ONCE) {
      pack_column_groups(GEMM_TN_GROUPS_AT_ONCE, m, operand_at(a, group * p * lda, bf16), lda, out + p * GEMM_A_ROWS,
                         totals, bf16);
    }
    for (; p < last; p++)
      pack_column_groups(1, m, operand_at(a, group * p * lda, bf16), lda, out + p * GEMM_A_ROWS, totals, bf16);
    for (long i = 0; i < m && sums; i++) sums[i] += factor * totals[i / GEMM_A_ROWS][i % GEMM_A_ROWS];
  }
}

INLINE void gemm_tn_in(long m, long n, long k, real alpha, const void *a, long lda, const packed_group *b, bool adds,
                       real *c, long ldc, real *sums, packed_group *buffer, const bool bf16) {
  const long groups = group_count(k, bf16), group = bf16 ? 2 : 1, ahead = groups_ahead(m);
  for (long first = 0; first < groups; first += GEMM_TN_DEPTH_GROUPS) {
    const long depth = groups - first < GEMM_TN_DEPTH_GROUPS ? groups - first : GEMM_TN_DEPTH_GROUPS;
    pack_columns(depth, m, operand_at(a, group * first * lda, bf16), lda, buffer, alpha, sums, bf16);
    for (long column = 0; column < n; column += PKM_PANEL_COLUMNS) {
      const packed_group *panel = b + column * groups + first * PKM_PANEL_COLUMNS;
      const long width = n - column < PKM_PANEL_COLUMNS ? n - column : PKM_PANEL_COLUMNS;
      for (long row = 0; row < m; row += GEMM_A_ROWS) {
        const long rows = m - row < GEMM_A_ROWS ? m - row : GEMM_A_ROWS;
        const packed_group *left[GEMM_A_ROWS];
        for (int i = 0; i < GEMM_A_ROWS; i++) left[i] = buffer + row / GEMM_A_ROWS * GEMM_TN_BLOCK_GROUPS + i;
        const packed_group *next = next_panel(panel, groups, depth, row, ahead);
        panel_block(depth, alpha, left, GEMM_A_ROWS, panel, next, ahead, adds || first > 0, c + row * ldc + column, ldc,
                    rows, width, bf16);
      }
    }
  }
}

#if HAS_TILES
// Groups of a packed tile, which has a row of groups of k for each column of A.
enum { TN_TILE_GROUPS = TILE_SIDE * TILE_SIDE };
_Static_assert(GEMM_TN_DEPTH_GROUPS % (2 * TILE_SIDE) == 0 && PKM_GEMM_TN_COLUMNS % TILE_SIDE == 0 &&
                   GEMM_TN_DEPTH_GROUPS *PKM_GEMM_TN_COLUMNS <= PKM_GEMM_TN_BUFFER_GROUPS,
               "whole tiles fit the buffer");

// Packs `groups` groups of m columns of A as tiles, and adds factor * the sums of the columns to `sums`, to the same
// bits as column_sum.
INLINE void pack_column_tiles(long groups, long m, const uint16_t *a, long lda, packed_group *out, real factor,
                              real *sums) {
  const long tiles = (groups + TILE_SIDE - 1) / TILE_SIDE;
  for (long first = 0; first < tiles; first += 2) {
    real totals[PKM_GEMM_TN_COLUMNS] = {0};
    for (long t = first; t < first + 2 && t < tiles; t++) {
      for (long i = 0; i < m; i += TILE_SIDE) {
        const long width = m - i < TILE_SIDE ? m - i : TILE_SIDE;
        packed_group block[TILE_SIDE][TILE_SIDE];
        for (long p = 0; p < TILE_SIDE; p++) {
          const long group = t * TILE_SIDE + p;
          const uint16_t *x = a + 2 * group * lda + i;
          if (group >= groups) {
            memset(block[p], 0, sizeof block[p]);
            continue;
          }
          // The processor does not prefetch rows that are far apart.
          __builtin_prefetch(x + 2 * TILE_SIDE * lda);
          __builtin_prefetch(x + (2 * TILE_SIDE + 1) * lda);
          if (width == TILE_SIDE) {
            for (long j = 0; j < TILE_SIDE; j++) block[p][j] = x[j] | (packed_group)x[lda + j] << 16;
          } else {
            for (long j = 0; j < TILE_SIDE; j++) block[p][j] = j < width ? x[j] | (packed_group)x[lda + j] << 16 : 0;
          }
          for (long j = 0; j < TILE_SIDE; j++) {
            totals[i + j] += from_bf16((uint16_t)block[p][j]);
            totals[i + j] += from_bf16((uint16_t)(block[p][j] >> 16));
          }
        }
        transpose_tile(block[0], TILE_SIDE, out + (i / TILE_SIDE * tiles + t) * TN_TILE_GROUPS, TILE_SIDE);
      }
    }
    for (long i = 0; i < m && sums; i++) sums[i] += factor * totals[i];
  }
}

INLINE void gemm_tn_tiles(long m, long n, long k, real alpha, const uint16_t *a, long lda, const packed_group *b,
                          bool adds, real *c, long ldc, real *sums, packed_group *buffer) {
  const long groups = group_count(k, true), lines = panel_lines(m);
  configure_tiles();
  for (long first = 0; first < groups; first += GEMM_TN_DEPTH_GROUPS) {
    const long depth = groups - first < GEMM_TN_DEPTH_GROUPS ? groups - first : GEMM_TN_DEPTH_GROUPS;
    const long tiles = (depth + TILE_SIDE - 1) / TILE_SIDE;
    pack_column_tiles(depth, m, a + 2 * first * lda, lda, buffer, alpha, sums);
    for (long column = 0; column < n; column += PKM_PANEL_COLUMNS) {
      const packed_group *panel = b + column * groups + first * PKM_PANEL_COLUMNS;
      const char *next = (const char *)(panel + groups * PKM_PANEL_COLUMNS);
      const long width = n - column < PKM_PANEL_COLUMNS ? n - column : PKM_PANEL_COLUMNS;
      for (long row = 0; row < m; row += 2 * TILE_SIDE) {
        tile_row left[2];
        for (int t = 0; t < 2; t++) {
          const long exist = m - row - t * TILE_SIDE;
          const packed_group *from = buffer + (row / TILE_SIDE + t) * tiles * TN_TILE_GROUPS;
          left[t] = (tile_row){(const char *)from, TILE_ROW_BYTES, TN_TILE_GROUPS * 4,
                               exist < 0 ? 0 : exist < TILE_SIDE ? exist : TILE_SIDE};
        }
        tile_panel_block(4 * depth, alpha, left, panel, next + row / (2 * TILE_SIDE) * depth * lines * 8, lines,
                         adds || first > 0, c + row * ldc + column, ldc, width);
      }
    }
  }
  release_tiles();
}
#endif

KERNEL void gemm_tn(long m, long n, long k, double alpha, const void *a, long lda, const void *packed, bool adds,
                    void *c, long ldc, void *sums, void *buffer, bool bf16) {
#if HAS_TILES
  if (bf16) return gemm_tn_tiles(m, n, k, (real)alpha, a, lda, packed, adds, c, ldc, sums, buffer);
#endif
  BY_FORM(bf16, gemm_tn_in, m, n, k, (real)alpha, a, lda, packed, adds, c, ldc, sums, buffer);
}
#endif
