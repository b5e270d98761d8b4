// GEMM of many rows with AVX-512 or tiles. B is packed once for all rows of A, in panels of PKM_PANEL_COLUMNS columns
// that are adjacent for each k; A is not packed. Each sum is taken in the order of k, whatever m and n are.
#pragma once
#include "CModelKernels.h"
#include "matmul/packed_groups.h"
#include "matmul/tile_block.h"

#if REAL_IS_FLOAT && (HAS_AVX512 || HAS_TILES)

enum {
  // Registers of a row of a panel.
  PANEL_REGISTERS = PKM_PANEL_COLUMNS / LANES,
  // Rows of A that meet a panel at a time: 6 x 4 registers of sums, of the 32 that there are.
  GEMM_A_ROWS = 6,
  // Groups of k at a time, so that the panel (192 KiB) and the rows stay in the caches of a core.
  GEMM_DEPTH_GROUPS = 768
};

#if HAS_BF16_DOT
// load_groups for rows of reals, which are rounded to groups of bfloat16.
INLINE void load_rounded_groups(__m512i rows[16], long count, const void *x, long stride, long p, long k) {
  const long low = k - 2 * p < LANES ? k - 2 * p : LANES, high = k - 2 * p < 2 * LANES ? k - 2 * p - low : LANES;
  const __mmask16 low_mask = (__mmask16)((1u << low) - 1), high_mask = (__mmask16)((1u << high) - 1);
  for (long j = 0; j < 16; j++) {
    const real *row = (const real *)x + j * stride + 2 * p;
    rows[j] = j < count ? (__m512i)_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(high_mask, row + LANES),
                                                       _mm512_maskz_loadu_ps(low_mask, row))
                        : _mm512_setzero_si512();
  }
}
#endif

// Group p of `width` columns of X, k x n: a row of X or, in bfloat16, the rows 2 p and 2 p + 1 interleaved. With
// `rounds`, X is reals that are rounded to bfloat16.
INLINE void interleave_columns(long width, const void *x, long stride, long p, packed_group *out, const bool rounds,
                               const bool bf16) {
#if HAS_AVX512
  for (long c = 0; c < width; c += LANES) {
    const long count = width - c < LANES ? width - c : LANES;
    const __mmask16 mask = (__mmask16)((1u << count) - 1);
    __m512i groups;
    if (rounds) {
#if HAS_BF16_DOT
      const real *row = (const real *)x + 2 * p * stride + c;
      __m256i first = (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, row));
      __m256i second = (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, row + stride));
      groups = _mm512_or_si512(_mm512_cvtepu16_epi32(first), _mm512_slli_epi32(_mm512_cvtepu16_epi32(second), 16));
#else
      __builtin_trap();
#endif
    } else if (bf16) {
      const uint16_t *row = (const uint16_t *)x + 2 * p * stride + c;
      __m512i next = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, row + stride));
      groups = _mm512_or_si512(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, row)), _mm512_slli_epi32(next, 16));
    } else {
      groups = _mm512_maskz_loadu_epi32(mask, (const uint32_t *)x + p * stride + c);
    }
    _mm512_storeu_si512(out + c, groups);
  }
#else
  for (long c = 0; c < width; c++) {
    if (rounds) {
      const real *row = (const real *)x + 2 * p * stride + c;
      out[c] = to_bf16(row[0]) | (packed_group)to_bf16(row[stride]) << 16;
    } else if (bf16) {
      const uint16_t *row = (const uint16_t *)x + 2 * p * stride + c;
      out[c] = row[0] | (packed_group)row[stride] << 16;
    } else {
      memcpy(out + c, (const real *)x + p * stride + c, sizeof *out);
    }
  }
#endif
}

