// The generic GEMM, which runs on every machine: used where no library is installed, and as the reference that the
// libraries are tested against.
#pragma once
#include "operands.h"

// The output tile that is summed in registers, and how much of k is packed at a time: op(A) as k x GENERIC_TILE_ROWS,
// op(B) as k x GENERIC_TILE_COLUMNS. Both stay in the first-level cache.
enum { GENERIC_TILE_ROWS = 4, GENERIC_TILE_COLUMNS = 2 * LANES, GENERIC_DEPTH = 256 };

// C = alpha * op(A) * op(B) + beta * C. Sums GENERIC_DEPTH numbers of k at a time, in order, so that the bits depend on
// the shape alone.
INLINE void gemm_in(bool transpose_a, bool transpose_b, long m, long n, long k, real alpha, const void *a, long lda,
                    const void *b, long ldb, real beta, real *c, long ldc, const bool bf16) {
  FUSED
  real left[GENERIC_DEPTH * GENERIC_TILE_ROWS], right[GENERIC_DEPTH * GENERIC_TILE_COLUMNS];
  for (long i = 0; i < m; i++) {
    for (long j = 0; j < n; j++) c[i * ldc + j] = beta == 0 ? 0 : beta * c[i * ldc + j];
  }
  for (long first = 0; first < k; first += GENERIC_DEPTH) {
    long depth = k - first < GENERIC_DEPTH ? k - first : GENERIC_DEPTH;
    for (long column = 0; column < n; column += GENERIC_TILE_COLUMNS) {
      long width = n - column < GENERIC_TILE_COLUMNS ? n - column : GENERIC_TILE_COLUMNS;
      for (long p = 0; p < depth; p++) {
        for (long j = 0; j < GENERIC_TILE_COLUMNS; j++) {
          long at = transpose_b ? (column + j) * ldb + first + p : (first + p) * ldb + column + j;
          right[p * GENERIC_TILE_COLUMNS + j] = j < width ? load_operand(b, at, bf16) : 0;
        }
      }
      for (long row = 0; row < m; row += GENERIC_TILE_ROWS) {
        long height = m - row < GENERIC_TILE_ROWS ? m - row : GENERIC_TILE_ROWS;
        for (long p = 0; p < depth; p++) {
          for (long i = 0; i < GENERIC_TILE_ROWS; i++) {
            long at = transpose_a ? (first + p) * lda + row + i : (row + i) * lda + first + p;
            left[p * GENERIC_TILE_ROWS + i] = i < height ? load_operand(a, at, bf16) : 0;
          }
        }
        real sums[GENERIC_TILE_ROWS][GENERIC_TILE_COLUMNS] = {{0}};
        for (long p = 0; p < depth; p++) {
          for (long i = 0; i < GENERIC_TILE_ROWS; i++) {
            for (long j = 0; j < GENERIC_TILE_COLUMNS; j++) {
              sums[i][j] += left[p * GENERIC_TILE_ROWS + i] * right[p * GENERIC_TILE_COLUMNS + j];
            }
          }
        }
        for (long i = 0; i < height; i++) {
          for (long j = 0; j < width; j++) c[(row + i) * ldc + column + j] += alpha * sums[i][j];
        }
      }
    }
  }
}

KERNEL void gemm(bool transpose_a, bool transpose_b, long m, long n, long k, double alpha, const void *a, long lda,
                 const void *b, long ldb, double beta, void *c, long ldc) {
  gemm_in(transpose_a, transpose_b, m, n, k, (real)alpha, a, lda, b, ldb, (real)beta, c, ldc, false);
}

KERNEL void gemm_bf16(bool transpose_a, bool transpose_b, long m, long n, long k, double alpha, const void *a, long lda,
                      const void *b, long ldb, double beta, void *c, long ldc) {
  gemm_in(transpose_a, transpose_b, m, n, k, (real)alpha, a, lda, b, ldb, (real)beta, c, ldc, true);
}
