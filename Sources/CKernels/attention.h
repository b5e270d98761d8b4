// The causal softmax between the two products of attention, for a block of query rows.

INLINE void causal_softmax_in(long rows, long first_row, long columns, real scale, real *scores, void *p, long stride,
                              real *log_sum_exp, const bool half) {
  VECTOR_SUMS
  if (!half) p = scores;
  for (long r = 0; r < rows; r++, scores += stride, p = operand_at(p, stride, half)) {
    long count = first_row + r + 1;
    real top = row_max(count, scores) * scale, sum = 0;
    for (long c = 0; c < count; c++) {
      real e = real_exp(scores[c] * scale - top);
      scores[c] = e;
      sum += e;
    }
    real factor = 1 / sum;
    for (long c = 0; c < count; c++) store_operand(p, c, scores[c] * factor, half);
    for (long c = count; c < columns; c++) store_operand(p, c, 0, half);
    log_sum_exp[r] = top + real_log(sum);
  }
}

KERNEL void causal_softmax(long rows, long first_row, long columns, double scale, void *scores, void *p, long stride,
                           void *log_sum_exp, bool half) {
  BY_FORM(half, causal_softmax_in, rows, first_row, columns, (real)scale, scores, p, stride, log_sum_exp);
}

INLINE void causal_probabilities_in(long rows, long first_row, long columns, real scale, const real *log_sum_exp,
                                    real *scores, void *p, long stride, const bool half) {
  for (long r = 0; r < rows; r++, scores += stride, p = operand_at(p, stride, half)) {
    long count = first_row + r + 1;
    real shift = log_sum_exp[r];
    for (long c = 0; c < count; c++) scores[c] = real_exp(scores[c] * scale - shift);
    for (long c = count; c < columns; c++) scores[c] = 0;
    if (half) {
      for (long c = 0; c < columns; c++) store_operand(p, c, scores[c], half);
    }
  }
}

KERNEL void causal_probabilities(long rows, long first_row, long columns, double scale, const void *log_sum_exp,
                                 void *scores, void *p, long stride, bool half) {
  BY_FORM(half, causal_probabilities_in, rows, first_row, columns, (real)scale, log_sum_exp, scores, p, stride);
}

INLINE void causal_softmax_backward_in(long rows, long columns, long head_dimension, real scale, const real *p,
                                       const void *out, const void *d_out, long out_stride, const real *dp, void *ds,
                                       long stride, const bool half) {
  VECTOR_SUMS
  if (!half) ds = (void *)dp;
  for (long r = 0; r < rows; r++, p += stride, dp += stride) {
    real mean = 0;
    for (long c = 0; c < head_dimension; c++) mean += load_operand(out, c, half) * load_operand(d_out, c, half);
    for (long c = 0; c < columns; c++) store_operand(ds, c, p[c] * (dp[c] - mean) * scale, half);
    ds = operand_at(ds, stride, half);
    out = operand_at(out, out_stride, half), d_out = operand_at(d_out, out_stride, half);
  }
}

KERNEL void causal_softmax_backward(long rows, long columns, long head_dimension, double scale, const void *p,
                                    const void *out, const void *d_out, long out_stride, const void *dp, void *ds,
                                    long stride, bool half) {
  BY_FORM(half, causal_softmax_backward_in, rows, columns, head_dimension, (real)scale, p, out, d_out, out_stride, dp,
          ds, stride);
}

// sums[j][v] = the sum over p of register v of a[p] times number j of b[p], in the order of p: a matrix of lanes, `a_stride`
// words from p to p, times numbers that lie `b_row` bytes from j to j and `b_step` from p to p.
INLINE void lane_sums(long count, const packed_word *a, long a_stride, const void *b, long b_row, long b_step,
                      lanes sums[BLOCK_ROWS][2], const int height, const bool half) {
  for (int j = 0; j < height; j++) sums[j][0] = sums[j][1] = (lanes){0};
  for (long p = 0; p < count; p++) {
#pragma clang loop unroll(full)
    for (int j = 0; j < height; j++) {
#pragma clang loop unroll(full)
      for (int v = 0; v < 2; v++) {
        add_products(&sums[j][v], a + p * a_stride + v * LANES, (const char *)b + j * b_row + p * b_step, half, true);
      }
    }
  }
}

// Columns of lanes that values are packed in.
INLINE long padded_width(long width) { return (width + FEW_ROWS - 1) / FEW_ROWS * FEW_ROWS; }

// Words of scratch: packed queries, packed values, scores and, in bfloat16, probabilities.
static long causal_attention_scratch(long length, long width) {
  return (width + 1 + 2 * (length + BLOCK_ROWS)) * FEW_ROWS + (length + 1) * padded_width(width);
}

