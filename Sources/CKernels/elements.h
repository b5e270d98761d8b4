// Element by element: bias, residual with dropout, GELU, sums.

KERNEL void add(long count, const void *px, void *py) {
  const real *x = px;
  real *y = py;
  for (long i = 0; i < count; i++) y[i] += x[i];
}

KERNEL void multiply(long count, double factor, void *px) {
  real *x = px, f = (real)factor;
  for (long i = 0; i < count; i++) x[i] *= f;
}

KERNEL void fill(long count, double value, void *px) {
  real *x = px, v = (real)value;
  for (long i = 0; i < count; i++) x[i] = v;
}

KERNEL double squared_norm(long count, const void *px) {
  VECTOR_SUMS
  const real *x = px;
  double sum = 0;
  for (long i = 0; i < count; i++) sum += (double)x[i] * (double)x[i];
  return sum;
}

KERNEL void dropout(long count, uint64_t first, dropout_mask mask, void *px) {
  real *x = px, scale = (real)mask.scale;
  for (long i = 0; i < count; i++) x[i] = masked(x[i], mask, scale, first + (uint64_t)i);
}

KERNEL void add_bias(long rows, long columns, const void *pbias, void *px, long stride) {
  const real *bias = pbias;
  real *x = px;
  for (long r = 0; r < rows; r++, x += stride) {
    for (long c = 0; c < columns; c++) x[c] += bias[c];
  }
}

KERNEL void residual(long rows, long columns, const void *presidual, const void *pbranch, const void *pbias,
                     uint64_t first, dropout_mask mask, void *pout) {
  const real *stream = presidual, *branch = pbranch, *bias = pbias;
  real *out = pout, scale = (real)mask.scale;
  for (long r = 0; r < rows; r++, stream += columns, branch += columns, out += columns, first += (uint64_t)columns) {
    if (mask.threshold) {
      for (long c = 0; c < columns; c++) {
        out[c] = stream[c] + masked(branch[c] + (bias ? bias[c] : 0), mask, scale, first + (uint64_t)c);
      }
    } else if (bias) {
      for (long c = 0; c < columns; c++) out[c] = stream[c] + (branch[c] + bias[c]);
    } else {
      for (long c = 0; c < columns; c++) out[c] = stream[c] + branch[c];
    }
  }
}

KERNEL void bias_gelu(long rows, long columns, const void *pbias, void *ph, void *pout) {
  FUSED
  const real *bias = pbias;
  real *h = ph, *out = pout;
  for (long r = 0; r < rows; r++, h += columns, out += columns) {
    for (long c = 0; c < columns; c++) {
      real x = h[c] + bias[c], density;
      real tail = normal_tail(x, &density);
      h[c] = x;
      out[c] = x * (x < 0 ? tail : 1 - tail);
    }
  }
}

KERNEL void gelu_backward(long count, const void *ph, void *pd) {
  FUSED
  const real *h = ph;
  real *d = pd;
  for (long i = 0; i < count; i++) {
    real x = h[i], density;
    real tail = normal_tail(x, &density);
    d[i] *= (x < 0 ? tail : 1 - tail) + x * density * (real)0.39894228040143268;
  }
}

// Sums in blocks of 64 rows, so that rounding grows with the number of blocks only.
KERNEL void column_sum(long rows, long columns, double factor, const void *px, long stride, void *pout) {
  const real *x = px;
  real *out = pout;
  for (long first = 0; first < columns; first += 64) {
    long width = columns - first < 64 ? columns - first : 64;
    for (long block = 0; block < rows; block += 64) {
      long last = block + 64 < rows ? block + 64 : rows;
      real sums[64] = {0};
      for (long r = block; r < last; r++) {
        for (long c = 0; c < width; c++) sums[c] += x[r * stride + first + c];
      }
      for (long c = 0; c < width; c++) out[first + c] += (real)factor * sums[c];
    }
  }
}
