// What attention is made of: products of one shape, operands packed for them, and numbers in lanes.

// Rows of a tile, which are numbers read one by one, times FEW_ROWS lanes. Packed operands are filled up with zeros to whole
// tiles and pairs. A block is of so many queries and as many keys.
enum { TILE_ROWS = 8, BLOCK = 2 * FEW_ROWS };

// Rows of a tile whose sums fit the registers.
#if HAS_AVX512
enum { ROWS_TOGETHER = 8 };
#else
enum { ROWS_TOGETHER = 2 };
#endif

INLINE long whole_tiles(long rows) { return (rows + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS; }
// Columns of a matrix whose rows stand in lanes.
INLINE long padded_width(long width) { return (width + FEW_ROWS - 1) / FEW_ROWS * FEW_ROWS; }

// sums[j][v] = the sum over p of register v of a[p] times word j of b[p], in the order of p: a matrix of lanes, `a_stride`
// words from p to p, times words that lie `b_row` words from j to j and `b_step` from p to p.
INLINE void tile_sums(long count, const packed_word *a, long a_stride, const packed_word *b, long b_row, long b_step,
                      lanes sums[TILE_ROWS][2], const bool bf16) {
  for (int first = 0; first < TILE_ROWS; first += ROWS_TOGETHER, b += ROWS_TOGETHER * b_row) {
    lanes s[ROWS_TOGETHER][2] = {{{0}}};
    for (long p = 0; p < count; p++) {
#pragma clang loop unroll(full)
      for (int j = 0; j < ROWS_TOGETHER; j++) {
#pragma clang loop unroll(full)
        for (int v = 0; v < 2; v++) {
          add_products(&s[j][v], a + p * a_stride + v * LANES, b + j * b_row + p * b_step, bf16, true);
        }
      }
    }
#pragma clang loop unroll(full)
    for (int j = 0; j < ROWS_TOGETHER; j++) {
      sums[first + j][0] = s[j][0];
      sums[first + j][1] = s[j][1];
    }
  }
}

// Vectors are handed only to functions that are inlined.
#pragma clang diagnostic ignored "-Wpsabi"

INLINE lanes load_reals(const real *x) {
  lanes v;
  memcpy(&v, x, sizeof v);
  return v;
}

INLINE void store_reals(lanes v, void *out) { memcpy(out, &v, sizeof v); }

// --- packing

typedef struct {
  const void *from;
  long stride;
} row_source;

// Asks for `count` more rows, not beyond `end`, of some operands, in which rows lie so far apart that the processor sees no
// pattern. Those of one block are asked for little by little while the block before is computed, so that memory keeps up.
INLINE void fetch_rows(long *row, long end, long count, long width, const row_source *sources, int source_count,
                       const bool bf16) {
  for (; count > 0 && *row < end; count--, ++*row) {
    for (int i = 0; i < source_count; i++) {
      const void *x = operand_at(sources[i].from, *row * sources[i].stride, bf16);
      for (long c = 0; c < width; c += bf16 ? 2 * LANES : LANES) __builtin_prefetch(operand_at(x, c, bf16), 0, 2);
    }
  }
}

// Rows as words, for what is read number by number: in bfloat16 neighbors of a row in one word.
INLINE void pack_rows(long rows, long width, const void *x, long stride, packed_word *out, const bool bf16) {
  const long words = word_count(width, bf16);
  for (long r = 0; r < whole_tiles(rows); r++, out += words, x = operand_at(x, stride, bf16)) {
    if (r >= rows) {
      memset(out, 0, (size_t)words * sizeof *out);
    } else if (bf16) {
      const uint16_t *row = x;
      for (long w = 0; w < width / 2; w++) out[w] = row[2 * w] | (packed_word)row[2 * w + 1] << 16;
      if (width % 2) out[words - 1] = row[width - 1];
    } else {
      memcpy(out, x, (size_t)words * sizeof *out);
    }
  }
}

// Rows whose columns stand in lanes: in bfloat16 neighbors of a column in one word.
INLINE void weave_rows(long rows, long width, const void *x, long stride, packed_word *out, const bool bf16) {
  const long padded = padded_width(width), words = word_count(whole_tiles(rows), bf16);
  for (long p = 0; p < words; p++, out += padded) {
    const long r = bf16 ? 2 * p : p;
    const void *row = operand_at(x, r * stride, bf16);
    const uint16_t *low = row, *high = operand_at(row, stride, bf16);
    if (r >= rows) {
      memset(out, 0, (size_t)padded * sizeof *out);
      continue;
    }
    if (!bf16) {
      memcpy(out, row, (size_t)width * sizeof *out);
    } else if (r + 1 < rows) {
      for (long c = 0; c < width; c++) out[c] = low[c] | (packed_word)high[c] << 16;
    } else {
      for (long c = 0; c < width; c++) out[c] = low[c];
    }
    for (long c = width; c < padded; c++) out[c] = 0;
  }
}

// Rows in lanes, FEW_ROWS at a time; zeros in place of what is missing of BLOCK rows.
INLINE void pack_lane_blocks(long rows, long width, const void *x, long stride, packed_word *out, const bool bf16) {
  const long words = word_count(width, bf16);
  for (long lane = 0; lane < BLOCK; lane += FEW_ROWS) {
    const long count = rows > lane ? rows - lane : 0;
    pack_lanes(count, FEW_ROWS, width, 0, words, operand_at(x, lane * stride, bf16), stride, out + lane * words, bf16);
  }
}

// --- numbers in lanes

#if REAL_IS_FLOAT
typedef int32_t lane_words __attribute__((vector_size(64)));
#else
typedef int64_t lane_words __attribute__((vector_size(64)));
#endif

INLINE lanes choose(lane_words condition, lanes x, lanes y) {
  return (lanes)((condition & (lane_words)x) | (~condition & (lane_words)y));
}

// 2^x for x <= 0, to 2 units in the last place; 0 below 2^-126.
INLINE lanes lane_powers(lanes x) {
#if REAL_IS_FLOAT
  FUSED
  x = choose(x < -127.0f, (lanes){0} - 127.0f, x);
  // Adding 1.5 * 2^23 + 127 rounds to an integer, whose exponent then stands in the low bits.
  lanes shifted = x + 12583039.0f;
  lanes r = x - (shifted - 12583039.0f);
  lanes p = (lanes){0} + 1.32647459e-3f;
  p = p * r + 9.67151299e-3f;
  p = p * r + 5.55073358e-2f;
  p = p * r + 2.40222424e-1f;
  p = p * r + 6.93147004e-1f;
  p = p * r + 1.0f;
  return p * (lanes)((lane_words)shifted << 23);
#else
  for (int i = 0; i < LANES; i++) x[i] = exp2(x[i]);
  return x;
#endif
}

// out = neighbors of a column, low and high, in one word each: bfloat16.
INLINE void store_pairs(lanes low, lanes high, packed_word *out) {
#if REAL_IS_FLOAT && HAS_BFLOAT16_DOT
  const __m512i low_words = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i order = _mm512_or_si512(low_words, _mm512_slli_epi32(_mm512_add_epi32(low_words, _mm512_set1_epi32(16)), 16));
  __m512i both = (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
  _mm512_storeu_si512(out, _mm512_permutexvar_epi16(order, both));
#else
  for (int i = 0; i < LANES; i++) out[i] = to_bfloat16(low[i]) | (packed_word)to_bfloat16(high[i]) << 16;
#endif
}

// out = FEW_ROWS neighbors of a row as words of two: bfloat16.
INLINE void store_row(const lanes x[2], packed_word *out) {
#if REAL_IS_FLOAT && HAS_BFLOAT16_DOT
  _mm512_storeu_si512(out, (__m512i)_mm512_cvtne2ps_pbh((__m512)x[1], (__m512)x[0]));
#else
  real row[FEW_ROWS];
  memcpy(row, x, sizeof row);
  for (int i = 0; i < LANES; i++) out[i] = to_bfloat16(row[2 * i]) | (packed_word)to_bfloat16(row[2 * i + 1]) << 16;
#endif
}

// Scores of the keys from `key` on, where the queries from `query` on may not see them: -infinity.
INLINE void hide_later_keys(long key, long query, lanes scores[TILE_ROWS][2]) {
  if (key + TILE_ROWS - 1 <= query) return;
  lane_words lane;
  for (int i = 0; i < LANES; i++) lane[i] = i;
  for (int j = 0; j < TILE_ROWS; j++) {
    for (int v = 0; v < 2; v++) {
      lane_words hidden = lane < (int)(key + j - query) - v * LANES;
      scores[j][v] = choose(hidden, (lanes){0} - (real)INFINITY, scores[j][v]);
    }
  }
}

// operand out = factor * x, whose rows are padded.
INLINE void store_scaled(long rows, long width, real factor, const real *x, void *out, long stride, const bool bf16) {
  for (long r = 0; r < rows; r++, x += padded_width(width), out = operand_at(out, stride, bf16)) {
    for (long c = 0; c < width; c++) store_operand(out, c, x[c] * factor, bf16);
  }
}
