// Products of many rows with AVX-512. B is packed once for all of them, in panels of PKM_PANEL_COLUMNS columns that lie side
// by side for each k; A is read as it is. 6 rows times 4 registers keep 24 sums going. Sums are taken in the order of k,
// whatever m and n are.
#if REAL_IS_FLOAT && HAS_AVX512

enum { PANEL_REGISTERS = PKM_PANEL_COLUMNS / LANES, BLOCK_OF_ROWS = 6, DEPTH_WORDS = 768 };

#if HAS_BFLOAT16_DOT
// load_words of reals, as words of bfloat16.
INLINE void load_rounded_words(__m512i rows[16], long count, const void *x, long stride, long p, long k) {
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

// `width` words of row p of op(X) as words, where op(X) = X is k x n: in bfloat16 two rows are woven into one. With `rounds`
// X is reals, which become bfloat16.
INLINE void weave_row(long width, const void *x, long stride, long p, packed_word *out, const bool rounds, const bool bf16) {
  for (long c = 0; c < width; c += LANES) {
    const long count = width - c < LANES ? width - c : LANES;
    const __mmask16 mask = (__mmask16)((1u << count) - 1);
    __m512i word;
    if (rounds) {
#if HAS_BFLOAT16_DOT
      const real *row = (const real *)x + 2 * p * stride + c;
      __m256i first = (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, row));
      __m256i second = (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, row + stride));
      word = _mm512_or_si512(_mm512_cvtepu16_epi32(first), _mm512_slli_epi32(_mm512_cvtepu16_epi32(second), 16));
#else
      __builtin_trap();
#endif
    } else if (bf16) {
      const uint16_t *row = (const uint16_t *)x + 2 * p * stride + c;
      __m512i next = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, row + stride));
      word = _mm512_or_si512(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, row)), _mm512_slli_epi32(next, 16));
    } else {
      word = _mm512_maskz_loadu_epi32(mask, (const uint32_t *)x + p * stride + c);
    }
    _mm512_storeu_si512(out + c, word);
  }
}

// Panels first..<last of op(B) = the transpose of B, k x n: for each word of k in order, those of all columns.
INLINE void pack_panels_in(long first, long last, long n, long k, const void *b, long ldb, packed_word *packed,
                           const bool rounds, const bool bf16) {
  const bool is_short = bf16 && !rounds;
  const long words = word_count(k, bf16), each = bf16 ? 2 : 1;
  for (long panel = first; panel < last; panel++) {
    packed_word *out = packed + panel * words * PKM_PANEL_COLUMNS;
    const long column = panel * PKM_PANEL_COLUMNS, width = n - column < PKM_PANEL_COLUMNS ? n - column : PKM_PANEL_COLUMNS;
    for (long c = 0; c < PKM_PANEL_COLUMNS; c += 16) {
      for (long p = 0; p < words; p += 16) {
        __m512i rows[16];
        const void *from = operand_at(b, (column + c) * ldb, is_short);
        // So many rows are more than the processor sees a pattern in.
        for (long j = 0; j < 16; j++) {
          const void *ahead = operand_at(from, j * ldb + each * (p + 2 * 16), is_short);
          __builtin_prefetch(ahead, 0, 2);
          if (rounds) __builtin_prefetch((const char *)ahead + 64, 0, 2);
        }
#if HAS_BFLOAT16_DOT
        if (rounds) load_rounded_words(rows, width - c, from, ldb, p, k);
#endif
        if (!rounds) load_words(rows, width - c, from, ldb, p, k, bf16);
        if (p + 16 <= words) {
          transpose_words(rows, out + p * PKM_PANEL_COLUMNS + c, PKM_PANEL_COLUMNS);
        } else {
          packed_word block[16 * 16];
          transpose_words(rows, block, 16);
          for (long q = p; q < words; q++) memcpy(out + q * PKM_PANEL_COLUMNS + c, block + (q - p) * 16, 64);
        }
      }
    }
  }
}

// The words first..<last of all panels of op(B) = B. Some words of a panel at a time, as the panels lie so that they displace
// each other from the caches; the rows ahead are fetched, whose pattern the processor does not see.
INLINE void pack_panel_words_in(long first, long last, long n, long k, const void *b, long ldb, packed_word *packed,
                                const bool rounds, const bool bf16) {
  enum { TOGETHER = 8, AHEAD = 16 };
  const bool is_short = bf16 && !rounds;
  const long words = word_count(k, bf16), each = bf16 ? 2 : 1, line = is_short ? 2 * LANES : LANES;
  for (long block = first; block < last; block += TOGETHER) {
    const long end = block + TOGETHER < last ? block + TOGETHER : last;
    for (long column = 0; column < n; column += PKM_PANEL_COLUMNS) {
      const long width = n - column < PKM_PANEL_COLUMNS ? n - column : PKM_PANEL_COLUMNS;
      const void *from = operand_at(b, column, is_short);
      for (long p = block; p < end; p++) {
        packed_word *out = packed + column * words + p * PKM_PANEL_COLUMNS;
        for (long r = each * (p + AHEAD); r < each * (p + AHEAD + 1); r++) {
          for (long c = 0; c < width; c += line) __builtin_prefetch(operand_at(from, r * ldb + c, is_short), 0, 2);
        }
        if (width < PKM_PANEL_COLUMNS) memset(out, 0, PKM_PANEL_COLUMNS * sizeof *out);
        weave_row(width, from, ldb, p, out, rounds, bf16);
      }
    }
  }
}

