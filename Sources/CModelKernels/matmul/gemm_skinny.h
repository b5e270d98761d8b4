// Skinny GEMM: few rows of A, as in generation, times the transpose of B. Only A is packed; B comes from memory, is
// read once in place, and dominates the time.
#pragma once
#include "CModelKernels.h"
#include "matmul/packed_groups.h"
#include "matmul/tile_block.h"

enum {
  // The most rows of A: two registers of numbers.
  SKINNY_MAX_ROWS = 2 * LANES,
  // Rows of B that meet all rows of A at a time; their sums fill three quarters of the registers.
  SKINNY_B_ROWS = 12
};

// Lanes of the packed A: m rounded up to whole registers.
INLINE long skinny_lanes(long m) { return m > LANES ? SKINNY_MAX_ROWS : LANES; }

KERNEL void pack_skinny(long m, long k, long first, long last, const void *a, long lda, void *packed, bool bf16) {
  BY_FORM(bf16, pack_transposed, m, skinny_lanes(m), k, first, last, a, lda, packed);
}

// `height` rows of B times all rows of A. Each sum is taken in the order of k alone, so that its bits do not depend on
// the block or on m. Meanwhile prefetches `tile`, where the caller will write the results, for writing.
INLINE void skinny_block(long m, long k, const packed_group *a, const void *b, long ldb, real *c, long ldc,
                         pkm_output_tile tile, const int height, const int registers, const bool bf16) {
  lanes sums[SKINNY_B_ROWS][2];
  for (int j = 0; j < height; j++) {
    for (int v = 0; v < registers; v++) sums[j][v] = (lanes){0};
  }
  const long width = registers * LANES, whole = bf16 ? k / 2 : k, group = bf16 ? 2 : 1;
  const long line = 64 / (long)sizeof(packed_group);
  for (long first = 0; first < whole; first += line) {
    long last = first + line < whole ? first + line : whole;
    // Prefetch the same line of the next block, because rows are too short for the processor to detect a pattern; into
    // the second-level cache, because rows that are a multiple of a page apart share one set of the first-level cache,
    // which holds only the lines in use.
    for (int j = 0; j < height; j++) __builtin_prefetch(operand_at(b, (height + j) * ldb + group * first, bf16), 0, 2);
    for (long i = m * first / whole; i < m * last / whole; i++) {
      __builtin_prefetch((char *)tile.start + i * tile.row_bytes, 1);
    }
    for (long p = first; p < last; p++) {
#pragma clang loop unroll(full)
      for (int j = 0; j < height; j++) {
#pragma clang loop unroll(full)
        for (int v = 0; v < registers; v++) {
          const void *number = operand_at(b, j * ldb + group * p, bf16);
          multiply_add(&sums[j][v], a + p * width + v * LANES, number, bf16, true);
        }
      }
    }
  }
  if (group * whole < k) {
    for (int j = 0; j < height; j++) {
      for (int v = 0; v < registers; v++) {
        const void *number = operand_at(b, j * ldb + group * whole, bf16);
        multiply_add(&sums[j][v], a + whole * width + v * LANES, number, bf16, false);
      }
    }
  }
#if REAL_IS_FLOAT && HAS_AVX512
  const __mmask16 wanted = (__mmask16)((1u << height) - 1);
  for (int v = 0; v < registers; v++) {
    __m512i columns[16];
    packed_group rows[16][16];
    for (int j = 0; j < 16; j++) columns[j] = j < height ? (__m512i)sums[j][v] : _mm512_setzero_si512();
    transpose_groups(columns, rows[0], 16);
    for (long i = v * LANES; i < m && i < (v + 1) * LANES; i++) {
      _mm512_mask_storeu_epi32(c + i * ldc, wanted, _mm512_loadu_si512(rows[i - v * LANES]));
    }
  }
  return;
#endif
  real transposed[SKINNY_B_ROWS][SKINNY_MAX_ROWS];
  for (int j = 0; j < height; j++) memcpy(transposed[j], sums[j], (size_t)registers * sizeof(lanes));
  for (long i = 0; i < m; i++) {
    for (int j = 0; j < height; j++) c[i * ldc + j] = transposed[j][i];
  }
}

INLINE pkm_output_tile tile_from_column(pkm_output_tile tile, long column) {
  tile.start = (char *)tile.start + column * tile.element_bytes;
  return tile;
}

