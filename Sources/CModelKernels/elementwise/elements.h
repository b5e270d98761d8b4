// Elementwise kernels: bias, residual with dropout, GELU, sums.
#pragma once
#include "elementwise/random.h"
#include "operands.h"

KERNEL void add(long count, const void *px, void *py) {
  const real *x = px;
  real *y = py;
  for (long i = 0; i < count; i++) y[i] += x[i];
}

KERNEL void scale(long count, double factor, void *px) {
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

KERNEL void dropout(long count, uint64_t first, pkm_dropout_mask mask, void *px) {
  real *x = px, scale = (real)mask.scale;
  for (long i = 0; i < count; i++) x[i] = masked(x[i], mask, scale, first + (uint64_t)i);
}

INLINE void add_bias_in(long rows, long columns, const real *bias, const real *x, long stride, void *out,
                        long out_stride, const bool bf16) {
  for (long r = 0; r < rows; r++, x += stride, out = operand_at(out, out_stride, bf16)) {
    EACH_ITSELF
    for (long c = 0; c < columns; c++) store_operand(out, c, x[c] + bias[c], bf16);
  }
}

KERNEL void add_bias(long rows, long columns, const void *bias, const void *x, long stride, void *out, long out_stride,
                     bool bf16) {
  BY_FORM(bf16, add_bias_in, rows, columns, bias, x, stride, out, out_stride);
}

KERNEL void round_to_bf16(long rows, long columns, const void *px, long stride, void *pout, long out_stride) {
  const real *x = px;
  uint16_t *out = pout;
  for (long r = 0; r < rows; r++, x += stride, out += out_stride) {
    EACH_ITSELF
    for (long c = 0; c < columns; c++) out[c] = to_bf16(x[c]);
  }
}

KERNEL void widen_bf16(long rows, long columns, const void *px, long stride, void *pout, long out_stride) {
  const uint16_t *x = px;
  real *out = pout;
  for (long r = 0; r < rows; r++, x += stride, out += out_stride) {
    for (long c = 0; c < columns; c++) out[c] = from_bf16(x[c]);
  }
}

KERNEL void residual(long rows, long columns, const void *presidual, const void *pbranch, long branch_stride,
                     const void *pbias, uint64_t first, pkm_dropout_mask mask, void *pout, long stride) {
  const real *stream = presidual, *branch = pbranch, *bias = pbias;
  real *out = pout, scale = (real)mask.scale;
  for (long r = 0; r < rows; r++, stream += stride, branch += branch_stride, out += stride, first += (uint64_t)stride) {
    if (mask.threshold) {
      EACH_ITSELF
      for (long c = 0; c < columns; c++) {
        out[c] = stream[c] + masked(branch[c] + (bias ? bias[c] : 0), mask, scale, first + (uint64_t)c);
      }
    } else if (bias) {
      EACH_ITSELF
      for (long c = 0; c < columns; c++) out[c] = stream[c] + (branch[c] + bias[c]);
    } else {
      EACH_ITSELF
      for (long c = 0; c < columns; c++) out[c] = stream[c] + branch[c];
    }
  }
}

INLINE real gelu(real x, real tail) { return x * (x < 0 ? tail : 1 - tail); }

// Copies to memory that is not read soon, past the caches: saves reading the destination and evicts nothing.
INLINE void store_nontemporal(const void *x, long bytes, void *out) {
#if HAS_AVX512
  if ((uintptr_t)out % 64 == 0 && bytes % 64 == 0) {
    for (long i = 0; i < bytes; i += 64) _mm512_stream_si512((char *)out + i, _mm512_loadu_si512((const char *)x + i));
    return;
  }
#endif
  memcpy(out, x, (size_t)bytes);
}

// Orders such stores before everything that follows.
INLINE void end_nontemporal_stores(void) {
#if HAS_AVX512
  _mm_sfence();
#endif
}

KERNEL void copy_rows_nontemporal(long rows, long columns, const void *px, long stride, void *pout, long out_stride) {
  const real *x = px;
  real *out = pout;
  for (long r = 0; r < rows; r++, x += stride, out += out_stride) {
    store_nontemporal(x, columns * (long)sizeof *x, out);
  }
  end_nontemporal_stores();
}

// `saved` is read in the backward pass, after the rest of the forward pass, so it is stored past the caches.
INLINE void bias_gelu_in(long rows, long columns, const real *bias, const real *h, long stride, void *saved, void *out,
                         long out_stride, const bool saves, const bool bf16) {
  FUSED
  enum { PART = 256 };
  real part[PART];
  for (long r = 0; r < rows; r++, h += stride) {
    for (long first = 0; first < columns; first += PART) {
      const long last = first + PART < columns ? first + PART : columns;
      EACH_ITSELF
      for (long c = first; c < last; c++) {
        real x = h[c] + bias[c], density;
        // GELU of the rounded number, because the backward pass recomputes the result from it.
        if (bf16) x = from_bf16(to_bf16(x));
        real tail = normal_tail(x, &density);
        if (saves) store_operand(part, c - first, x, bf16);
        store_operand(out, c, gelu(x, tail), bf16);
      }
      if (saves) {
        store_nontemporal(part, (last - first) * (long)(bf16 ? 2 : sizeof(real)), operand_at(saved, first, bf16));
      }
    }
    if (saves) saved = operand_at(saved, out_stride, bf16);
    out = operand_at(out, out_stride, bf16);
  }
  if (saves) end_nontemporal_stores();
}

KERNEL void bias_gelu(long rows, long columns, const void *bias, const void *h, long stride, void *saved, void *out,
                      long out_stride, bool bf16) {
  if (saved) {
    BY_FORM(bf16, bias_gelu_in, rows, columns, bias, h, stride, saved, out, out_stride, true);
  } else {
    BY_FORM(bf16, bias_gelu_in, rows, columns, bias, h, stride, NULL, out, out_stride, false);
  }
}

INLINE void gelu_backward_in(long rows, long columns, void *h, const real *d, long d_stride, void *recomputed,
                             long stride, const bool bf16) {
  FUSED
  for (long r = 0; r < rows; r++, d += d_stride) {
    EACH_ITSELF
    for (long c = 0; c < columns; c++) {
      real x = load_operand(h, c, bf16), density;
      real tail = normal_tail(x, &density);
      real slope = (x < 0 ? tail : 1 - tail) + x * density * (real)0.39894228040143268;
      store_operand(h, c, d[c] * slope, bf16);
      store_operand(recomputed, c, gelu(x, tail), bf16);
    }
    h = operand_at(h, stride, bf16), recomputed = operand_at(recomputed, stride, bf16);
  }
}

KERNEL void gelu_backward(long rows, long columns, void *h, const void *d, long d_stride, void *recomputed, long stride,
                          bool bf16) {
  BY_FORM(bf16, gelu_backward_in, rows, columns, h, d, d_stride, recomputed, stride);
}

// Sums blocks of 64 rows first, so that rounding errors grow with the number of blocks and not with the rows.
INLINE void column_sum_in(long rows, long columns, double factor, const void *x, long stride, real *out,
                          const bool bf16) {
  for (long first = 0; first < columns; first += 64) {
    long width = columns - first < 64 ? columns - first : 64;
    for (long block = 0; block < rows; block += 64) {
      long last = block + 64 < rows ? block + 64 : rows;
      real sums[64] = {0};
      for (long r = block; r < last; r++) {
        const void *row = operand_at(x, r * stride + first, bf16);
        for (long c = 0; c < width; c++) sums[c] += load_operand(row, c, bf16);
      }
      for (long c = 0; c < width; c++) out[first + c] += (real)factor * sums[c];
    }
  }
}

KERNEL void column_sum(long rows, long columns, double factor, const void *x, long stride, void *out, bool bf16) {
  BY_FORM(bf16, column_sum_in, rows, columns, factor, x, stride, out);
}
