// The matrix product that every machine has: where no library is installed, and what the libraries are tested against.

// Packed panels: op(A) as k x 4 for each 4 rows, op(B) as k x WIDTH; sizes that stay in the nearest caches.
enum { PANEL_ROWS = 4, PANEL_COLUMNS = 2 * LANES, PANEL_DEPTH = 256 };

// Sums in panels of PANEL_DEPTH in order, so that the bits depend on the shape alone.
INLINE void product_in(bool transpose_a, bool transpose_b, long m, long n, long k, real alpha, const void *a, long lda,
                       const void *b, long ldb, real beta, real *c, long ldc, const bool half) {
  FUSED
  real left[PANEL_DEPTH * PANEL_ROWS], right[PANEL_DEPTH * PANEL_COLUMNS];
  for (long i = 0; i < m; i++) {
    for (long j = 0; j < n; j++) c[i * ldc + j] = beta == 0 ? 0 : beta * c[i * ldc + j];
  }
  for (long first = 0; first < k; first += PANEL_DEPTH) {
    long depth = k - first < PANEL_DEPTH ? k - first : PANEL_DEPTH;
    for (long column = 0; column < n; column += PANEL_COLUMNS) {
      long width = n - column < PANEL_COLUMNS ? n - column : PANEL_COLUMNS;
      for (long p = 0; p < depth; p++) {
        for (long j = 0; j < PANEL_COLUMNS; j++) {
          long at = transpose_b ? (column + j) * ldb + first + p : (first + p) * ldb + column + j;
          right[p * PANEL_COLUMNS + j] = j < width ? load_operand(b, at, half) : 0;
        }
      }
      for (long row = 0; row < m; row += PANEL_ROWS) {
        long height = m - row < PANEL_ROWS ? m - row : PANEL_ROWS;
        for (long p = 0; p < depth; p++) {
          for (long i = 0; i < PANEL_ROWS; i++) {
            long at = transpose_a ? (first + p) * lda + row + i : (row + i) * lda + first + p;
            left[p * PANEL_ROWS + i] = i < height ? load_operand(a, at, half) : 0;
          }
        }
        real sums[PANEL_ROWS][PANEL_COLUMNS] = {{0}};
        for (long p = 0; p < depth; p++) {
          for (long i = 0; i < PANEL_ROWS; i++) {
            for (long j = 0; j < PANEL_COLUMNS; j++) {
              sums[i][j] += left[p * PANEL_ROWS + i] * right[p * PANEL_COLUMNS + j];
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

KERNEL void product(bool transpose_a, bool transpose_b, long m, long n, long k, double alpha, const void *a, long lda,
                    const void *b, long ldb, double beta, void *c, long ldc) {
  product_in(transpose_a, transpose_b, m, n, k, (real)alpha, a, lda, b, ldb, (real)beta, c, ldc, false);
}

KERNEL void product_half(bool transpose_a, bool transpose_b, long m, long n, long k, double alpha, const void *a,
                         long lda, const void *b, long ldb, double beta, void *c, long ldc) {
  product_in(transpose_a, transpose_b, m, n, k, (real)alpha, a, lda, b, ldb, (real)beta, c, ldc, true);
}
