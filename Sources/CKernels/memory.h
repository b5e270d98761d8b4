// The product-key memory: choice of slots, weighted reading of values, and both backward.
// n sub-keys a half, k = topk, slot = i * n + j.

typedef struct {
  real *scores;       // a copy without NaN
  real *kept_scores;  // those that passed the threshold
  int32_t *kept_ids;
} selection_scratch;

// The k best of `count` scores, best first; of equal scores the lower id goes first (ids NULL: the position is the id).
// A threshold that a little more than k scores reach is found by bisection, and what passes is ranked by counting how
// many go before it: both are loops of plain comparisons, which run in vectors.
INLINE void select_top(long count, long k, const real *given, const int32_t *ids, real *top_scores, int32_t *top_ids,
                       selection_scratch scratch) {
  real *x = scratch.scores;
  real low = REAL_MAX, high = -REAL_MAX;
  for (long i = 0; i < count; i++) x[i] = given[i] != given[i] ? -(real)INFINITY : given[i];
  high = row_max(count, x);
  for (long i = 0; i < count; i++) low = x[i] < low ? x[i] : low;
  low = low < -REAL_MAX ? -REAL_MAX : low;
  high = high > REAL_MAX ? REAL_MAX : high;
  real threshold = -(real)INFINITY;
  long passing = count, enough = k + k / 4;
  for (int probe = 0; probe < 32 && passing > enough; probe++) {
    real middle = low * (real)0.5 + high * (real)0.5;
    int reached = 0;
    for (long i = 0; i < count; i++) reached += x[i] >= middle;
    if (reached >= k) {
      threshold = low = middle;
      passing = reached;
    } else {
      high = middle;
    }
  }
  real *kept = scratch.kept_scores;
  int32_t *kept_ids = scratch.kept_ids;
  long m = 0;
  for (long i = 0; i < count; i++) {
    kept[m] = x[i];
    kept_ids[m] = ids ? ids[i] : (int32_t)i;
    m += x[i] >= threshold;
  }
  for (long i = 0; i < m; i++) {
    real score = kept[i];
    int32_t id = kept_ids[i];
    int rank = 0;
    for (long j = 0; j < m; j++) rank += (kept[j] > score) | ((kept[j] == score) & (kept_ids[j] < id));
    if (rank < k) {
      top_scores[rank] = score;
      top_ids[rank] = id;
    }
  }
}

// Pairs (r, c), counted from 0, that can be among the k best: (r + 1)(c + 1) <= k, both below n.
INLINE long candidate_count(long n, long k) {
  long count = 0;
  for (long r = 0; r < k && r < n; r++) count += k / (r + 1) < n ? k / (r + 1) : n;
  return count;
}

static long product_top_scratch(long n, long k) {
  long widest = candidate_count(n, k) > n ? candidate_count(n, k) : n;
  return (widest + 64) * (long)(3 * sizeof(real) + 2 * sizeof(int32_t)) + 3 * k * (long)(sizeof(real) + sizeof(int32_t)) + 1024;
}

KERNEL void product_top(long rows, long n, long k, const void *pfirst, const void *psecond, long stride,
                        int32_t *slots, void *pweights, void *pscores, long out_stride, void *scratch) {
  const real *first = pfirst, *second = psecond;
  real *weights = pweights, *scores = pscores;
  long pairs = candidate_count(n, k), widest = (pairs > n ? pairs : n) + 64;
  real *space = scratch;
  selection_scratch selection = {.scores = space, .kept_scores = space + widest};
  real *sums = space + 2 * widest, *a = sums + widest, *b = a + k, *best = b + k;
  int32_t *integers = (int32_t *)(best + k);
  selection.kept_ids = integers;
  int32_t *sum_slots = integers + widest, *i = sum_slots + widest, *j = i + k;
  for (long row = 0; row < rows; row++, first += stride, second += stride, slots += out_stride) {
    long half = k < n ? k : n;
    select_top(n, half, first, NULL, a, i, selection);
    select_top(n, half, second, NULL, b, j, selection);
    long count = 0;
    for (long r = 0; r < half; r++) {
      long width = k / (r + 1) < half ? k / (r + 1) : half;
      for (long c = 0; c < width; c++) {
        sums[count + c] = a[r] + b[c];
        sum_slots[count + c] = (int32_t)(i[r] * n + j[c]);
      }
      count += width;
    }
    select_top(count, k, sums, sum_slots, best, slots, selection);
    real total = 0;
    for (long m = 0; m < k; m++) {
      weights[m] = real_exp(best[m] - best[0]);
      total += weights[m];
    }
    for (long m = 0; m < k; m++) weights[m] /= total;
    weights += out_stride;
    if (scores) {
      for (long m = 0; m < k; m++) scores[m] = best[m];
      scores += out_stride;
    }
  }
}

