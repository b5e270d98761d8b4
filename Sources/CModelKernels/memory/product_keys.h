// The search of product keys by estimates: few sub-keys are scored in float, and the slots and weights are those that
// the scores of all sub-keys would give, to the bit.
//
// 1. Each list gets a threshold (set_thresholds), and the sub-keys whose estimates reach it are scored.
// 2. Let B be the k-th best sum of two scores so far. The k best slots have sums of at least B, since scoring more
//    sub-keys only raises B.
// 3. A sub-key of one list that was not scored has an estimate below the threshold t, and so a score below t + error
//    (key_estimates.h). No score of the other list exceeds H, the best that was scored or the other t + error. So if
//    t + error + H <= B, all slots of the sub-keys that were not scored have sums below B: they are not among the k
//    best, and cannot tie with them.
// 4. Else t is lowered to B - H - error and the list is scored again. B only rises and H only falls by that, so the
//    bound of that list holds from then on: each list is scored twice at most.
// The `error` of step 3 also covers four float roundings: of the sum of two scores, of the other t + error in H, and of
// the two subtractions of B - H - error. Their operands are together at most 8 times the sum of both score bounds, so
// that sum times 8 u = 4 * FLT_EPSILON is enough.
#pragma once
#include "memory/key_estimates.h"

#if REAL_IS_FLOAT && HAS_BYTE_DOT

// A register of the numbers with the ranks from `first` on, a multiple of 16, of what sort_columns sorted.
INLINE __m512 ranks_from(long first, const real *sorted) {
  real ranks[LANES];
  for (int i = 0; i < MAXIMA_REGISTERS; i++) {
    memcpy(ranks + 4 * i, sorted + i * LANES + first / MAXIMA_REGISTERS, 4 * sizeof(real));
  }
  return _mm512_loadu_ps(ranks);
}

