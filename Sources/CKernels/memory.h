// The product-key memory: choice of slots, weighted reading of values, and both backward.
// n sub-keys a half, k = topk, slot = i * n + j.

typedef struct {
  real *scores;       // a copy without NaN
  real *kept_scores;  // those that passed the threshold
  int32_t *kept_ids;
} selection_scratch;

// Collects the scores that reach a threshold, and their ids; returns how many.
INLINE long collect(long count, const real *x, const int32_t *ids, real threshold, selection_scratch scratch) {
  real *kept = scratch.kept_scores;
  int32_t *kept_ids = scratch.kept_ids;
  long m = 0, i = 0;
#if REAL_IS_FLOAT && HAS_AVX512
  __m512i positions = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (; i + LANES <= count; i += LANES) {
    __m512 scores = _mm512_loadu_ps(x + i);
    __m512i names = ids ? _mm512_loadu_si512(ids + i) : _mm512_add_epi32(positions, _mm512_set1_epi32((int)i));
    __mmask16 passes = _mm512_cmp_ps_mask(scores, _mm512_set1_ps(threshold), _CMP_GE_OQ);
    // Whole registers are stored: what follows the last one is room to spare.
    _mm512_storeu_ps(kept + m, _mm512_maskz_compress_ps(passes, scores));
    _mm512_storeu_si512(kept_ids + m, _mm512_maskz_compress_epi32(passes, names));
    m += __builtin_popcount(passes);
  }
#endif
  for (; i < count; i++) {
    kept[m] = x[i];
    kept_ids[m] = ids ? ids[i] : (int32_t)i;
    m += x[i] >= threshold;
  }
  return m;
}

// A threshold that at least k of `count` scores reach and no more than enough, found by bisection from `low`.
INLINE real bisect(long count, long k, long enough, const real *x, real low, real high) {
  real threshold = -(real)INFINITY;
  low = low < -REAL_MAX ? -REAL_MAX : low;
  high = high > REAL_MAX ? REAL_MAX : high;
  long passing = count;
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
  return threshold;
}

