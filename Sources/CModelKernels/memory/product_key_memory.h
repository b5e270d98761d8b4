// The product-key memory: weighted reading of values, and backward through it and through the choice of slots.

// Of reals the starts of the next rows are fetched ahead, which the processor then goes on with by itself; of bfloat16 all of them,
// piece by piece: those rows are short.
INLINE void weighted_sum_in(long rows, long reads, long columns, const int32_t *slots, const real *weights,
                            const void *values, real *y, const bool bf16) {
  FUSED
  const long piece = bf16 ? 64 : columns, fetched = bf16 ? 128 : 256;
  for (long row = 0; row < rows; row++, slots += reads, weights += reads, y += columns) {
    for (long c = 0; c < columns; c++) y[c] = 0;
    long m = 0;
    for (; m + 4 <= reads; m += 4) {
      const void *v[4], *next[4];
      for (int j = 0; j < 4; j++) {
        const long ahead = m + 4 + j < reads || row + 1 < rows ? m + 4 + j : m + j;
        v[j] = operand_at(values, slots[m + j] * columns, bf16), next[j] = operand_at(values, slots[ahead] * columns, bf16);
      }
      const real w0 = weights[m], w1 = weights[m + 1], w2 = weights[m + 2], w3 = weights[m + 3];
      for (long first = 0; first < columns; first += piece) {
        const long end = first + piece < columns ? first + piece : columns;
        for (int j = 0; j < 4; j++) {
          for (long at = 0; at < fetched; at += 64) __builtin_prefetch((const char *)operand_at(next[j], first, bf16) + at);
        }
        for (long c = first; c < end; c++) {
          y[c] += (w0 * load_operand(v[0], c, bf16) + w1 * load_operand(v[1], c, bf16)) +
                  (w2 * load_operand(v[2], c, bf16) + w3 * load_operand(v[3], c, bf16));
        }
      }
    }
    for (; m < reads; m++) {
      const void *v = operand_at(values, slots[m] * columns, bf16);
      for (long c = 0; c < columns; c++) y[c] += weights[m] * load_operand(v, c, bf16);
    }
  }
}

KERNEL void weighted_sum(long rows, long reads, long columns, const int32_t *slots, const void *weights,
                         const void *values, void *y, bool bf16) {
  BY_FORM(bf16, weighted_sum_in, rows, reads, columns, slots, weights, values, y);
}

// Slot by slot, so that each value row is fetched once.
INLINE void weighted_sum_backward_in(long count, long reads, long columns, const int32_t *slot_ids,
                                     const int32_t *starts, const int32_t *order, const void *values, const real *dy,
                                     real *d_weights, const bool bf16) {
  VECTOR_SUMS
  for (long s = 0; s < count; s++) {
    const void *value = operand_at(values, slot_ids[s] * columns, bf16);
    for (long at = starts[s]; at < starts[s + 1]; at++) {
      const real *d = dy + order[at] / reads * columns;
      real sum = 0;
      for (long c = 0; c < columns; c++) sum += d[c] * load_operand(value, c, bf16);
      d_weights[order[at]] = sum;
    }
  }
}

KERNEL void weighted_sum_backward(long count, long reads, long columns, const int32_t *slot_ids, const int32_t *starts,
                                  const int32_t *order, const void *values, const void *dy, void *d_weights, bool bf16) {
  BY_FORM(bf16, weighted_sum_backward_in, count, reads, columns, slot_ids, starts, order, values, dy, d_weights);
}

// Columns of the gradient row of one slot, the sum of weight times dy over its reads, in the order of the reads. The sums
// of a piece stay in registers.
INLINE void gradient_piece(long width, long count, const int32_t *order, long reads, long columns, const real *weights,
                           const real *dy, real *gradient) {
  FUSED
  enum { PIECE = 8 * LANES };
  long first = 0;
  for (; first + PIECE <= width; first += PIECE) {
    lanes sums[8] = {{0}};
    for (long at = 0; at < count; at++) {
      const real *d = dy + order[at] / reads * columns + first;
      real weight = weights[order[at]];
      for (int v = 0; v < 8; v++) {
        lanes numbers;
        memcpy(&numbers, d + v * LANES, sizeof numbers);
        sums[v] += weight * numbers;
      }
    }
    memcpy(gradient + first, sums, sizeof sums);
  }
  if (first == width) return;
  for (long c = first; c < width; c++) gradient[c] = 0;
  for (long at = 0; at < count; at++) {
    const real *d = dy + order[at] / reads * columns;
    real weight = weights[order[at]];
    for (long c = first; c < width; c++) gradient[c] += weight * d[c];
  }
}

// Columns of a gradient row that are made at a time: they stay in the nearest cache.
enum { GRADIENT_COLUMNS = 512 };

KERNEL double value_gradient_norm(long count, long reads, long columns, const int32_t *starts, const int32_t *order,
                                  const void *weights, const void *dy) {
  double sum = 0;
  for (long s = 0; s < count; s++) {
    for (long first = 0; first < columns; first += GRADIENT_COLUMNS) {
      long width = columns - first < GRADIENT_COLUMNS ? columns - first : GRADIENT_COLUMNS;
      real gradient[GRADIENT_COLUMNS];
      gradient_piece(width, starts[s + 1] - starts[s], order + starts[s], reads, columns, weights,
                     (const real *)dy + first, gradient);
      sum += squared_norm(width, gradient);
    }
  }
  return sum;
}

INLINE void product_top_backward_in(long rows, long n, long k, const int32_t *slots, const real *weights,
                                    const real *d_weights, long in_stride, void *d_scores, long stride, real *space,
                                    const bool bf16) {
  VECTOR_SUMS
  for (long row = 0; row < rows; row++) {
    real *d_first = bf16 ? space : d_scores, *d_second = d_first + n;
    for (long i = 0; i < 2 * n; i++) d_first[i] = 0;
    real mean = 0;
    for (long m = 0; m < k; m++) mean += weights[m] * d_weights[m];
    for (long m = 0; m < k; m++) {
      real d = weights[m] * (d_weights[m] - mean);
      int32_t i = slots[m] / (int32_t)n;
      d_first[i] += d;
      d_second[slots[m] - i * (int32_t)n] += d;
    }
    if (bf16) {
      for (long i = 0; i < 2 * n; i++) store_operand(d_scores, i, space[i], bf16);
    }
    slots += in_stride, weights += in_stride, d_weights += in_stride;
    d_scores = operand_at(d_scores, stride, bf16);
  }
}

KERNEL void product_top_backward(long rows, long n, long k, const int32_t *slots, const void *weights,
                                 const void *d_weights, long in_stride, void *d_scores, long stride, void *space,
                                 bool bf16) {
  BY_FORM(bf16, product_top_backward_in, rows, n, k, slots, weights, d_weights, in_stride, d_scores, stride, space);
}

static void accumulate_mass(long count, const int32_t *slots, const void *pweights, double *mass) {
  const real *weights = pweights;
  for (long i = 0; i < count; i++) mass[slots[i]] += (double)weights[i];
}