// c (+)= alpha * (some rows of A) * (a panel), over `words` words, of which `rows` and `width` are wanted. A row of A has its
// words `step` apart. Some of what will be multiplied after this, from `next`, is fetched meanwhile: `ahead` words for each.
INLINE void panel_block(long words, real alpha, const packed_word *const a[BLOCK_OF_ROWS], const long step,
                        const packed_word *b, const packed_word *next, const long ahead, bool adds, real *c, long ldc,
                        long rows, long width, const bool bf16) {
  lanes sums[BLOCK_OF_ROWS][PANEL_REGISTERS];
#pragma clang loop unroll(full)
  for (int i = 0; i < BLOCK_OF_ROWS; i++) {
#pragma clang loop unroll(full)
    for (int v = 0; v < PANEL_REGISTERS; v++) sums[i][v] = (lanes){0};
  }
  for (long i = 0; i < rows; i++) {
    for (int v = 0; v < PANEL_REGISTERS; v++) __builtin_prefetch(c + i * ldc + v * LANES, 1);
  }
  for (long p = 0; p < words; p++, b += PKM_PANEL_COLUMNS) {
    __builtin_prefetch(next + p * ahead, 0, 2);
#pragma clang loop unroll(full)
    for (int i = 0; i < BLOCK_OF_ROWS; i++) {
#pragma clang loop unroll(full)
      for (int v = 0; v < PANEL_REGISTERS; v++) add_products(&sums[i][v], b + v * LANES, a[i] + p * step, bf16, true);
    }
  }
  for (long i = 0; i < rows; i++, c += ldc) {
    for (int v = 0; v * LANES < width; v++) {
      const long count = width - v * LANES;
      const __mmask16 mask = count >= LANES ? (__mmask16)0xffff : (__mmask16)((1u << count) - 1);
      __m512 sum = _mm512_mul_ps((__m512)sums[i][v], _mm512_set1_ps(alpha));
      if (adds) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, c + v * LANES));
      _mm512_mask_storeu_ps(c + v * LANES, mask, sum);
    }
  }
}

// What is multiplied after `depth` words of a panel are those of the next panel. Each block of rows fetches a part of them, ...
INLINE const packed_word *next_panel(const packed_word *panel, long words, long depth, long row, const long ahead) {
  return panel + words * PKM_PANEL_COLUMNS + row / BLOCK_OF_ROWS * depth * ahead;
}

// ... `ahead` words for each of its own, so that m rows fetch them all; a line is 16.
INLINE long words_ahead(long m) {
  const long blocks = (m + BLOCK_OF_ROWS - 1) / BLOCK_OF_ROWS, ahead = (PKM_PANEL_COLUMNS + blocks - 1) / blocks;
  return ahead < LANES ? ahead : LANES;
}

// The rows of a place lie far apart.
INLINE void fetch_place(output_tile place, long row, long rows, long column, long width) {
  const char *from = (char *)place.start + row * place.row + column * place.element;
  for (long i = 0; i < rows; i++, from += place.row) {
    for (long c = 0; c < width * place.element; c += 64) __builtin_prefetch(from + c, 1, 2);
  }
}

INLINE void multiply_panels_in(long m, long n, long k, real alpha, const void *a, long lda, const packed_word *b, real *c,
                               long ldc, output_tile place, const bool bf16) {
  const long words = word_count(k, bf16), ahead = words_ahead(m);
  // A part of k at a time, so that a panel and the rows stay in the caches of a core.
  for (long first = 0; first < words; first += DEPTH_WORDS) {
    const long depth = words - first < DEPTH_WORDS ? words - first : DEPTH_WORDS;
    for (long column = 0; column < n; column += PKM_PANEL_COLUMNS) {
      const packed_word *panel = b + column * words + first * PKM_PANEL_COLUMNS;
      const long width = n - column < PKM_PANEL_COLUMNS ? n - column : PKM_PANEL_COLUMNS;
      for (long row = 0; row < m; row += BLOCK_OF_ROWS) {
        const long rows = m - row < BLOCK_OF_ROWS ? m - row : BLOCK_OF_ROWS;
        const packed_word *left[BLOCK_OF_ROWS];
        // In place of rows that are not there, the first.
        for (int i = 0; i < BLOCK_OF_ROWS; i++) {
          left[i] = (const packed_word *)operand_at(a, (row + (i < rows ? i : 0)) * lda, bf16) + first;
        }
        if (place.start && first + depth == words) fetch_place(place, row, rows, column, width);
        const packed_word *next = next_panel(panel, words, depth, row, ahead);
        panel_block(depth, alpha, left, 1, panel, next, ahead, first > 0, c + row * ldc + column, ldc, rows, width, bf16);
      }
    }
  }
}

KERNEL void pack_panels(long first, long last, long n, long k, const void *b, long ldb, void *packed, bool rounds,
                        bool bf16) {
  if (rounds) {
    pack_panels_in(first, last, n, k, b, ldb, packed, true, true);
  } else {
    BY_FORM(bf16, pack_panels_in, first, last, n, k, b, ldb, packed, false);
  }
}

KERNEL void pack_panel_words(long first, long last, long n, long k, const void *b, long ldb, void *packed, bool rounds,
                             bool bf16) {
  if (rounds) {
    pack_panel_words_in(first, last, n, k, b, ldb, packed, true, true);
  } else {
    BY_FORM(bf16, pack_panel_words_in, first, last, n, k, b, ldb, packed, false);
  }
}

KERNEL void multiply_panels(long m, long n, long k, double alpha, const void *a, long lda, const void *packed, void *c,
                            long ldc, output_tile place, bool bf16) {
  BY_FORM(bf16, multiply_panels_in, m, n, k, (real)alpha, a, lda, packed, c, ldc, place);
}
#endif