// The k best of `count` scores, best first; of equal scores the lower id goes first (ids NULL: the position is the id).
// Both results have room for one more.
// The scores are dealt out into columns. At least k scores reach the k-th largest of the columns' largest, and few more:
// what passes is ranked by counting how many go before it. All are loops of plain comparisons, which run in vectors.
INLINE void select_top(long count, long k, const real *given, const int32_t *ids, real *top_scores, int32_t *top_ids,
                       selection_scratch scratch) {
  enum { COLUMNS = 4 * LANES };
  real *x = scratch.scores, largest[COLUMNS];
  for (int c = 0; c < COLUMNS; c++) largest[c] = -(real)INFINITY;
  long start = 0;
  for (; start + COLUMNS <= count; start += COLUMNS) {
    for (int c = 0; c < COLUMNS; c++) {
      real score = given[start + c];
      score = score != score ? -(real)INFINITY : score;
      x[start + c] = score;
      largest[c] = score > largest[c] ? score : largest[c];
    }
  }
  for (int c = 0; start + c < count; c++) {
    real score = given[start + c];
    score = score != score ? -(real)INFINITY : score;
    x[start + c] = score;
    largest[c] = score > largest[c] ? score : largest[c];
  }
  real threshold = -(real)INFINITY;
  long enough = k + k / 2;
  if (count > enough && k <= COLUMNS) {
    int above[COLUMNS] = {0};
    for (int other = 0; other < COLUMNS; other++) {
      for (int c = 0; c < COLUMNS; c++) above[c] += largest[other] > largest[c];
    }
    real negative[COLUMNS];
    for (int c = 0; c < COLUMNS; c++) negative[c] = above[c] < k ? -largest[c] : -(real)INFINITY;
    threshold = -row_max(COLUMNS, negative);
  }
  long m = collect(count, x, ids, threshold, scratch);
  if (m > enough) {
    real low = threshold, high = row_max(count, x);
    for (long i = 0; i < count && k > COLUMNS; i++) low = i == 0 || x[i] < low ? x[i] : low;
    real better = bisect(count, k, enough, x, low, high);
    if (better > threshold) m = collect(count, x, ids, better, scratch);
  }
  const real *kept = scratch.kept_scores;
  const int32_t *kept_ids = scratch.kept_ids;
  enum { GROUP = 2 * LANES };
  for (long start = 0; start < m; start += GROUP) {
    int rank[GROUP] = {0};
    for (long other = 0; other < m; other++) {
      real score = kept[other];
      int32_t id = kept_ids[other];
      for (int i = 0; i < GROUP; i++) {
        rank[i] += (score > kept[start + i]) | ((score == kept[start + i]) & (id < kept_ids[start + i]));
      }
    }
    for (int i = 0; i < GROUP && start + i < m; i++) {
      long place = rank[i] < k ? rank[i] : k;
      top_scores[place] = kept[start + i];
      top_ids[place] = kept_ids[start + i];
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
  long widest = (candidate_count(n, k) > n ? candidate_count(n, k) : n) + 128, list = k + 64;
  return widest * (long)(3 * sizeof(real) + 4 * sizeof(int32_t)) + list * (long)(3 * sizeof(real) + 3 * sizeof(int32_t));
}

KERNEL void product_top(long rows, long n, long k, const void *pfirst, const void *psecond, long stride,
                        int32_t *slots, void *pweights, void *pscores, long out_stride, void *scratch) {
  const real *first = pfirst, *second = psecond;
  real *weights = pweights, *scores = pscores;
  long pairs = candidate_count(n, k), widest = (pairs > n ? pairs : n) + 128, list = k + 64;
  real *space = scratch;
  selection_scratch selection = {.scores = space, .kept_scores = space + widest};
  real *sums = space + 2 * widest, *a = sums + widest, *b = a + list, *best = b + list;
  int32_t *integers = (int32_t *)(best + list);
  selection.kept_ids = integers;
  int32_t *sum_slots = integers + widest, *pair_first = sum_slots + widest, *pair_second = pair_first + widest;
  int32_t *i = pair_second + widest, *j = i + list, *chosen = j + list;
  long half = k < n ? k : n, count = 0;
  for (long r = 0; r < half; r++) {
    for (long c = 0; c < k / (r + 1) && c < half; c++) {
      pair_first[count] = (int32_t)r;
      pair_second[count++] = (int32_t)c;
    }
  }
  for (long row = 0; row < rows; row++, first += stride, second += stride, slots += out_stride) {
    select_top(n, half, first, NULL, a, i, selection);
    select_top(n, half, second, NULL, b, j, selection);
    for (long c = 0; c < count; c++) {
      sums[c] = a[pair_first[c]] + b[pair_second[c]];
      sum_slots[c] = i[pair_first[c]] * (int32_t)n + j[pair_second[c]];
    }
    select_top(count, k, sums, sum_slots, best, chosen, selection);
    real total = 0;
    for (long m = 0; m < k; m++) {
      slots[m] = chosen[m];
      weights[m] = real_exp(best[m] - best[0]);
    }
    for (long m = 0; m < k; m++) total += weights[m];
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

// Slot by slot, so that each value row is fetched once.
INLINE void weighted_sum_backward_in(long count, long reads, long columns, const int32_t *slot_ids,
                                     const int32_t *starts, const int32_t *order, const void *values, const real *dy,
                                     real *d_weights, const bool half) {
  VECTOR_SUMS
  for (long s = 0; s < count; s++) {
    const void *value = operand_at(values, slot_ids[s] * columns, half);
    for (long at = starts[s]; at < starts[s + 1]; at++) {
      const real *d = dy + order[at] / reads * columns;
      real sum = 0;
      for (long c = 0; c < columns; c++) sum += d[c] * load_operand(value, c, half);
      d_weights[order[at]] = sum;
    }
  }
}

KERNEL void weighted_sum_backward(long count, long reads, long columns, const int32_t *slot_ids, const int32_t *starts,
                                  const int32_t *order, const void *values, const void *dy, void *d_weights, bool half) {
  BY_FORM(half, weighted_sum_backward_in, count, reads, columns, slot_ids, starts, order, values, dy, d_weights);
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
