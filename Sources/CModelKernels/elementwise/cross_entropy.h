// Softmax cross-entropy with uniform label smoothing.
#pragma once
#include "CModelKernels.h"
#include "operands.h"

// With z the logits, p = softmax z, q = (1 - e) [target] + e / V:
// nll = lse - z_target; smoothed = lse - (1 - e) z_target - (e / V) sum z; gradient p - q.
// Here z is exp(logits - the largest), and `share` is e / V.
INLINE void store_gradient(long columns, const real *z, real e_target, real factor, real share, int32_t target,
                           double smoothing, void *gradient, const bool bf16) {
  if (!bf16) gradient = (void *)z;
  for (long c = 0; c < columns; c++) store_operand(gradient, c, z[c] * factor - share, bf16);
  // z may be the gradient itself and overwritten by now, so its target element is an argument.
  real at_target = e_target * factor - share - (real)(1 - smoothing);
  store_operand(gradient, target, at_target, bf16);
}

// The largest number of x + bias, and their sum in `total`. NaN is ignored, as in row_max.
INLINE real biased_max(long count, const real *x, const real *bias, real *total) {
  real largest[4 * LANES], sums[4 * LANES];
  for (int j = 0; j < 4 * LANES; j++) largest[j] = -(real)INFINITY, sums[j] = 0;
  long c = 0;
  for (; c + 4 * LANES <= count; c += 4 * LANES) {
    for (int j = 0; j < 4 * LANES; j++) {
      real z = x[c + j] + bias[c + j];
      sums[j] += z;
      largest[j] = z > largest[j] ? z : largest[j];
    }
  }
  real best = -(real)INFINITY, sum = 0;
  for (; c < count; c++) {
    real z = x[c] + bias[c];
    sum += z;
    best = z > best ? z : best;
  }
  for (int j = 0; j < 4 * LANES; j++) {
    sum += sums[j];
    best = largest[j] > best ? largest[j] : best;
  }
  *total = sum;
  return best;
}

KERNEL pkm_row_loss cross_entropy(long columns, const void *pbias, int32_t target, double smoothing, void *plogits,
                                  void *gradient, bool bf16) {
  VECTOR_SUMS
  const real *bias = pbias;
  real *z = plogits;
  if (target < 0) {
    memset(gradient, 0, (size_t)columns * (bf16 ? sizeof(uint16_t) : sizeof(real)));
    return (pkm_row_loss){0, 0};
  }
  real total, top = biased_max(columns, z, bias, &total), at_target = z[target] + bias[target], sum = 0;
  for (long c = 0; c < columns; c++) {
    real e = real_exp(z[c] + bias[c] - top);
    z[c] = e;
    sum += e;
  }
  real factor = 1 / sum, share = (real)(smoothing / (double)columns), e_target = z[target];
  BY_FORM(bf16, store_gradient, columns, z, e_target, factor, share, target, smoothing, gradient);
  double lse = (double)top + log((double)sum), nll = lse - (double)at_target;
  return (pkm_row_loss){nll, (1 - smoothing) * nll + smoothing * (lse - (double)total / (double)columns)};
}

KERNEL void logit_sums(long rows, long columns, long first_column, const void *pbias, const int32_t *targets,
                       const void *plogits, long stride, pkm_logit_sums *out, long out_stride) {
  VECTOR_SUMS
  const real *bias = pbias, *z = plogits;
  for (long r = 0; r < rows; r++, z += stride, out += out_stride) {
    real total, top = biased_max(columns, z, bias, &total), sum = 0;
    for (long c = 0; c < columns; c++) sum += real_exp(z[c] + bias[c] - top);
    long target = targets[r] - first_column;
    double at_target = target >= 0 && target < columns ? (double)(z[target] + bias[target]) : 0;
    *out = (pkm_logit_sums){(double)top, (double)sum, (double)total, at_target};
  }
}

KERNEL double exponentials(long count, double ptop, double pfactor, const void *px, void *pout) {
  VECTOR_SUMS
  const real *x = px;
  real *out = pout, top = (real)ptop, factor = (real)pfactor, sum = 0;
  for (long c = 0; c < count; c++) {
    real e = real_exp((x[c] - top) * factor);
    out[c] = e;
    sum += e;
  }
  return (double)sum;
}
