// The causal softmax between the two products of attention, for a block of query rows.

KERNEL void causal_softmax(long rows, long first_row, long columns, double scale_, void *pscores, long stride,
                           void *plog_sum_exp) {
  VECTOR_SUMS
  real *scores = pscores, *log_sum_exp = plog_sum_exp, scale = (real)scale_;
  for (long r = 0; r < rows; r++, scores += stride) {
    long count = first_row + r + 1;
    real top = row_max(count, scores) * scale, sum = 0;
    for (long c = 0; c < count; c++) {
      real e = real_exp(scores[c] * scale - top);
      scores[c] = e;
      sum += e;
    }
    real factor = 1 / sum;
    for (long c = 0; c < count; c++) scores[c] *= factor;
    for (long c = count; c < columns; c++) scores[c] = 0;
    log_sum_exp[r] = top + real_log(sum);
  }
}

KERNEL void causal_probabilities(long rows, long first_row, long columns, double scale_, const void *plog_sum_exp,
                                 void *pscores, long stride) {
  const real *log_sum_exp = plog_sum_exp;
  real *scores = pscores, scale = (real)scale_;
  for (long r = 0; r < rows; r++, scores += stride) {
    long count = first_row + r + 1;
    real shift = log_sum_exp[r];
    for (long c = 0; c < count; c++) scores[c] = real_exp(scores[c] * scale - shift);
    for (long c = count; c < columns; c++) scores[c] = 0;
  }
}

KERNEL void causal_softmax_backward(long rows, long columns, long head_dimension, double scale_, const void *pp,
                                    const void *pout, const void *pd_out, long out_stride, void *pdp, long stride) {
  VECTOR_SUMS
  const real *p = pp, *out = pout, *d_out = pd_out;
  real *dp = pdp, scale = (real)scale_;
  for (long r = 0; r < rows; r++, p += stride, dp += stride, out += out_stride, d_out += out_stride) {
    real mean = 0;
    for (long c = 0; c < head_dimension; c++) mean += out[c] * d_out[c];
    for (long c = 0; c < columns; c++) dp[c] = p[c] * (dp[c] - mean) * scale;
  }
}