// A sum that at least k pairs of two sorted lists reach, and not many more, k <= 64: by bisection, over the pairs of
// high ranks.
INLINE real reached_by_pairs(long k, const real *x, const real *y) {
  enum { HIGH = 8, PAIRS = HIGH + 3 + 2, PROBES = 4 };
  __m512 sums[PAIRS], x0 = ranks_from(0, x), y0 = ranks_from(0, y);
  for (int r = 0; r < HIGH; r++) sums[r] = _mm512_add_ps(_mm512_set1_ps(x[position_of_rank(r)]), y0);
  // Ranks from 8 on are the last two lanes of each four.
  __m512 late = _mm512_mask_mov_ps(_mm512_set1_ps(-(real)INFINITY), 0xcccc, x0);
  for (int r = 0; r < 3; r++) sums[HIGH + r] = _mm512_add_ps(_mm512_set1_ps(y[position_of_rank(r)]), late);
  sums[PAIRS - 2] = _mm512_add_ps(_mm512_set1_ps(x[0]), ranks_from(LANES, y));
  sums[PAIRS - 1] = _mm512_add_ps(_mm512_set1_ps(y[0]), ranks_from(LANES, x));
  real one = x[0] + y[position_of_rank(k - 1)], other = x[position_of_rank(k - 1)] + y[0];
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

// Scores four sub-keys in float, each in sixteen sums that are folded at the end.
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

// Queries at a time: their estimates stay in the caches of a core.
enum { SEARCH_ROWS = 4 * KEY_PANEL_QUERIES };

// Estimates of a list, in whole panels; and the distance between those of one query and the next, for both lists: an
// odd number of cache lines, so that rows do not compete for the same cache sets.
INLINE long estimates_width(long n) { return panel_count(n) * KEY_PANEL_KEYS; }
INLINE long estimates_stride(long n) { return 2 * estimates_width(n) + LINE / (long)sizeof(int16_t); }

// One list of sub-keys and one query. The sub-keys whose estimates reach the threshold are scored.
typedef struct {
  const real *query, *keys;
  const int16_t *estimates;
  score_bounds bounds;
  real threshold;
  long count;  // of the sorted best
  top_k_scratch scored;
} key_search;

// Collects and scores the sub-keys that reach the threshold, and sorts the best.
INLINE void score_reaching(long n, long half, long top, key_search *list, real *best, int32_t *best_ids,
                           top_k_scratch scratch) {
  int32_t *ids = list->scored.candidate_ids;
  long count = n;
  if (list->bounds.unit > 0) {
    count = collect_estimated(estimates_width(n), list->estimates, list->bounds.unit, list->threshold, ids);
  } else {
    for (long i = 0; i < n; i++) ids[i] = (int32_t)i;
  }
  for (long c = count; c < count + 4; c++) ids[c] = ids[count - 1];
  for (long c = 0; c < count; c += 4) {
    score_four(half, list->query, list->keys, ids + c, list->scored.candidate_scores + c);
  }
  list->count = count < top ? count : top;
  top_k_of(count, list->count, list->scored.candidate_scores, ids, best, best_ids, scratch);
}

// A bound of the scores of all sub-keys of a list: H above.
INLINE real highest(const key_search *list, real best) {
  real unscored = list->threshold + list->bounds.error;
  return unscored > best ? unscored : best;
}

typedef struct {
  score_bounds *bounds;  // of each row and list
  query_bytes queries[2];
  int16_t *estimates;  // of each row, those of the first list and then those of the second
  top_k_scratch scored[2];
  product_key_scratch choice;
} search_scratch_layout;

KERNEL long search_product_keys_scratch(long n, long k, long half) {
  const long list = n + 128;
  long row = 2 * (long)(sizeof(score_bounds) + sizeof(real)) + 2 * query_size(half);
  row += estimates_stride(n) * (long)sizeof(int16_t);
  return SEARCH_ROWS * row + 2 * list * (long)(sizeof(real) + sizeof(int32_t)) + product_key_top_k_scratch(n, k);
}

INLINE search_scratch_layout carve_search_scratch(long n, long k, long half, void *buffer) {
  const long list = n + 128;
  search_scratch_layout s = {.bounds = buffer};
  real *scales = (real *)(s.bounds + 2 * SEARCH_ROWS), *scores = scales + 2 * SEARCH_ROWS;
  int32_t *ids = (int32_t *)(scores + 2 * list);
  s.estimates = (int16_t *)(ids + 2 * list);
  char *bytes = (char *)(s.estimates + SEARCH_ROWS * estimates_stride(n));
  for (int side = 0; side < 2; side++) {
    s.queries[side].scales = scales + side * SEARCH_ROWS;
    s.queries[side].bytes = bytes + side * SEARCH_ROWS * query_size(half);
    s.scored[side] = (top_k_scratch){.candidate_scores = scores + side * list, .candidate_ids = ids + side * list};
  }
  s.choice = carve_product_key_scratch(n, k, bytes + 2 * SEARCH_ROWS * query_size(half));
  return s;
}

// Estimates of both lists for `rows` queries.
INLINE void estimate_lists(long rows, long n, long half, const real *queries, long stride, const void *packed,
                           const search_scratch_layout *s) {
  for (int side = 0; side < 2; side++, packed = (const char *)packed + packed_subkeys_size(n, half)) {
    key_bounds keys;
    memcpy(&keys, packed, sizeof keys);
    for (long row = 0; row < rows; row++) {
      const real *query = queries + row * stride + side * half;
      s->bounds[2 * row + side] = quantize_query(half, query, keys, s->queries[side], row);
    }
    estimate(rows, n, half, s->queries[side], packed, s->estimates + side * estimates_width(n), estimates_stride(n));
  }
}

// Sets the thresholds of both lists such that what reaches them is mostly enough. `reached` is a sum of two estimates
// that k pairs reach; both sub-keys of such a pair, and so k pairs of scores, reach the thresholds. In the worst case
// step 4 would need 2 errors of each list less; subtracting 1.1 errors was fastest, and the results do not depend on
// it.
INLINE void set_thresholds(long n, long k, key_search *lists) {
  real sorted[2][MAXIMA_REGISTERS * LANES];
  for (int side = 0; side < 2; side++) {
    __m512 columns[MAXIMA_REGISTERS];
    largest_of_columns(estimates_width(n), lists[side].estimates, lists[side].bounds.unit, columns);
    sort_columns(columns);
    memcpy(sorted[side], columns, sizeof columns);
  }
  real reached = reached_by_pairs(k, sorted[0], sorted[1]);
  for (int side = 0; side < 2; side++) {
    lists[side].threshold = reached - sorted[1 - side][0] - (real)1.1 * lists[side].bounds.error;
  }
}

KERNEL void search_product_keys(long rows, long n, long k, long half, const void *pqueries, long stride,
                                const void *pkeys, const void *packed, int32_t *slots, void *pweights, long out_stride,
                                void *buffer) {
  const real *queries = pqueries, *keys = pkeys;
  real *weights = pweights;
  const search_scratch_layout s = carve_search_scratch(n, k, half, buffer);
  const product_key_scratch *choice = &s.choice;
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
      // Rounding of sums and thresholds: see the head of this file.
      real sum_rounding = FLT_EPSILON * 4 * (lists[0].bounds.bound + lists[1].bounds.bound);
      for (int side = 0; side < 2; side++) lists[side].bounds.error += sum_rounding;
      // Without estimates every score is computed, NaN included.
      if (lists[0].bounds.unit > 0 && lists[1].bounds.unit > 0) {
        set_thresholds(n, k, lists);
      } else {
        lists[0].bounds.unit = lists[1].bounds.unit = 0;
      }
      for (bool changes[2] = {true, true}; changes[0] || changes[1];) {
        if (changes[0]) {
          score_reaching(n, half, top, &lists[0], choice->first, choice->first_ids, choice->selection);
        }
        if (changes[1]) {
          score_reaching(n, half, top, &lists[1], choice->second, choice->second_ids, choice->selection);
        }
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
