// Layer normalization over rows and batch normalization over columns.
#pragma once
#include "operands.h"

KERNEL void layer_norm(long rows, long columns, const void *px, const void *pgamma, const void *pbeta, double epsilon,
                       void *py, void *pbf16, void *pmean, void *pinverse) {
  VECTOR_SUMS
  const real *x = px, *gamma = pgamma, *beta = pbeta;
  real *y = py, *means = pmean, *inverses = pinverse;
  uint16_t *bf16 = pbf16;
  for (long r = 0; r < rows; r++, x += columns) {
    real sum = 0, squares = 0;
    for (long c = 0; c < columns; c++) sum += x[c];
    real mean = sum / (real)columns;
    for (long c = 0; c < columns; c++) squares += (x[c] - mean) * (x[c] - mean);
    real inverse = 1 / real_sqrt(squares / (real)columns + (real)epsilon);
    if (y) {
      for (long c = 0; c < columns; c++) y[c] = (x[c] - mean) * inverse * gamma[c] + beta[c];
      y += columns;
    }
    if (bf16) {
      for (long c = 0; c < columns; c++) bf16[c] = to_bf16((x[c] - mean) * inverse * gamma[c] + beta[c]);
      bf16 += columns;
    }
    means[r] = mean;
    inverses[r] = inverse;
  }
}

KERNEL void layer_norm_backward(long rows, long columns, const void *px, const void *pdy, const void *pgamma,
                                const void *pmean, const void *pinverse, int adds, void *pdx, void *pbf16,
                                void *pd_gamma, void *pd_beta) {
  VECTOR_SUMS
  const real *x = px, *dy = pdy, *gamma = pgamma, *means = pmean, *inverses = pinverse;
  real *dx = pdx, *d_gamma = pd_gamma, *d_beta = pd_beta;
  uint16_t *bf16 = pbf16;
  for (long c = 0; c < columns; c++) d_gamma[c] = d_beta[c] = 0;
  for (long r = 0; r < rows; r++, x += columns, dy += columns, dx += columns) {
    real mean = means[r], inverse = inverses[r], sum = 0, products = 0;
    for (long c = 0; c < columns; c++) {
      real normal = (x[c] - mean) * inverse, a = gamma[c] * dy[c];
      sum += a;
      products += a * normal;
    }
    sum /= (real)columns;
    products /= (real)columns;
    real keep = adds ? 1 : 0;
    for (long c = 0; c < columns; c++) {
      real normal = (x[c] - mean) * inverse, d = dy[c];
      d_gamma[c] += d * normal;
      d_beta[c] += d;
      real old = adds ? dx[c] : 0;
      dx[c] = keep * old + inverse * (gamma[c] * d - sum - normal * products);
    }
    if (bf16) {
      for (long c = 0; c < columns; c++) bf16[c] = to_bf16(dx[c]);
      bf16 += columns;
    }
  }
}

KERNEL void column_statistics(long rows, long columns, const void *px, long stride, void *pmean, void *pvariance) {
  const real *x = px;
  real *mean = pmean, *variance = pvariance;
  for (long c = 0; c < columns; c++) mean[c] = variance[c] = 0;
  for (int pass = 0; pass < 2; pass++) {
    real *total = pass ? variance : mean;
    for (long first = 0; first < columns; first += 64) {
      long width = columns - first < 64 ? columns - first : 64;
      for (long block = 0; block < rows; block += 64) {
        long last = block + 64 < rows ? block + 64 : rows;
        real sums[64] = {0};
        for (long r = block; r < last; r++) {
          const real *row = x + r * stride + first;
          if (pass) {
            for (long c = 0; c < width; c++) sums[c] += (row[c] - mean[first + c]) * (row[c] - mean[first + c]);
          } else {
            for (long c = 0; c < width; c++) sums[c] += row[c];
          }
        }
        for (long c = 0; c < width; c++) total[first + c] += sums[c];
      }
    }
    for (long c = 0; c < columns; c++) total[c] /= (real)rows;
  }
}

KERNEL void batch_norm(long rows, long columns, const void *px, long stride, const void *pmean, const void *pvariance,
                       const void *pgamma, const void *pbeta, double epsilon, void *py) {
  const real *x = px, *mean = pmean, *variance = pvariance, *gamma = pgamma, *beta = pbeta;
  real *y = py;
  for (long first = 0; first < columns; first += 64) {
    long width = columns - first < 64 ? columns - first : 64;
    real factor[64];
    for (long c = 0; c < width; c++) {
      factor[c] = gamma[first + c] / real_sqrt(variance[first + c] + (real)epsilon);
    }
    for (long r = 0; r < rows; r++) {
      const real *from = x + r * stride + first;
      real *to = y + r * stride + first;
      for (long c = 0; c < width; c++) to[c] = (from[c] - mean[first + c]) * factor[c] + beta[first + c];
    }
  }
}

KERNEL void batch_norm_backward(long rows, long columns, const void *px, const void *pdy, long stride,
                                const void *pmean, const void *pvariance, const void *pgamma, double epsilon,
                                int uses_batch, void *pdx, void *pd_gamma, void *pd_beta, void *psums) {
  const real *x = px, *dy = pdy, *mean = pmean, *variance = pvariance, *gamma = pgamma;
  real *dx = pdx, *d_gamma = pd_gamma, *d_beta = pd_beta, *sums = psums, *products = sums + columns;
  for (long first = 0; first < columns; first += 64) {
    long width = columns - first < 64 ? columns - first : 64;
    real inverse[64];
    for (long c = 0; c < width; c++) {
      inverse[c] = 1 / real_sqrt(variance[first + c] + (real)epsilon);
      sums[first + c] = products[first + c] = 0;
    }
    for (long block = 0; block < rows; block += 64) {
      long last = block + 64 < rows ? block + 64 : rows;
      real s[64] = {0}, p[64] = {0};
      for (long r = block; r < last; r++) {
        for (long c = 0; c < width; c++) {
          real d = dy[r * stride + first + c];
          s[c] += d;
          p[c] += d * ((x[r * stride + first + c] - mean[first + c]) * inverse[c]);
        }
      }
      for (long c = 0; c < width; c++) {
        sums[first + c] += s[c];
        products[first + c] += p[c];
      }
    }
    for (long c = 0; c < width; c++) {
      d_beta[first + c] += sums[first + c];
      d_gamma[first + c] += products[first + c];
      // From here on the means, which the gradient through the statistics subtracts; 0 if the statistics are constants.
      sums[first + c] = uses_batch ? sums[first + c] / (real)rows : 0;
      products[first + c] = uses_batch ? products[first + c] / (real)rows : 0;
    }
    for (long r = 0; r < rows; r++) {
      for (long c = 0; c < width; c++) {
        long i = r * stride + first + c;
        real normal = (x[i] - mean[first + c]) * inverse[c];
        dx[i] = gamma[first + c] * inverse[c] * (dy[i] - sums[first + c] - normal * products[first + c]);
      }
    }
  }
}