// Packs the panels first..<last of the transpose of B, n x k: group by group of k, those of all columns of the panel.
INLINE void pack_panels_nt_in(long first, long last, long n, long k, const void *b, long ldb, packed_group *packed,
                              const bool rounds, const bool bf16) {
  const bool is_short = bf16 && !rounds;
  const long groups = group_count(k, bf16), group = bf16 ? 2 : 1;
  for (long panel = first; panel < last; panel++) {
    packed_group *out = packed + panel * groups * PKM_PANEL_COLUMNS;
    const long column = panel * PKM_PANEL_COLUMNS,
               width = n - column < PKM_PANEL_COLUMNS ? n - column : PKM_PANEL_COLUMNS;
#if HAS_AVX512
    for (long c = 0; c < PKM_PANEL_COLUMNS; c += 16) {
      for (long p = 0; p < groups; p += 16) {
        __m512i rows[16];
        const void *from = operand_at(b, (column + c) * ldb, is_short);
        // Prefetch, because the processor detects no pattern in so many rows.
        for (long j = 0; j < 16; j++) {
          const void *ahead = operand_at(from, j * ldb + group * (p + 2 * 16), is_short);
          __builtin_prefetch(ahead, 0, 2);
          if (rounds) __builtin_prefetch((const char *)ahead + 64, 0, 2);
        }
#if HAS_BF16_DOT
        if (rounds) load_rounded_groups(rows, width - c, from, ldb, p, k);
#endif
        if (!rounds) load_groups(rows, width - c, from, ldb, p, k, bf16);
        if (p + 16 <= groups) {
          transpose_groups(rows, out + p * PKM_PANEL_COLUMNS + c, PKM_PANEL_COLUMNS);
        } else {
          packed_group block[16 * 16];
          transpose_groups(rows, block, 16);
          for (long q = p; q < groups; q++) memcpy(out + q * PKM_PANEL_COLUMNS + c, block + (q - p) * 16, 64);
        }
      }
    }
#else
    for (long p = 0; p < groups; p++, out += PKM_PANEL_COLUMNS) {
      for (long c = 0; c < PKM_PANEL_COLUMNS; c++) {
        const void *from = operand_at(b, (column + c) * ldb + group * p, is_short);
        out[c] = 0;
        if (c >= width) continue;
        if (rounds) {
          const real *pair = from;
          out[c] = to_bf16(pair[0]) | (packed_group)to_bf16(pair[1]) << 16;
        } else {
          memcpy(out + c, from, sizeof *out);
        }
      }
    }
#endif
  }
}

// Packs the groups first..<last of all panels of B, k x n. Packs some groups of one panel before the next panel,
// because the panels map to the same cache sets; prefetches the rows ahead, because the processor detects no pattern in
// them.
INLINE void pack_panels_nn_in(long first, long last, long n, long k, const void *b, long ldb, packed_group *packed,
                              const bool rounds, const bool bf16) {
  enum { TOGETHER = 8, AHEAD = 16 };
  const bool is_short = bf16 && !rounds;
  const long groups = group_count(k, bf16), group = bf16 ? 2 : 1, line = is_short ? 2 * LANES : LANES;
  for (long block = first; block < last; block += TOGETHER) {
    const long end = block + TOGETHER < last ? block + TOGETHER : last;
    for (long column = 0; column < n; column += PKM_PANEL_COLUMNS) {
      const long width = n - column < PKM_PANEL_COLUMNS ? n - column : PKM_PANEL_COLUMNS;
      const void *from = operand_at(b, column, is_short);
      for (long p = block; p < end; p++) {
        packed_group *out = packed + column * groups + p * PKM_PANEL_COLUMNS;
        for (long r = group * (p + AHEAD); r < group * (p + AHEAD + 1); r++) {
          for (long c = 0; c < width; c += line) __builtin_prefetch(operand_at(from, r * ldb + c, is_short), 0, 2);
        }
        if (width < PKM_PANEL_COLUMNS) memset(out, 0, PKM_PANEL_COLUMNS * sizeof *out);
        interleave_columns(width, from, ldb, p, out, rounds, bf16);
      }
    }
  }
}

