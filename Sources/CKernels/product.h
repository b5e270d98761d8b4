// The matrix product that every machine has: where no library is installed, and what the libraries are tested against.

// Packed panels: op(A) as k x 4 for each 4 rows, op(B) as k x WIDTH; sizes that stay in the nearest caches.
enum { PANEL_ROWS = 4, PANEL_COLUMNS = 2 * LANES, PANEL_DEPTH = 256 };

// Sums in panels of PANEL_DEPTH in order, so that the bits depend on the shape alone.
KERNEL void product(bool transpose_a, bool transpose_b, long m, long n, long k, double alpha_, const void *pa, long lda,
                    const void *pb, long ldb, double beta_, void *pc, long ldc) {
  FUSED
  const real *a = pa, *b = pb;
  real *c = pc, alpha = (real)alpha_, beta = (real)beta_;
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
          right[p * PANEL_COLUMNS + j] = j < width ? b[at] : 0;
        }
      }
      for (long row = 0; row < m; row += PANEL_ROWS) {
        long height = m - row < PANEL_ROWS ? m - row : PANEL_ROWS;
        for (long p = 0; p < depth; p++) {
          for (long i = 0; i < PANEL_ROWS; i++) {
            long at = transpose_a ? (first + p) * lda + row + i : (row + i) * lda + first + p;
            left[p * PANEL_ROWS + i] = i < height ? a[at] : 0;
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

// The nearest bfloat16, ties to even; a NaN stays one.
INLINE uint16_t to_bfloat16(real x) {
  float value = (float)x;
  uint32_t bits;
  memcpy(&bits, &value, 4);
  uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  return (uint16_t)(value != value ? (bits >> 16) | 0x40 : rounded);
}

KERNEL void to_bfloat16_rows(long rows, long columns, const void *px, long stride, void *pout, long out_stride) {
  const real *x = px;
  uint16_t *out = pout;
  for (long r = 0; r < rows; r++, x += stride, out += out_stride) {
    for (long c = 0; c < columns; c++) out[c] = to_bfloat16(x[c]);
  }
}

KERNEL void round_rows(long rows, long columns, const void *px, long stride, void *pout, long out_stride) {
  const real *x = px;
  real *out = pout;
  for (long r = 0; r < rows; r++, x += stride, out += out_stride) {
    for (long c = 0; c < columns; c++) {
      uint32_t bits = (uint32_t)to_bfloat16(x[c]) << 16;
      float value;
      memcpy(&value, &bits, 4);
      out[c] = (real)value;
    }
  }
}
