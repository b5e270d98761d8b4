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