INLINE void skinny_blocks(long m, long n, long k, const packed_group *a, const void *b, long ldb, bool is_first,
                          real *c, long ldc, pkm_output_tile tile, const int registers, const bool bf16) {
  // Nothing has prefetched the first block; every block prefetches the next one.
  for (long j = 0; is_first && j < SKINNY_B_ROWS && j < n; j++) {
    for (long p = 0; p < k; p += bf16 ? 32 : LANES) __builtin_prefetch(operand_at(b, j * ldb + p, bf16), 0, 2);
  }
  for (long column = 0; column < n && n < SKINNY_B_ROWS; column++) {
    skinny_block(m, k, a, operand_at(b, column * ldb, bf16), ldb, c + column, ldc, tile_from_column(tile, column), 1,
                 registers, bf16);
  }
  for (long next = 0; next < n && n >= SKINNY_B_ROWS; next += SKINNY_B_ROWS) {
    // If n is not a multiple of SKINNY_B_ROWS, the last block starts early and overlaps the one before: a whole block
    // takes less time than its remaining rows one by one. The overlapping sums are computed twice and stored twice,
    // with the same bits, because a sum depends on its row of B alone. Nothing may therefore be accumulated in c, and
    // an epilogue must wait until this function has returned.
    const long column = next + SKINNY_B_ROWS <= n ? next : n - SKINNY_B_ROWS;
    skinny_block(m, k, a, operand_at(b, column * ldb, bf16), ldb, c + column, ldc, tile_from_column(tile, column),
                 SKINNY_B_ROWS, registers, bf16);
  }
}

INLINE void gemm_skinny_in(long m, long n, long k, const packed_group *a, const void *b, long ldb, bool is_first,
                           real *c, long ldc, pkm_output_tile tile, const bool bf16) {
  if (m > LANES) {
    skinny_blocks(m, n, k, a, b, ldb, is_first, c, ldc, tile, 2, bf16);
  } else {
    skinny_blocks(m, n, k, a, b, ldb, is_first, c, ldc, tile, 1, bf16);
  }
}

#if HAS_TILES
// The same in bfloat16 by tiles, 32 rows of B at a time. They are the left operand, which tiles take as it is, and the
// packed A is the right one; the sums come out transposed.
INLINE void gemm_skinny_tiles(long m, long n, long k, const packed_group *a, const uint16_t *b, long ldb, bool is_first,
                              real *c, long ldc, pkm_output_tile tile) {
  enum { B_ROWS = 2 * TILE_SIDE };
  const long width = skinny_lanes(m);
  for (long j = 0; is_first && j < B_ROWS && j < n; j++) {
    for (long p = 0; p < k; p += 32) __builtin_prefetch(b + j * ldb + p, 0, 2);
  }
  configure_tiles();
  for (long column = 0; column < n; column += B_ROWS) {
    const long count = n - column < B_ROWS ? n - column : B_ROWS;
    const uint16_t *rows = b + column * ldb;
    tile_row left[2];
    for (int t = 0; t < 2; t++) {
      const long exist = count - t * TILE_SIDE;
      left[t] = (tile_row){(const char *)(rows + t * TILE_SIDE * ldb), 2 * ldb, TILE_ROW_BYTES,
                           exist < 0 ? 0 : exist < TILE_SIDE ? exist : TILE_SIDE};
    }
    const pkm_output_tile part = tile_from_column(tile, column);
    for (long i = 0; i < m; i++) __builtin_prefetch((char *)part.start + i * part.row_bytes, 1);
    // Rows are too short for the processor to detect a pattern, so each block prefetches the next one.
    const long following = n - column - B_ROWS < B_ROWS ? n - column - B_ROWS : B_ROWS;
    for (long j = 0; j < following; j++) {
      for (long p = 0; p < k; p += 32) __builtin_prefetch(rows + (B_ROWS + j) * ldb + p, 0, 2);
    }
    float sums[B_ROWS][2 * TILE_SIDE] __attribute__((aligned(64)));
    packed_group transposed[2 * TILE_SIDE][B_ROWS];
    const bool wide = width > TILE_SIDE, tall = left[1].rows > 0;
    if (wide && tall) {
      tile_block(2 * k, left, true, a, 2 * TILE_SIDE, true, NULL, 0, sums[0], 2 * TILE_SIDE);
    } else if (wide) {
      tile_block(2 * k, left, false, a, 2 * TILE_SIDE, true, NULL, 0, sums[0], 2 * TILE_SIDE);
    } else if (tall) {
      tile_block(2 * k, left, true, a, TILE_SIDE, false, NULL, 0, sums[0], 2 * TILE_SIDE);
    } else {
      tile_block(2 * k, left, false, a, TILE_SIDE, false, NULL, 0, sums[0], 2 * TILE_SIDE);
    }
    for (int i = 0; i <= tall; i++) {
      for (int j = 0; j <= wide; j++) {
        transpose_tile((const packed_group *)&sums[i * TILE_SIDE][j * TILE_SIDE], 2 * TILE_SIDE,
                       &transposed[j * TILE_SIDE][i * TILE_SIDE], B_ROWS);
      }
    }
    for (long i = 0; i < m; i++) memcpy(c + i * ldc + column, transposed[i], (size_t)count * sizeof(real));
  }
  release_tiles();
}
#endif

KERNEL void gemm_skinny(long m, long n, long k, const void *packed, const void *b, long ldb, bool is_first, void *c,
                        long ldc, pkm_output_tile tile, bool bf16) {
#if HAS_TILES
  if (bf16) return gemm_skinny_tiles(m, n, k, packed, b, ldb, is_first, c, ldc, tile);
#endif
  BY_FORM(bf16, gemm_skinny_in, m, n, k, packed, b, ldb, is_first, c, ldc, tile);
}
