// The matrix product that every machine has: where no library is installed, and what the libraries are tested against.

// Packed panels: op(A) as k x 4 for each 4 rows, op(B) as k x WIDTH; sizes that stay in the nearest caches.
enum { PANEL_ROWS = 4, PANEL_COLUMNS = 2 * LANES, PANEL_DEPTH = 256 };

// Sums in panels of PANEL_DEPTH in order, so that the bits depend on the shape alone.
INLINE void product_in(bool transpose_a, bool transpose_b, long m, long n, long k, real alpha, const void *a, long lda,
                       const void *b, long ldb, real beta, real *c, long ldc, const bool bf16) {
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
          right[p * PANEL_COLUMNS + j] = j < width ? load_operand(b, at, bf16) : 0;
        }
      }
      for (long row = 0; row < m; row += PANEL_ROWS) {
        long height = m - row < PANEL_ROWS ? m - row : PANEL_ROWS;
        for (long p = 0; p < depth; p++) {
          for (long i = 0; i < PANEL_ROWS; i++) {
            long at = transpose_a ? (first + p) * lda + row + i : (row + i) * lda + first + p;
            left[p * PANEL_ROWS + i] = i < height ? load_operand(a, at, bf16) : 0;
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

KERNEL void product_bf16(bool transpose_a, bool transpose_b, long m, long n, long k, double alpha, const void *a,
                         long lda, const void *b, long ldb, double beta, void *c, long ldc) {
  product_in(transpose_a, transpose_b, m, n, k, (real)alpha, a, lda, b, ldb, (real)beta, c, ldc, true);
}

// As many numbers as one register of the widest kind holds.
typedef real lanes __attribute__((vector_size(64)));

INLINE void load_lanes(lanes *v, const void *x, long i, const bool bf16) {
  if (!bf16) {
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
  for (int lane = 0; lane < LANES; lane++) (*v)[lane] = load_operand(x, i + lane, bf16);
#endif
}

// One row of A times one of B, in four sums. What follows in B is fetched ahead: it is read from memory, once.
INLINE real row_times_row(long k, const void *a, const void *b, const bool bf16) {
  FUSED
  enum { SUMS = 4, AHEAD = 4096 };
  lanes sums[SUMS] = {{0}};
  long p = 0;
  for (; p + SUMS * LANES <= k; p += SUMS * LANES) {
#pragma clang loop unroll(full)
    for (int j = 0; j < SUMS; j++) {
      lanes left, right;
      load_lanes(&left, a, p + j * LANES, bf16);
      load_lanes(&right, b, p + j * LANES, bf16);
      if (!bf16 || j % 2 == 0) __builtin_prefetch((const char *)operand_at(b, p + j * LANES, bf16) + AHEAD);
      sums[j] += left * right;
    }
  }
  for (; p + LANES <= k; p += LANES) {
    lanes left, right;
    load_lanes(&left, a, p, bf16);
    load_lanes(&right, b, p, bf16);
    sums[0] += left * right;
  }
  lanes sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  for (int step = LANES / 2; step > 0; step /= 2) {
    for (int lane = 0; lane < step; lane++) sum[lane] += sum[lane + step];
  }
  real total = sum[0];
  for (; p < k; p++) total += load_operand(a, p, bf16) * load_operand(b, p, bf16);
  return total;
}

// A row vector times the transpose of B.
INLINE void row_product(long n, long k, const void *a, const void *b, long ldb, real *c, const bool bf16) {
  for (long column = 0; column < n; column++) c[column] = row_times_row(k, a, operand_at(b, column * ldb, bf16), bf16);
}

KERNEL void product_row(long n, long k, const void *a, const void *b, long ldb, void *c, bool bf16) {
  BY_FORM(bf16, row_product, n, k, a, b, ldb, c);
}

// Rows of A at most, two registers of numbers; with 12 rows of B their sums fill three quarters of the registers.
enum { FEW_ROWS = 2 * LANES, BLOCK_ROWS = 12 };

INLINE long few_width(long m) { return m > LANES ? FEW_ROWS : LANES; }

// A by columns, in as many rows as fill registers, so that each of its numbers meets one of B in a lane of its own.
INLINE void pack_lanes(long m, long width, long k, long first, long last, const void *a, long lda, packed_word *out,
                       const bool bf16) {
  const long whole = bf16 ? k / 2 : k;
#if REAL_IS_FLOAT && HAS_AVX512
  for (; first + 16 <= last; first += 16) {
    for (long i = 0; i < width; i += 16) {
      __m512i rows[16];
      load_words(rows, m - i, operand_at(a, i * lda, bf16), lda, first, k, bf16);
      transpose_words(rows, out + first * width + i, width);
    }
  }
#endif
  for (long block = first; block < last; block += 64) {
    long end = block + 64 < last ? block + 64 : last;
    for (long i = 0; i < width; i++) {
      for (long p = block; p < end; p++) {
        packed_word word = 0;
        if (i < m) memcpy(&word, operand_at(a, i * lda + (bf16 ? 2 * p : p), bf16), bf16 ? p < whole ? 4 : 2 : sizeof(real));
        out[p * width + i] = word;
      }
    }
  }
}

KERNEL void pack_few(long m, long k, long first, long last, const void *a, long lda, void *packed, bool bf16) {
  BY_FORM(bf16, pack_lanes, m, few_width(m), k, first, last, a, lda, packed);
}

// sum += a * b in every lane; of bfloat16, two products in each.
INLINE void add_products(lanes *sum, const packed_word *a, const void *b, const bool bf16, const bool is_whole) {
  FUSED
  if (!bf16) {
    lanes left;
    memcpy(&left, a, sizeof left);
    *sum += left * *(const real *)b;
    return;
  }
  uint32_t pair = 0;
  memcpy(&pair, b, is_whole ? 4 : 2);
#if REAL_IS_FLOAT && HAS_BFLOAT16_DOT
  *sum = (lanes)_mm512_dpbf16_ps((__m512)*sum, (__m512bh)_mm512_loadu_si512(a), (__m512bh)_mm512_set1_epi32((int)pair));
#else
  real low = from_bfloat16((uint16_t)pair), high = from_bfloat16((uint16_t)(pair >> 16));
  lanes left, right;
  for (int lane = 0; lane < LANES; lane++) {
    left[lane] = from_bfloat16((uint16_t)a[lane]);
    right[lane] = from_bfloat16((uint16_t)(a[lane] >> 16));
  }
  *sum += left * low;
  *sum += right * high;
#endif
}

// `height` rows of B times all rows of A. Each sum is taken in the order of k, whatever the block and m are. Meanwhile the places
// of what will be made of them become this core's to write.
INLINE void few_block(long m, long k, const packed_word *a, const void *b, long ldb, real *c, long ldc, output_tile place,
                      const int height, const int registers, const bool bf16) {
  lanes sums[BLOCK_ROWS][2];
  for (int j = 0; j < height; j++) {
    for (int v = 0; v < registers; v++) sums[j][v] = (lanes){0};
  }
  const long width = registers * LANES, whole = bf16 ? k / 2 : k, each = bf16 ? 2 : 1;
  const long line = 64 / (long)sizeof(packed_word);
  for (long first = 0; first < whole; first += line) {
    long last = first + line < whole ? first + line : whole;
    // The same line of the next block: short rows hide their pattern from the processor. To the second cache, as rows that
    // are a multiple of a page apart have one set of the first cache, which holds no more than the lines at hand.
    for (int j = 0; j < height; j++) __builtin_prefetch(operand_at(b, (height + j) * ldb + each * first, bf16), 0, 2);
    for (long i = m * first / whole; i < m * last / whole; i++) __builtin_prefetch((char *)place.start + i * place.row, 1);
    for (long p = first; p < last; p++) {
#pragma clang loop unroll(full)
      for (int j = 0; j < height; j++) {
#pragma clang loop unroll(full)
        for (int v = 0; v < registers; v++) {
          add_products(&sums[j][v], a + p * width + v * LANES, operand_at(b, j * ldb + each * p, bf16), bf16, true);
        }
      }
    }
  }
  if (each * whole < k) {
    for (int j = 0; j < height; j++) {
      for (int v = 0; v < registers; v++) {
        add_products(&sums[j][v], a + whole * width + v * LANES, operand_at(b, j * ldb + each * whole, bf16), bf16, false);
      }
    }
  }
#if REAL_IS_FLOAT && HAS_AVX512
  const __mmask16 wanted = (__mmask16)((1u << height) - 1);
  for (int v = 0; v < registers; v++) {
    __m512i columns[16];
    packed_word rows[16][16];
    for (int j = 0; j < 16; j++) columns[j] = j < height ? (__m512i)sums[j][v] : _mm512_setzero_si512();
    transpose_words(columns, rows[0], 16);
    for (long i = v * LANES; i < m && i < (v + 1) * LANES; i++) {
      _mm512_mask_storeu_epi32(c + i * ldc, wanted, _mm512_loadu_si512(rows[i - v * LANES]));
    }
  }
  return;
#endif
  real tile[BLOCK_ROWS][FEW_ROWS];
  for (int j = 0; j < height; j++) memcpy(tile[j], sums[j], (size_t)registers * sizeof(lanes));
  for (long i = 0; i < m; i++) {
    for (int j = 0; j < height; j++) c[i * ldc + j] = tile[j][i];
  }
}

INLINE output_tile columns_from(output_tile place, long column) {
  place.start = (char *)place.start + column * place.element;
  return place;
}

INLINE void few_rows(long m, long n, long k, const packed_word *a, const void *b, long ldb, bool is_start, real *c,
                     long ldc, output_tile place, const int registers, const bool bf16) {
  // The first block; each then fetches the next.
  for (long j = 0; is_start && j < BLOCK_ROWS && j < n; j++) {
    for (long p = 0; p < k; p += bf16 ? 32 : LANES) __builtin_prefetch(operand_at(b, j * ldb + p, bf16), 0, 2);
  }
  for (long column = 0; column < n && n < BLOCK_ROWS; column++) {
    few_block(m, k, a, operand_at(b, column * ldb, bf16), ldb, c + column, ldc, columns_from(place, column), 1, registers,
              bf16);
  }
  for (long next = 0; next < n && n >= BLOCK_ROWS; next += BLOCK_ROWS) {
    // The last block takes some rows again: one by one they would take longer.
    const long column = next + BLOCK_ROWS <= n ? next : n - BLOCK_ROWS;
    few_block(m, k, a, operand_at(b, column * ldb, bf16), ldb, c + column, ldc, columns_from(place, column), BLOCK_ROWS,
              registers, bf16);
  }
}

INLINE void product_few_in(long m, long n, long k, const packed_word *a, const void *b, long ldb, bool is_start, real *c,
                           long ldc, output_tile place, const bool bf16) {
  if (m > LANES) {
    few_rows(m, n, k, a, b, ldb, is_start, c, ldc, place, 2, bf16);
  } else {
    few_rows(m, n, k, a, b, ldb, is_start, c, ldc, place, 1, bf16);
  }
}

KERNEL void product_few(long m, long n, long k, const void *packed, const void *b, long ldb, bool is_start, void *c,
                        long ldc, output_tile place, bool bf16) {
  BY_FORM(bf16, product_few_in, m, n, k, packed, b, ldb, is_start, c, ldc, place);
}
