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

// As many numbers as one register of the widest kind holds.
typedef real lanes __attribute__((vector_size(64)));

INLINE void load_lanes(lanes *v, const void *x, long i, const bool half) {
  if (!half) {
    memcpy(v, (const real *)x + i, sizeof *v);
    return;
  }
#if REAL_IS_FLOAT
  typedef uint16_t halves __attribute__((vector_size(32)));
  typedef uint32_t words __attribute__((vector_size(64)));
  halves h;
  memcpy(&h, (const uint16_t *)x + i, sizeof h);
  words w = __builtin_convertvector(h, words) << 16;
  memcpy(v, &w, sizeof w);
#else
  for (int lane = 0; lane < LANES; lane++) (*v)[lane] = load_operand(x, i + lane, half);
#endif
}

// `height` rows of A times `width` rows of B. Each sum is taken in the same order whatever the block is.
INLINE void product_block(long k, const void *a, long lda, const void *b, long ldb, real *c, long ldc, const int height,
                          const int width, const bool half) {
  FUSED
  lanes sums[4][4] = {{{0}}};
  long whole = k / LANES * LANES;
  for (long p = 0; p < whole; p += LANES) {
    lanes right[4];
    for (int j = 0; j < width; j++) load_lanes(&right[j], b, j * ldb + p, half);
    for (int i = 0; i < height; i++) {
      lanes left;
      load_lanes(&left, a, i * lda + p, half);
      for (int j = 0; j < width; j++) sums[i][j] += left * right[j];
    }
  }
  for (int i = 0; i < height; i++) {
    for (int j = 0; j < width; j++) {
      lanes sum = sums[i][j];
      for (int step = LANES / 2; step > 0; step /= 2) {
        for (int lane = 0; lane < step; lane++) sum[lane] += sum[lane + step];
      }
      real total = sum[0];
      for (long p = whole; p < k; p++) total += load_operand(a, i * lda + p, half) * load_operand(b, j * ldb + p, half);
      c[i * ldc + j] = total;
    }
  }
}

INLINE void product_few_in(long m, long n, long k, const void *a, long lda, const void *b, long ldb, real *c, long ldc,
                           const bool half) {
  // Four rows of B stay in the nearest cache while all rows of A pass.
  for (long column = 0; column < n; column += n - column < 4 ? 1 : 4) {
    const void *right = operand_at(b, column * ldb, half);
    bool isWide = n - column >= 4;
    for (long row = 0; row < m; row += m - row < 4 ? 1 : 4) {
      const void *left = operand_at(a, row * lda, half);
      real *into = c + row * ldc + column;
      if (m - row >= 4) {
        if (isWide) {
          product_block(k, left, lda, right, ldb, into, ldc, 4, 4, half);
        } else {
          product_block(k, left, lda, right, ldb, into, ldc, 4, 1, half);
        }
      } else if (isWide) {
        product_block(k, left, lda, right, ldb, into, ldc, 1, 4, half);
      } else {
        product_block(k, left, lda, right, ldb, into, ldc, 1, 1, half);
      }
    }
  }
}

KERNEL void product_few(long m, long n, long k, const void *a, long lda, const void *b, long ldb, void *c, long ldc,
                        bool half) {
  BY_FORM(half, product_few_in, m, n, k, a, lda, b, ldb, c, ldc);
}