// c (+)= alpha * (GEMM_A_ROWS rows of A) * (a panel) over `groups` groups of k; stores `rows` rows and `width` columns.
// The groups of a row of A are `step` apart. Meanwhile prefetches, from `next`, `ahead` groups per group of the panel
// that will be multiplied afterwards.
INLINE void panel_block(long groups, real alpha, const packed_group *const a[GEMM_A_ROWS], const long step,
                        const packed_group *b, const packed_group *next, const long ahead, bool adds, real *c, long ldc,
                        long rows, long width, const bool bf16) {
  lanes sums[GEMM_A_ROWS][PANEL_REGISTERS];
#pragma clang loop unroll(full)
  for (int i = 0; i < GEMM_A_ROWS; i++) {
#pragma clang loop unroll(full)
    for (int v = 0; v < PANEL_REGISTERS; v++) sums[i][v] = (lanes){0};
  }
  for (long i = 0; i < rows; i++) {
    for (int v = 0; v < PANEL_REGISTERS; v++) __builtin_prefetch(c + i * ldc + v * LANES, 1);
  }
  for (long p = 0; p < groups; p++, b += PKM_PANEL_COLUMNS) {
    __builtin_prefetch(next + p * ahead, 0, 2);
#pragma clang loop unroll(full)
    for (int i = 0; i < GEMM_A_ROWS; i++) {
#pragma clang loop unroll(full)
      for (int v = 0; v < PANEL_REGISTERS; v++) multiply_add(&sums[i][v], b + v * LANES, a[i] + p * step, bf16, true);
    }
  }
  for (long i = 0; i < rows; i++, c += ldc) {
#if !HAS_AVX512
    for (long j = 0; j < width; j++) {
      const real sum = alpha * sums[i][j / LANES][j % LANES];
      c[j] = adds ? c[j] + sum : sum;
    }
    continue;
#else
    for (int v = 0; v * LANES < width; v++) {
      const long count = width - v * LANES;
      const __mmask16 mask = count >= LANES ? (__mmask16)0xffff : (__mmask16)((1u << count) - 1);
      __m512 sum = _mm512_mul_ps((__m512)sums[i][v], _mm512_set1_ps(alpha));
      if (adds) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, c + v * LANES));
      _mm512_mask_storeu_ps(c + v * LANES, mask, sum);
    }
#endif
  }
}

// The part of the next panel that the block of A from `row` on prefetches: after `depth` groups of a panel come those
// of the next one, and the blocks of rows share them, ...
INLINE const packed_group *next_panel(const packed_group *panel, long groups, long depth, long row, const long ahead) {
  return panel + groups * PKM_PANEL_COLUMNS + row / GEMM_A_ROWS * depth * ahead;
}

// ... `ahead` groups per group of its own, so that m rows prefetch all of them. A cache line holds 16 groups, and more
// than one line per group would be of no use.
INLINE long groups_ahead(long m) {
  const long blocks = (m + GEMM_A_ROWS - 1) / GEMM_A_ROWS, ahead = (PKM_PANEL_COLUMNS + blocks - 1) / blocks;
  return ahead < LANES ? ahead : LANES;
}

// Prefetches a part of an output tile for writing: its rows are too far apart for the processor to do so.
INLINE void prefetch_tile(pkm_output_tile tile, long row, long rows, long column, long width) {
  const char *from = (char *)tile.start + row * tile.row_bytes + column * tile.element_bytes;
  for (long i = 0; i < rows; i++, from += tile.row_bytes) {
    for (long c = 0; c < width * tile.element_bytes; c += 64) __builtin_prefetch(from + c, 1, 2);
  }
}