INLINE void weighted_sum_in(long rows, long reads, long columns, const int32_t *slots, const real *weights,
                            const void *values, real *y, const bool half) {
  FUSED
  for (long row = 0; row < rows; row++, slots += reads, weights += reads, y += columns) {
    for (long c = 0; c < columns; c++) y[c] = 0;
    long m = 0;
    for (; m + 4 <= reads; m += 4) {
      const void *v0 = operand_at(values, slots[m] * columns, half);
      const void *v1 = operand_at(values, slots[m + 1] * columns, half);
      const void *v2 = operand_at(values, slots[m + 2] * columns, half);
      const void *v3 = operand_at(values, slots[m + 3] * columns, half);
      real w0 = weights[m], w1 = weights[m + 1], w2 = weights[m + 2], w3 = weights[m + 3];
      for (long ahead = m + 4; ahead < m + 8 && ahead < reads; ahead++) {
        const char *next = operand_at(values, slots[ahead] * columns, half);
        for (int line = 0; line < 4; line++) __builtin_prefetch(next + 64 * line);
      }
      for (long c = 0; c < columns; c++) {
        y[c] += (w0 * load_operand(v0, c, half) + w1 * load_operand(v1, c, half)) +
                (w2 * load_operand(v2, c, half) + w3 * load_operand(v3, c, half));
      }
    }
    for (; m < reads; m++) {
      const void *v = operand_at(values, slots[m] * columns, half);
      for (long c = 0; c < columns; c++) y[c] += weights[m] * load_operand(v, c, half);
    }
  }
}

KERNEL void weighted_sum(long rows, long reads, long columns, const int32_t *slots, const void *weights,
                         const void *values, void *y, bool half) {
  BY_FORM(half, weighted_sum_in, rows, reads, columns, slots, weights, values, y);
}

// Slot by slot, so that each value row is fetched once and each gradient row stays in the nearest cache.
INLINE void weighted_sum_backward_in(long count, long reads, long columns, const int32_t *slot_ids,
                                     const int32_t *starts, const int32_t *order, const int32_t *rows_of,
                                     const uint8_t *is_new, const real *weights, const void *values, const real *dy,
                                     real *d_weights, real *gradient, const bool half) {
  VECTOR_SUMS
  for (long s = 0; s < count; s++) {
    const void *value = operand_at(values, slot_ids[s] * columns, half);
    real *into = gradient + rows_of[s] * columns;
    if (is_new[s]) {
      for (long c = 0; c < columns; c++) into[c] = 0;
    }
    for (long at = starts[s]; at < starts[s + 1]; at++) {
      long read = order[at];
      const real *d = dy + read / reads * columns;
      real weight = weights[read], sum = 0;
      for (long c = 0; c < columns; c++) {
        sum += d[c] * load_operand(value, c, half);
        into[c] += weight * d[c];
      }
      d_weights[read] = sum;
    }
  }
}

KERNEL void weighted_sum_backward(long count, long reads, long columns, const int32_t *slot_ids,
                                  const int32_t *starts, const int32_t *order, const int32_t *rows_of,
                                  const uint8_t *is_new, const void *weights, const void *values, const void *dy,
                                  void *d_weights, void *gradient, bool half) {
  BY_FORM(half, weighted_sum_backward_in, count, reads, columns, slot_ids, starts, order, rows_of, is_new, weights,
          values, dy, d_weights, gradient);
}

INLINE void product_top_backward_in(long rows, long n, long k, const int32_t *slots, const real *weights,
                                    const real *d_weights, long in_stride, void *d_scores, long stride, real *space,
                                    const bool half) {
  VECTOR_SUMS
  for (long row = 0; row < rows; row++) {
    real *d_first = half ? space : d_scores, *d_second = d_first + n;
    for (long i = 0; i < 2 * n; i++) d_first[i] = 0;
    real mean = 0;
    for (long m = 0; m < k; m++) mean += weights[m] * d_weights[m];
    for (long m = 0; m < k; m++) {
      real d = weights[m] * (d_weights[m] - mean);
      int32_t i = slots[m] / (int32_t)n;
      d_first[i] += d;
      d_second[slots[m] - i * (int32_t)n] += d;
    }
    if (half) {
      for (long i = 0; i < 2 * n; i++) store_operand(d_scores, i, space[i], half);
    }
    slots += in_stride, weights += in_stride, d_weights += in_stride;
    d_scores = operand_at(d_scores, stride, half);
  }
}

KERNEL void product_top_backward(long rows, long n, long k, const int32_t *slots, const void *weights,
                                 const void *d_weights, long in_stride, void *d_scores, long stride, void *space,
                                 bool half) {
  BY_FORM(half, product_top_backward_in, rows, n, k, slots, weights, d_weights, in_stride, d_scores, stride, space);
}

static void accumulate_mass(long count, const int32_t *slots, const void *pweights, double *mass) {
  const real *weights = pweights;
  for (long i = 0; i < count; i++) mass[slots[i]] += (double)weights[i];
}
