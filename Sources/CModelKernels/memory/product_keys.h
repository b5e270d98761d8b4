// The search of product keys by estimates: few sub-keys are scored in float, and what comes out is what the scores of all
// would give, to the bit.
//
// Those that are among the best by the estimates are scored. The k best slots reach the k-th best sum of two such scores. A
// sub-key that is estimated too low to reach it, even by its error more and together with the best of the other list, is
// not among them, whatever its ties. Where any were left out that are not too low, they are scored as well.
#if REAL_IS_FLOAT && HAS_BYTE_DOT

// A register of the ranks from `first` on, a multiple of 16.
INLINE __m512 ranks_from(long first, const real *sorted) {
  real ranks[LANES];
  for (int i = 0; i < COLUMNS; i++) memcpy(ranks + 4 * i, sorted + i * LANES + first / COLUMNS, 4 * sizeof(real));
  return _mm512_loadu_ps(ranks);
}

// A sum that at least k pairs of two sorted lists reach, and not many more: by bisection, of pairs of high ranks.
INLINE real reached_by_pairs(long k, const real *x, const real *y) {
  enum { HIGH = 8, PAIRS = HIGH + 3 + 2, PROBES = 4 };
  __m512 sums[PAIRS], x0 = ranks_from(0, x), y0 = ranks_from(0, y);
  for (int r = 0; r < HIGH; r++) sums[r] = _mm512_add_ps(_mm512_set1_ps(x[place_of_rank(r)]), y0);
  // Ranks from 8 on are the latter two of each four.
  __m512 late = _mm512_mask_mov_ps(_mm512_set1_ps(-(real)INFINITY), 0xcccc, x0);
  for (int r = 0; r < 3; r++) sums[HIGH + r] = _mm512_add_ps(_mm512_set1_ps(y[place_of_rank(r)]), late);
  sums[PAIRS - 2] = _mm512_add_ps(_mm512_set1_ps(x[0]), ranks_from(LANES, y));
  sums[PAIRS - 1] = _mm512_add_ps(_mm512_set1_ps(y[0]), ranks_from(LANES, x));
  real one = x[0] + y[place_of_rank(k - 1)], other = x[place_of_rank(k - 1)] + y[0];
  real reached = one > other ? one : other, above = x[0] + y[0];
  for (int probe = 0; probe < PROBES; probe++) {
    real middle = reached * (real)0.5 + above * (real)0.5;
    long count = 0;
    for (int i = 0; i < PAIRS; i++) {
      count += __builtin_popcount(_mm512_cmp_ps_mask(sums[i], _mm512_set1_ps(middle), _CMP_GE_OQ));
    }
    reached = count >= k ? middle : reached;
    above = count >= k ? above : middle;
  }
  return reached;
}

INLINE __m128 fold_lanes(__m512 x) {
  __m256 halves = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
  return _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1));
}