INLINE void gemm_panels_in(long m, long n, long k, real alpha, const void *a, long lda, const packed_group *b, real *c,
                           long ldc, pkm_output_tile tile, const bool bf16) {
  const long groups = group_count(k, bf16), ahead = groups_ahead(m);
  for (long first = 0; first < groups; first += GEMM_DEPTH_GROUPS) {
    const long depth = groups - first < GEMM_DEPTH_GROUPS ? groups - first : GEMM_DEPTH_GROUPS;
    for (long column = 0; column < n; column += PKM_PANEL_COLUMNS) {
      const packed_group *panel = b + column * groups + first * PKM_PANEL_COLUMNS;
      const long width = n - column < PKM_PANEL_COLUMNS ? n - column : PKM_PANEL_COLUMNS;
      for (long row = 0; row < m; row += GEMM_A_ROWS) {
        const long rows = m - row < GEMM_A_ROWS ? m - row : GEMM_A_ROWS;
        const packed_group *left[GEMM_A_ROWS];
        // The first row stands in for missing rows, whose sums are not stored.
        for (int i = 0; i < GEMM_A_ROWS; i++) {
          left[i] = (const packed_group *)operand_at(a, (row + (i < rows ? i : 0)) * lda, bf16) + first;
        }
        if (tile.start && first + depth == groups) prefetch_tile(tile, row, rows, column, width);
        const packed_group *next = next_panel(panel, groups, depth, row, ahead);
        panel_block(depth, alpha, left, 1, panel, next, ahead, first > 0, c + row * ldc + column, ldc, rows, width,
                    bf16);
      }
    }
  }
}

#if HAS_TILES
// The same in bfloat16 by tiles.
INLINE void gemm_panels_tiles(long m, long n, long k, real alpha, const void *a, long lda, const packed_group *b,
                              real *c, long ldc, pkm_output_tile tile) {
  const long groups = group_count(k, true), lines = panel_lines(m);
  configure_tiles();
  for (long first = 0; first < groups; first += GEMM_DEPTH_GROUPS) {
    const long depth = groups - first < GEMM_DEPTH_GROUPS ? groups - first : GEMM_DEPTH_GROUPS;
    for (long column = 0; column < n; column += PKM_PANEL_COLUMNS) {
      const packed_group *panel = b + column * groups + first * PKM_PANEL_COLUMNS;
      const char *next = (const char *)(panel + groups * PKM_PANEL_COLUMNS);
      const long width = n - column < PKM_PANEL_COLUMNS ? n - column : PKM_PANEL_COLUMNS;
      for (long row = 0; row < m; row += 2 * TILE_SIDE) {
        const long rows = m - row < 2 * TILE_SIDE ? m - row : 2 * TILE_SIDE;
        tile_row left[2];
        for (int t = 0; t < 2; t++) {
          const long exist = rows - t * TILE_SIDE;
          left[t] = (tile_row){(const char *)((const uint16_t *)a + (row + t * TILE_SIDE) * lda + 2 * first), 2 * lda,
                               TILE_ROW_BYTES, exist < 0 ? 0 : exist < TILE_SIDE ? exist : TILE_SIDE};
        }
        if (tile.start && first + depth == groups) prefetch_tile(tile, row, rows, column, width);
        tile_panel_block(4 * depth, alpha, left, panel, next + row / (2 * TILE_SIDE) * depth * lines * 8, lines,
                         first > 0, c + row * ldc + column, ldc, width);
      }
    }
  }
  release_tiles();
}
#endif

KERNEL void pack_panels_nt(long first, long last, long n, long k, const void *b, long ldb, void *packed, bool rounds,
                           bool bf16) {
  if (rounds) {
    pack_panels_nt_in(first, last, n, k, b, ldb, packed, true, true);
  } else {
    BY_FORM(bf16, pack_panels_nt_in, first, last, n, k, b, ldb, packed, false);
  }
}

KERNEL void pack_panels_nn(long first, long last, long n, long k, const void *b, long ldb, void *packed, bool rounds,
                           bool bf16) {
  if (rounds) {
    pack_panels_nn_in(first, last, n, k, b, ldb, packed, true, true);
  } else {
    BY_FORM(bf16, pack_panels_nn_in, first, last, n, k, b, ldb, packed, false);
  }
}

KERNEL void gemm_panels(long m, long n, long k, double alpha, const void *a, long lda, const void *packed, void *c,
                        long ldc, pkm_output_tile tile, bool bf16) {
#if HAS_TILES
  if (bf16) return gemm_panels_tiles(m, n, k, (real)alpha, a, lda, packed, c, ldc, tile);
#endif
  BY_FORM(bf16, gemm_panels_in, m, n, k, (real)alpha, a, lda, packed, c, ldc, tile);
}
#endif
