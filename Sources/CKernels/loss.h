// Embedding, and softmax-cross-entropy with uniform label smoothing.

KERNEL void embed(long rows, long columns, long first_row, long length, const int32_t *tokens, const void *ptable,
                  const void *ppositions, void *pout) {
  const real *table = ptable, *positions = ppositions;
  real *out = pout;
  for (long r = 0; r < rows; r++, out += columns) {
    const real *token = table + tokens[r] * columns, *position = positions + (first_row + r) % length * columns;
    for (long c = 0; c < columns; c++) out[c] = token[c] + position[c];
  }
}

KERNEL void embed_backward(long rows, long columns, const int32_t *tokens, const void *pd, long stride, void *ptable) {
  const real *d = pd;
  real *table = ptable;
  for (long r = 0; r < rows; r++, d += stride) {
    real *row = table + tokens[r] * stride;
    for (long c = 0; c < columns; c++) row[c] += d[c];
  }
}

// With z the logits, p = softmax z, q = (1 - e) [target] + e / V:
// nll = lse - z_target; smoothed = lse - (1 - e) z_target - (e / V) sum z; gradient p - q.
KERNEL row_loss cross_entropy(long columns, const void *pbias, int32_t target, double smoothing, int gradient,
                              void *plogits) {
  VECTOR_SUMS
  const real *bias = pbias;
  real *z = plogits;
  if (target < 0) {
    for (long c = 0; gradient && c < columns; c++) z[c] = 0;
    return (row_loss){0, 0};
  }
  real total = 0, sum = 0;
  for (long c = 0; c < columns; c++) {
    z[c] += bias[c];
    total += z[c];
  }
  real top = row_max(columns, z), at_target = z[target];
  if (gradient) {
    for (long c = 0; c < columns; c++) {
      real e = real_exp(z[c] - top);
      z[c] = e;
      sum += e;
    }
    real factor = 1 / sum, share = (real)(smoothing / (double)columns);
    for (long c = 0; c < columns; c++) z[c] = z[c] * factor - share;
    z[target] -= (real)(1 - smoothing);
  } else {
    for (long c = 0; c < columns; c++) sum += real_exp(z[c] - top);
  }
  double lse = (double)top + log((double)sum), nll = lse - (double)at_target;
  return (row_loss){
      nll, (1 - smoothing) * nll + smoothing * (lse - (double)total / (double)columns)};
}