// Scores in float of four sub-keys at a time, each in sixteen sums that are folded in the end.
INLINE void score_four(long half, const real *query, const real *keys, const int32_t *ids, real *scores) {
  const real *k0 = keys + ids[0] * half, *k1 = keys + ids[1] * half;
  const real *k2 = keys + ids[2] * half, *k3 = keys + ids[3] * half;
  __m512 s0 = _mm512_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
  for (long e = 0; e < half; e += LANES) {
    __m512 q = _mm512_loadu_ps(query + e);
    s0 = _mm512_fmadd_ps(q, _mm512_loadu_ps(k0 + e), s0);
    s1 = _mm512_fmadd_ps(q, _mm512_loadu_ps(k1 + e), s1);
    s2 = _mm512_fmadd_ps(q, _mm512_loadu_ps(k2 + e), s2);
    s3 = _mm512_fmadd_ps(q, _mm512_loadu_ps(k3 + e), s3);
  }
  __m128 a = fold_lanes(s0), b = fold_lanes(s1), c = fold_lanes(s2), d = fold_lanes(s3);
  __m128 ab = _mm_add_ps(_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
  __m128 cd = _mm_add_ps(_mm_unpacklo_ps(c, d), _mm_unpackhi_ps(c, d));
  _mm_storeu_ps(scores, _mm_add_ps(_mm_movelh_ps(ab, cd), _mm_movehl_ps(cd, ab)));
}

// Queries at a time: their estimates stay in a core's nearer caches.
enum { SEARCH_ROWS = 4 * PANEL_QUERIES };

// Estimates of a list, in whole panels, and from those of a query to those of the next: an odd number of lines, so that rows
// do not meet in the same cache sets.
INLINE long estimates_width(long n) { return panel_count(n) * PANEL_KEYS; }
INLINE long estimates_stride(long n) { return 2 * estimates_width(n) + LINE / (long)sizeof(int16_t); }

// One list of sub-keys and one query. Those estimated at the threshold or more are scored.
typedef struct {
  const real *query, *keys;
  const int16_t *estimates;
  score_bounds bounds;
  real threshold;
  long count;  // of the best that are in order
  selection_scratch scored;
} key_search;

// Collects and scores those that reach the threshold, and puts the best in order.
INLINE void score_reaching(long n, long half, long top, key_search *list, real *best, int32_t *best_ids,
                           selection_scratch scratch) {
  int32_t *ids = list->scored.kept_ids;
  long count = n;
  if (list->bounds.unit > 0) {
    count = collect_estimated(estimates_width(n), list->estimates, list->bounds.unit, list->threshold, ids);
  } else {
    for (long i = 0; i < n; i++) ids[i] = (int32_t)i;
  }
  for (long c = count; c < count + 4; c++) ids[c] = ids[count - 1];
  for (long c = 0; c < count; c += 4) score_four(half, list->query, list->keys, ids + c, list->scored.kept_scores + c);
  list->count = count < top ? count : top;
  select_top(count, list->count, list->scored.kept_scores, ids, best, best_ids, scratch);
}

// The best score that any sub-key of a list can have.
INLINE real highest(const key_search *list, real best) {
  real unscored = list->threshold + list->bounds.error;
  return unscored > best ? unscored : best;
}

typedef struct {
  score_bounds *bounds;  // of each row and list
  query_bytes queries[2];
  int16_t *estimates;  // of each row those of the first list and of the second
  selection_scratch scored[2];
  product_scratch choice;
} search_space;

static long search_scratch(long n, long k, long half) {
  const long list = n + 128;
  long row = 2 * (long)(sizeof(score_bounds) + sizeof(real)) + 2 * query_size(half);
  row += estimates_stride(n) * (long)sizeof(int16_t);
  return SEARCH_ROWS * row + 2 * list * (long)(sizeof(real) + sizeof(int32_t)) + product_top_scratch(n, k);
}

INLINE search_space cut_search_space(long n, long k, long half, void *space) {
  const long list = n + 128;
  search_space s = {.bounds = space};
  real *scales = (real *)(s.bounds + 2 * SEARCH_ROWS), *scores = scales + 2 * SEARCH_ROWS;
  int32_t *ids = (int32_t *)(scores + 2 * list);
  s.estimates = (int16_t *)(ids + 2 * list);
  char *bytes = (char *)(s.estimates + SEARCH_ROWS * estimates_stride(n));
  for (int side = 0; side < 2; side++) {
    s.queries[side].scales = scales + side * SEARCH_ROWS;
    s.queries[side].bytes = bytes + side * SEARCH_ROWS * query_size(half);
    s.scored[side] = (selection_scratch){.kept_scores = scores + side * list, .kept_ids = ids + side * list};
  }
  s.choice = cut_scratch(n, k, bytes + 2 * SEARCH_ROWS * query_size(half));
  return s;
}

// Estimates of both lists for `rows` queries.
INLINE void estimate_lists(long rows, long n, long half, const real *queries, long stride, const void *packed,
                           const search_space *s) {
  for (int side = 0; side < 2; side++, packed = (const char *)packed + packed_keys_size(n, half)) {
    key_bounds keys;
    memcpy(&keys, packed, sizeof keys);
    for (long row = 0; row < rows; row++) {
      const real *query = queries + row * stride + side * half;
      s->bounds[2 * row + side] = quantize_query(half, query, keys, s->queries[side], row);
    }
    estimate(rows, n, half, s->queries[side], packed, s->estimates + side * estimates_width(n), estimates_stride(n));
  }
}

// Sets the thresholds of both lists so low that what reaches them is enough, mostly.
INLINE void set_thresholds(long n, long k, key_search *lists) {
  real sorted[2][COLUMNS * LANES];
  for (int side = 0; side < 2; side++) {
    __m512 columns[COLUMNS];
    largest_of_columns(estimates_width(n), lists[side].estimates, lists[side].bounds.unit, columns);
    sort_columns(columns);
    memcpy(sorted[side], columns, sizeof columns);
  }
  real reached = reached_by_pairs(k, sorted[0], sorted[1]);
  for (int side = 0; side < 2; side++) {
    lists[side].threshold = reached - sorted[1 - side][0] - (real)1.1 * lists[side].bounds.error;
  }
}

KERNEL void search_keys(long rows, long n, long k, long half, const void *pqueries, long stride, const void *pkeys,
                        const void *packed, int32_t *slots, void *pweights, long out_stride, void *space) {
  const real *queries = pqueries, *keys = pkeys;
  real *weights = pweights;
  const search_space s = cut_search_space(n, k, half, space);
  const product_scratch *choice = &s.choice;
  const long top = k < n ? k : n;
  for (long first = 0; first < rows; first += SEARCH_ROWS) {
    long height = rows - first < SEARCH_ROWS ? rows - first : SEARCH_ROWS;
    estimate_lists(height, n, half, queries + first * stride, stride, packed, &s);
    for (long row = 0; row < height; row++, slots += out_stride, weights += out_stride) {
      key_search lists[2];
      for (int side = 0; side < 2; side++) {
        lists[side] = (key_search){.query = queries + (first + row) * stride + side * half,
                                   .keys = keys + side * n * half,
                                   .estimates = s.estimates + row * estimates_stride(n) + side * estimates_width(n),
                                   .bounds = s.bounds[2 * row + side],
                                   .threshold = -(real)INFINITY,
                                   .scored = s.scored[side]};
      }
      // The sum of two scores is rounded too.
      real more = FLT_EPSILON * 4 * (lists[0].bounds.bound + lists[1].bounds.bound);
      for (int side = 0; side < 2; side++) lists[side].bounds.error += more;
      // Numbers too large or too small, or none: every score is computed, and NaN takes its place.
      if (lists[0].bounds.unit > 0 && lists[1].bounds.unit > 0) {
        set_thresholds(n, k, lists);
      } else {
        lists[0].bounds.unit = lists[1].bounds.unit = 0;
      }
      for (bool changes[2] = {true, true}; changes[0] || changes[1];) {
        if (changes[0]) score_reaching(n, half, top, &lists[0], choice->first, choice->first_ids, choice->selection);
        if (changes[1]) score_reaching(n, half, top, &lists[1], choice->second, choice->second_ids, choice->selection);
        choose_slots(n, k, lists[0].count, lists[1].count, choice, slots, weights, NULL);
        const real highs[2] = {highest(&lists[0], choice->first[0]), highest(&lists[1], choice->second[0])};
        for (int side = 0; side < 2; side++) {
          real needed = choice->best[k - 1] - highs[1 - side] - lists[side].bounds.error;
          changes[side] = needed < lists[side].threshold;
          if (changes[side]) lists[side].threshold = needed;
        }
      }
    }
  }
}

#endif