// Values so that neighbors in time stand together in bfloat16, in rows that fill registers.
INLINE void pack_values(long length, long width, const void *values, long stride, packed_word *out, const bool half) {
  const long padded = padded_width(width), words = few_words(length, half);
  for (long p = 0; p < words; p++, out += padded) {
    const void *row = operand_at(values, (half ? 2 * p : p) * stride, half), *next = operand_at(row, stride, half);
    const bool is_whole = !half || 2 * p + 1 < length;
    for (long c = 0; c < padded; c++) out[c] = 0;
    for (long c = 0; c < width; c++) {
      if (half) {
        out[c] = ((const uint16_t *)row)[c] | (is_whole ? (packed_word)((const uint16_t *)next)[c] << 16 : 0);
      } else {
        memcpy(out + c, (const real *)row + c, sizeof(real));
      }
    }
  }
}

// The exponentials of one key's scores, 0 for the first `hidden` queries; the sums of all keys.
INLINE void lane_exponentials(const real *scores, const lanes tops[2], int hidden, lanes sums[2], lanes e[2]) {
  for (int v = 0; v < 2; v++, scores += LANES, hidden -= LANES) {
    real shifted[LANES], result[LANES];
    lanes x;
    memcpy(&x, scores, sizeof x);
    x -= tops[v];
    memcpy(shifted, &x, sizeof x);
    for (int i = 0; i < LANES; i++) result[i] = real_exp(shifted[i]);
    for (int i = 0; i < LANES; i++) result[i] = i < hidden ? 0 : result[i];
    memcpy(&e[v], result, sizeof x);
    sums[v] += e[v];
  }
}

// Scores of up to FEW_ROWS queries, a lane each, to what is multiplied with the values: exponentials, 0 behind the diagonal.
// In bfloat16 two neighbors share a word. `tops` and `sums` take the largest score of each lane and the sum.
INLINE void lane_softmax(long seen, long first_row, real scale, real *scores, packed_word *p, real *top_scores,
                         real *totals, const bool half) {
  FUSED
  real largest[FEW_ROWS];
  for (int i = 0; i < FEW_ROWS; i++) largest[i] = -(real)INFINITY;
  for (long s = 0; s < seen; s++) {
    real *row = scores + s * FEW_ROWS;
    int hidden = s > first_row ? (int)(s - first_row) : 0;
    for (int i = 0; i < FEW_ROWS; i++) {
      real score = row[i] * scale;
      row[i] = score;
      score = i < hidden ? -(real)INFINITY : score;
      largest[i] = score > largest[i] ? score : largest[i];
    }
  }
  lanes tops[2], sums[2] = {{0}};
  memcpy(tops, largest, sizeof tops);
  const int each = half ? 2 : 1;
  for (long s = 0; s < seen; s += each, p += FEW_ROWS) {
    lanes e[2][2] = {{{0}}};
    for (int k = 0; k < each && s + k < seen; k++) {
      int hidden = s + k > first_row ? (int)(s + k - first_row) : 0;
      lane_exponentials(scores + (s + k) * FEW_ROWS, tops, hidden, sums, e[k]);
    }
    if (half) {
      real low[FEW_ROWS], high[FEW_ROWS];
      memcpy(low, e[0], sizeof low);
      memcpy(high, e[1], sizeof high);
      for (int i = 0; i < FEW_ROWS; i++) p[i] = to_bfloat16(low[i]) | (packed_word)to_bfloat16(high[i]) << 16;
    } else {
      memcpy(p, e[0], sizeof e[0]);
    }
  }
  memcpy(top_scores, tops, sizeof tops);
  memcpy(totals, sums, sizeof sums);
}

