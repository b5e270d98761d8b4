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
