// Products of a transposed left operand, C += alpha * A^T * B, sums over the rows of both, with AVX-512. B is packed as in
// panels.h; of A the thread that multiplies it packs a part of its rows at a time, in blocks of BLOCK_OF_ROWS columns that lie
// side by side for each word of k, and takes the sums of its columns meanwhile.
#if REAL_IS_FLOAT && HAS_AVX512

enum {
  LEFT_DEPTH = 384,
  // Two words more: 8 are written where 6 are wanted.
  LEFT_STRIDE = LEFT_DEPTH * BLOCK_OF_ROWS + 2,
  LEFT_BLOCKS = PKM_LEFT_COLUMNS / BLOCK_OF_ROWS,
  // Rows whose lines a cache set holds, though rows lie a power of two apart.
  ROWS_AT_ONCE = 8
};
_Static_assert(LEFT_STRIDE * LEFT_BLOCKS == PKM_LEFT_WORDS, "the room that is asked for is the room that is used");

// `count` words of each of the m columns of A, and their numbers added to `totals`.
INLINE void pack_left(const long count, long m, const void *a, long lda, packed_word *out, __m256 *totals, const bool bf16) {
  const long each = bf16 ? 2 : 1;
  for (long i = 0; i < m; i += BLOCK_OF_ROWS, out += LEFT_STRIDE, totals++) {
    const long width = m - i < BLOCK_OF_ROWS ? m - i : BLOCK_OF_ROWS;
    const __mmask8 wanted = (__mmask8)((1u << width) - 1);
    for (long r = 0; r < each * count; r++) {
      // Rows far apart, which the processor does not fetch ahead by itself.
      __builtin_prefetch(operand_at(a, (r + 2 * ROWS_AT_ONCE) * lda + i, bf16));
    }
    __m256 total = *totals;
#pragma clang loop unroll(full)
    for (long p = 0; p < count; p++) {
      __m256i word;
      if (bf16) {
        const uint16_t *x = (const uint16_t *)a + 2 * p * lda + i;
        word = _mm256_cvtepu16_epi32(_mm_maskz_loadu_epi16(wanted, x));
        __m256i next = _mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_maskz_loadu_epi16(wanted, x + lda)), 16);
        total = _mm256_add_ps(total, (__m256)_mm256_slli_epi32(word, 16));
        total = _mm256_add_ps(total, (__m256)next);
        word = _mm256_or_si256(word, next);
      } else {
        word = _mm256_maskz_loadu_epi32(wanted, (const uint32_t *)a + p * lda + i);
        total = _mm256_add_ps(total, (__m256)word);
      }
      _mm256_storeu_si256((__m256i *)(out + p * BLOCK_OF_ROWS), word);
    }
    *totals = total;
  }
}

// The sums are those of column_sum, to the bit.
INLINE void pack_left_columns(long words, long m, const void *a, long lda, packed_word *out, real factor, real *sums,
                              const bool bf16) {
  const long each = bf16 ? 2 : 1, block = 64 / each;
  for (long first = 0; first < words; first += block) {
    const long last = first + block < words ? first + block : words;
    __m256 totals[LEFT_BLOCKS] = {{0}};
    long p = first;
    for (; p + ROWS_AT_ONCE <= last; p += ROWS_AT_ONCE) {
      pack_left(ROWS_AT_ONCE, m, operand_at(a, each * p * lda, bf16), lda, out + p * BLOCK_OF_ROWS, totals, bf16);
    }
    for (; p < last; p++) pack_left(1, m, operand_at(a, each * p * lda, bf16), lda, out + p * BLOCK_OF_ROWS, totals, bf16);
    for (long i = 0; i < m && sums; i++) sums[i] += factor * totals[i / BLOCK_OF_ROWS][i % BLOCK_OF_ROWS];
  }
}

INLINE void multiply_columns_in(long m, long n, long k, real alpha, const void *a, long lda, const packed_word *b, bool adds,
                                real *c, long ldc, real *sums, packed_word *space, const bool bf16) {
  const long words = word_count(k, bf16), each = bf16 ? 2 : 1, ahead = words_ahead(m);
  for (long first = 0; first < words; first += LEFT_DEPTH) {
    const long depth = words - first < LEFT_DEPTH ? words - first : LEFT_DEPTH;
    pack_left_columns(depth, m, operand_at(a, each * first * lda, bf16), lda, space, alpha, sums, bf16);
    for (long column = 0; column < n; column += PKM_PANEL_COLUMNS) {
      const packed_word *panel = b + column * words + first * PKM_PANEL_COLUMNS;
      const long width = n - column < PKM_PANEL_COLUMNS ? n - column : PKM_PANEL_COLUMNS;
      for (long row = 0; row < m; row += BLOCK_OF_ROWS) {
        const long rows = m - row < BLOCK_OF_ROWS ? m - row : BLOCK_OF_ROWS;
        const packed_word *left[BLOCK_OF_ROWS];
        for (int i = 0; i < BLOCK_OF_ROWS; i++) left[i] = space + row / BLOCK_OF_ROWS * LEFT_STRIDE + i;
        const packed_word *next = next_panel(panel, words, depth, row, ahead);
        panel_block(depth, alpha, left, BLOCK_OF_ROWS, panel, next, ahead, adds || first > 0, c + row * ldc + column, ldc,
                    rows, width, bf16);
      }
    }
  }
}

KERNEL void multiply_columns(long m, long n, long k, double alpha, const void *a, long lda, const void *packed, bool adds,
                             void *c, long ldc, void *sums, void *space, bool bf16) {
  BY_FORM(bf16, multiply_columns_in, m, n, k, (real)alpha, a, lda, packed, adds, c, ldc, sums, space);
}
#endif