INLINE void causal_attention_in(long length, long width, real scale, const void *queries, const void *keys,
                                const void *values, long stride, void *out, long out_stride, real *log_sum_exp,
                                packed_word *packed_queries, const bool half) {
  const long words = few_words(width, half), padded = padded_width(width), each = half ? 2 : 1;
  const long key_bytes = stride * (long)(half ? sizeof(uint16_t) : sizeof(real)), step = half ? 4 : sizeof(real);
  packed_word *packed_values = packed_queries + (width + 1) * FEW_ROWS;
  real *scores = (real *)(packed_values + (length + 1) * padded);
  packed_word *p = half ? (packed_word *)(scores + (length + BLOCK_ROWS) * FEW_ROWS) : (packed_word *)scores;
  pack_values(length, width, values, stride, packed_values, half);
  for (long first = 0; first < length; first += FEW_ROWS) {
    long rows = length - first < FEW_ROWS ? length - first : FEW_ROWS, seen = first + rows;
    if (rows < FEW_ROWS) memset(packed_queries, 0, (size_t)(words * FEW_ROWS) * sizeof(packed_word));
    const long whole = half ? width / 2 : width;
    for (long i = 0; i < rows; i++) {
      const void *query = operand_at(queries, (first + i) * stride, half);
      packed_word *lane = packed_queries + i;
      for (long w = 0; w < whole; w++) {
        packed_word word = 0;
        memcpy(&word, operand_at(query, each * w, half), half ? 4 : sizeof(real));
        lane[w * FEW_ROWS] = word;
      }
      if (whole < words) lane[whole * FEW_ROWS] = ((const uint16_t *)query)[2 * whole];
    }
    lanes sums[BLOCK_ROWS][2];
    for (long s = 0; s < seen;) {
      const void *key = operand_at(keys, s * stride, half);
      int height = seen - s >= BLOCK_ROWS ? BLOCK_ROWS : seen - s >= 4 ? 4 : 1;
      if (height == BLOCK_ROWS) {
        lane_sums(whole, packed_queries, FEW_ROWS, key, key_bytes, step, sums, BLOCK_ROWS, half);
      } else if (height == 4) {
        lane_sums(whole, packed_queries, FEW_ROWS, key, key_bytes, step, sums, 4, half);
      } else {
        lane_sums(whole, packed_queries, FEW_ROWS, key, key_bytes, step, sums, 1, half);
      }
      for (int j = 0; j < height && whole < words; j++) {
        for (int v = 0; v < 2; v++) {
          add_products(&sums[j][v], packed_queries + whole * FEW_ROWS + v * LANES,
                       operand_at(key, j * stride + each * whole, half), half, false);
        }
      }
      memcpy(scores + s * FEW_ROWS, sums, (size_t)height * sizeof sums[0]);
      s += height;
    }
    real tops[FEW_ROWS], totals[FEW_ROWS];
    lane_softmax(seen, first, scale, scores, p, tops, totals, half);
    for (long i = 0; i < rows; i++) log_sum_exp[first + i] = tops[i] + real_log(totals[i]);
    for (long i = 0; i < rows; i += 8) {
      for (long c = 0; c < width; c += FEW_ROWS) {
        lane_sums(few_words(seen, half), packed_values + c, padded, p + i, sizeof(packed_word),
                  FEW_ROWS * sizeof(packed_word), sums, 8, half);
        long columns = width - c < FEW_ROWS ? width - c : FEW_ROWS;
        for (long j = 0; j < 8 && i + j < rows; j++) {
          real row[FEW_ROWS], factor = 1 / totals[i + j];
          memcpy(row, sums[j], sizeof row);
          void *into = operand_at(out, (first + i + j) * out_stride + c, half);
          if (columns == FEW_ROWS) {
            for (long k = 0; k < FEW_ROWS; k++) store_operand(into, k, row[k] * factor, half);
          } else {
            for (long k = 0; k < columns; k++) store_operand(into, k, row[k] * factor, half);
          }
        }
      }
    }
  }
}

KERNEL void causal_attention(long length, long width, double scale, const void *queries, const void *keys,
                             const void *values, long stride, void *out, long out_stride, void *log_sum_exp,
                             void *scratch, bool half) {
  BY_FORM(half, causal_attention_in, length, width, (real)scale, queries, keys, values, stride, out, out_stride,
          log_sum_exp, scratch);
}

KERNEL void attend(long seen, long width, double scale, const void *query, const void *keys, const void *pvalues,
                   void *pscores, void *pout) {
  VECTOR_SUMS
  real *scores = pscores, *out = pout, sum = 0;
  // Keys and values of one head are too few for the processor to notice a pattern.
  const long bytes = seen * width * (long)sizeof(real);
  for (long at = 0; at < bytes; at += 64) __builtin_prefetch((const char *)keys + at);
  for (long at = 0; at < bytes; at += 64) __builtin_prefetch((const char *)pvalues + at, 0, 2);
  row_product(seen, width, query, keys, width, scores, false);
  real top = row_max(seen, scores);
  for (long s = 0; s < seen; s++) {
    real e = real_exp((scores[s] - top) * (real)scale);
    scores[s] = e;
    sum += e;
  }
  const real *value = pvalues;
  for (long c = 0; c < width; c++) out[c] = 0;
  long s = 0;
  for (; s + 4 <= seen; s += 4, value += 4 * width) {
    real p0 = scores[s], p1 = scores[s + 1], p2 = scores[s + 2], p3 = scores[s + 3];
    for (long c = 0; c < width; c++) {
      out[c] += (p0 * value[c] + p1 * value[width + c]) + (p2 * value[2 * width + c] + p3 * value[3 * width + c]);
    }
  }
  for (; s < seen; s++, value += width) {
    for (long c = 0; c < width; c++) out[c] += scores[s] * value[c];
  }
  for (long c = 0; c < width; c++) out[c] /= sum;
}
