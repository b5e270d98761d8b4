// Top-k of a list of scores, and of the sums of two lists: the choice of slots of a product-key memory. There are n
// sub-keys per half; sub-keys i and j are slot i * n + j.
//
// A threshold is found that at least k scores reach and not many more; the scores that reach it are collected and
// ranked by counting how many are better.
#pragma once
#include "lanes.h"

typedef struct {
  real *scores;            // a copy of the scores without NaN
  real *candidate_scores;  // the scores that reach the threshold
  int32_t *candidate_ids;
  int32_t *better;  // of each candidate, how many candidates are better
} top_k_scratch;

typedef int32_t slot_lanes __attribute__((vector_size(LANES * sizeof(int32_t))));
// Comparisons of lanes: -1 where they hold.
typedef __typeof__((lanes){0} > (lanes){0}) marks;

// Loads up to a register of numbers; lanes without a number keep what they held.
INLINE void load_some(long count, const real *x, lanes *into) {
#if REAL_IS_FLOAT && HAS_AVX512
  __mmask16 there = count < LANES ? (__mmask16)((1 << count) - 1) : (__mmask16)-1;
  *into = (lanes)_mm512_mask_loadu_ps((__m512)*into, there, x);
#else
  for (int lane = 0; lane < LANES && lane < count; lane++) (*into)[lane] = x[lane];
#endif
}

// Collects the scores that reach a threshold, and their ids (the positions if `ids` is NULL), and returns how many
// there are. May be called with the candidates themselves.
INLINE long collect(long count, const real *x, const int32_t *ids, real threshold, top_k_scratch scratch) {
  real *candidates = scratch.candidate_scores;
  int32_t *candidate_ids = scratch.candidate_ids;
  long m = 0;
#if REAL_IS_FLOAT && HAS_AVX512
  __m512i positions = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (long i = 0; i < count; i += LANES) {
    __mmask16 there = count - i < LANES ? (__mmask16)((1 << (count - i)) - 1) : (__mmask16)-1;
    __m512 scores = _mm512_maskz_loadu_ps(there, x + i);
    __m512i names = _mm512_add_epi32(positions, _mm512_set1_epi32((int)i));
    if (ids) names = _mm512_maskz_loadu_epi32(there, ids + i);
    __mmask16 passes = _mm512_mask_cmp_ps_mask(there, scores, _mm512_set1_ps(threshold), _CMP_GE_OQ);
    // Stores whole registers, so the capacity exceeds the count by one register.
    _mm512_storeu_ps(candidates + m, _mm512_maskz_compress_ps(passes, scores));
    _mm512_storeu_si512(candidate_ids + m, _mm512_maskz_compress_epi32(passes, names));
    m += __builtin_popcount(passes);
  }
#else
  for (long i = 0; i < count; i++) {
    candidates[m] = x[i];
    candidate_ids[m] = ids ? ids[i] : (int32_t)i;
    m += x[i] >= threshold;
  }
#endif
  return m;
}

// A threshold that at least k of `count` scores reach, and at most `enough` if 32 steps of bisection between `low` and
// `high` suffice; -infinity if none was found.
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

// Scores are dealt out to columns, one per lane of this many registers, and only the maximum of each column is kept.
enum { MAXIMA_REGISTERS = 4 };

#if REAL_IS_FLOAT && HAS_AVX512
INLINE void order_registers(__m512 *v, const int upper, const int lower) {
  __m512 higher = _mm512_max_ps(v[upper], v[lower]);
  v[lower] = _mm512_min_ps(v[upper], v[lower]);
  v[upper] = higher;
}

// Orders each lane and lane ^ distance, the latter of the opposite register at the start of a merge; `low` is the
// highest bit of `distance`.
INLINE void order_lanes(__m512 *v, const int distance, const int low, const bool begins) {
  __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  __m512i partner = _mm512_xor_si512(lane, _mm512_set1_epi32(distance));
  __mmask16 takes_less = _mm512_test_epi32_mask(lane, _mm512_set1_epi32(low));
  __m512 others[MAXIMA_REGISTERS];
  for (int i = 0; i < MAXIMA_REGISTERS; i++) {
    others[i] = _mm512_permutexvar_ps(partner, v[begins ? MAXIMA_REGISTERS - 1 - i : i]);
  }
  for (int i = 0; i < MAXIMA_REGISTERS; i++) {
    v[i] = _mm512_mask_min_ps(_mm512_max_ps(v[i], others[i]), takes_less, v[i], others[i]);
  }
}

// The position after sort_columns of the number with rank r, counted from 0.
INLINE long position_of_rank(long r) { return r % MAXIMA_REGISTERS * LANES + r / MAXIMA_REGISTERS; }

// Bitonic sort, highest first: first the four numbers of each lane, then merges of 2, 4, 8 and 16 lanes (Batcher,
// Sorting networks and their applications, 1968).
INLINE void sort_columns(__m512 *v) {
  order_registers(v, 0, 1), order_registers(v, 2, 3);
  order_registers(v, 0, 3), order_registers(v, 1, 2);
  order_registers(v, 0, 1), order_registers(v, 2, 3);
#pragma clang loop unroll(full)
  for (int size = 2; size <= LANES; size *= 2) {
    order_lanes(v, size - 1, size / 2, true);
#pragma clang loop unroll(full)
    for (int distance = size / 4; distance > 0; distance /= 2) order_lanes(v, distance, distance, false);
    order_registers(v, 0, 2), order_registers(v, 1, 3);
    order_registers(v, 0, 1), order_registers(v, 2, 3);
  }
}

// The k-th best of the column maxima.
INLINE real reached_by_columns(long k, lanes *largest) {
  __m512 v[MAXIMA_REGISTERS];
  memcpy(v, largest, sizeof v);
  sort_columns(v);
  memcpy(largest, v, sizeof v);
  return ((const real *)largest)[position_of_rank(k - 1)];
}
#else
// A number that at least k of the column maxima reach, by bisection.
INLINE real reached_by_columns(long k, lanes *largest) {
  lanes low = largest[0], high = largest[0];
  for (int v = 1; v < MAXIMA_REGISTERS; v++) {
    low = __builtin_elementwise_min(low, largest[v]);
    high = __builtin_elementwise_max(high, largest[v]);
  }
  real threshold = __builtin_reduce_min(low), above = __builtin_reduce_max(high);
  for (int probe = 0; probe < 7; probe++) {
    real middle = threshold * (real)0.5 + above * (real)0.5;
    long count = 0;
    for (int v = 0; v < MAXIMA_REGISTERS; v++) {
      for (int lane = 0; lane < LANES; lane++) count += largest[v][lane] >= middle;
    }
    threshold = count >= k ? middle : threshold;
    above = count >= k ? above : middle;
  }
  return threshold;
}
#endif

// A threshold that at least k of `count` scores reach, and not many more: the k-th best column maximum, since at least
// one score of each of k columns reaches it. -infinity if count or k does not allow it. NaN counts as -infinity.
INLINE real reached_by(long count, long k, const real *x) {
  if (count <= k || k > MAXIMA_REGISTERS * LANES) return -(real)INFINITY;
  lanes largest[MAXIMA_REGISTERS], none = (lanes){0} - (real)INFINITY;
  for (int v = 0; v < MAXIMA_REGISTERS; v++) largest[v] = none;
  long start = 0;
  for (; start + MAXIMA_REGISTERS * LANES <= count; start += MAXIMA_REGISTERS * LANES) {
    for (int v = 0; v < MAXIMA_REGISTERS; v++) {
      lanes scores;
      memcpy(&scores, x + start + v * LANES, sizeof scores);
      largest[v] = __builtin_elementwise_max(largest[v], scores);
    }
  }
  for (int v = 0; start < count; v++, start += LANES) {
    lanes scores = none;
    load_some(count - start, x + start, &scores);
    largest[v] = __builtin_elementwise_max(largest[v], scores);
  }
  return reached_by_columns(k, largest);
}

// Counts how many of m scores are better than each, for two registers of scores at a time.
INLINE void count_better(long m, const real *candidates, int32_t *better) {
  for (long start = 0; start < m; start += 2 * LANES) {
    lanes own[2];
    marks counts[2] = {{0}};
    memcpy(own, candidates + start, sizeof own);
    for (long other = 0; other < m; other++) {
      lanes score = (lanes){0} + candidates[other];
      for (int v = 0; v < 2; v++) counts[v] -= score > own[v];
    }
    for (int i = 0; i < 2 * LANES; i++) better[start + i] = (int32_t)counts[i / LANES][i % LANES];
  }
}

// The k best of m candidates, best first; of equal scores the lower id comes first. The rank of a candidate is the
// number of better ones. Both results have a capacity of k + 1.
INLINE void rank(long m, long k, top_k_scratch scratch, real *top_scores, int32_t *top_ids) {
  const real *candidates = scratch.candidate_scores;
  const int32_t *ids = scratch.candidate_ids;
  int32_t *better = scratch.better;
  count_better(m, candidates, better);
  // If no scores are equal, the ranks are 0...m - 1, whose sum is known; else ties are broken by id.
  long total = 0;
  for (long i = 0; i < m; i++) total += better[i];
  for (long i = 0; i < m && total != m * (m - 1) / 2; i++) {
    for (long other = 0; other < m; other++) better[i] += (candidates[other] == candidates[i]) & (ids[other] < ids[i]);
  }
  for (long i = 0; i < m; i++) {
    long position = better[i] < k ? better[i] : k;
    top_scores[position] = candidates[i];
    top_ids[position] = ids[i];
  }
}

// The k best of `count` scores, in the order of `rank`. If `ids` is NULL, the position is the id. NaN counts as
// -infinity.
INLINE void top_k_of(long count, long k, const real *x, const int32_t *ids, real *top_scores, int32_t *top_ids,
                     top_k_scratch scratch) {
  long enough = k + k / 2;
  if (count <= enough) {
    for (long i = 0; i < count; i++) {
      scratch.candidate_scores[i] = x[i] != x[i] ? -(real)INFINITY : x[i];
      scratch.candidate_ids[i] = ids ? ids[i] : (int32_t)i;
    }
    return rank(count, k, scratch, top_scores, top_ids);
  }
  real threshold = reached_by(count, k, x);
  if (!(threshold > -(real)INFINITY)) {
    for (long i = 0; i < count; i++) scratch.scores[i] = x[i] != x[i] ? -(real)INFINITY : x[i];
    x = scratch.scores;
  }
  long m = collect(count, x, ids, threshold, scratch);
  if (m > enough) {
    real low = threshold, high = row_max(count, x);
    if (!(low > -(real)INFINITY)) {
      for (long i = 0; i < count; i++) low = i == 0 || x[i] < low ? x[i] : low;
    }
    real better = bisect(count, k, enough, x, low, high);
    if (better > threshold) m = collect(count, x, ids, better, scratch);
  }
  rank(m, k, scratch, top_scores, top_ids);
}

// How many pairs of ranks (r, c), counted from 0, can be among the k best sums: those with (r + 1)(c + 1) <= k and both
// below n, because (r + 1)(c + 1) - 1 other pairs are at least as good.
INLINE long candidate_count(long n, long k) {
  long count = 0;
  for (long r = 0; r < k && r < n; r++) count += k / (r + 1) < n ? k / (r + 1) : n;
  return count;
}

// The memory of one choice of slots. Every array has spare capacity behind its end, because whole registers are read
// and written.
typedef struct {
  top_k_scratch selection;
  real *first, *second;  // the best scores of both lists, best first
  int32_t *first_ids, *second_ids;
  real *sums;  // of the pairs that can be among the k best
  int32_t *sum_slots;
  real *best;  // the k best sums
  int32_t *chosen;
  int32_t *widths;  // k / (r + 1): how many pairs with rank r in the first list can be among the k best
} product_key_scratch;

KERNEL long product_key_top_k_scratch(long n, long k) {
  long widest = (candidate_count(n, k) > n ? candidate_count(n, k) : n) + 128, list = k + 64;
  return widest * (long)(3 * sizeof(real) + 3 * sizeof(int32_t)) +
         list * (long)(3 * sizeof(real) + 4 * sizeof(int32_t));
}

INLINE product_key_scratch carve_product_key_scratch(long n, long k, void *buffer) {
  long pairs = candidate_count(n, k), widest = (pairs > n ? pairs : n) + 128, list = k + 64;
  real *reals = buffer;
  int32_t *integers = (int32_t *)(reals + 3 * widest + 3 * list);
  product_key_scratch s = {
      .selection = {.scores = reals,
                    .candidate_scores = reals + widest,
                    .candidate_ids = integers,
                    .better = integers + widest},
      .sums = reals + 2 * widest,
      .first = reals + 3 * widest,
      .second = reals + 3 * widest + list,
      .best = reals + 3 * widest + 2 * list,
      .sum_slots = integers + 2 * widest,
      .first_ids = integers + 3 * widest,
      .second_ids = integers + 3 * widest + list,
      .chosen = integers + 3 * widest + 2 * list,
      .widths = integers + 3 * widest + 3 * list,
  };
  for (long r = 0; r < k; r++) s.widths[r] = (int32_t)(k / (r + 1));
  return s;
}

// Stores the sums of the pairs that can be among the k best of two sorted lists, and returns how many there are; stores
// their slots if `names`.
INLINE long pair_sums(long n, long k, long firsts, long seconds, const product_key_scratch *s, const bool names) {
  long count = 0;
  for (long r = 0; r < firsts && r < k; r++) {
    long width = s->widths[r] < seconds ? s->widths[r] : seconds;
    int32_t slot = names ? s->first_ids[r] * (int32_t)n : 0;
    for (long c = 0; c < width; c += LANES) {
      lanes sums;
      memcpy(&sums, s->second + c, sizeof sums);
      sums += s->first[r];
      memcpy(s->sums + count + c, &sums, sizeof sums);
      if (!names) continue;
      slot_lanes slots;
      memcpy(&slots, s->second_ids + c, sizeof slots);
      slots += slot;
      memcpy(s->sum_slots + count + c, &slots, sizeof slots);
    }
    count += width;
  }
  return count;
}

// The k best slots of two sorted lists, and their softmax weights.
INLINE void choose_slots(long n, long k, long firsts, long seconds, const product_key_scratch *s, int32_t *slots,
                         real *weights, real *scores) {
  long count = pair_sums(n, k, firsts, seconds, s, true);
  top_k_of(count, k, s->sums, s->sum_slots, s->best, s->chosen, s->selection);
  real total = 0;
  for (long m = 0; m < k; m++) {
    slots[m] = s->chosen[m];
    weights[m] = real_exp(s->best[m] - s->best[0]);
  }
  for (long m = 0; m < k; m++) total += weights[m];
  for (long m = 0; m < k; m++) weights[m] /= total;
  for (long m = 0; m < k && scores; m++) scores[m] = s->best[m];
}

KERNEL void product_key_top_k(long rows, long n, long k, const void *pfirst, const void *psecond, long stride,
                              int32_t *slots, void *pweights, void *pscores, long out_stride, void *buffer) {
  const real *first = pfirst, *second = psecond;
  real *weights = pweights, *scores = pscores;
  product_key_scratch s = carve_product_key_scratch(n, k, buffer);
  long half = k < n ? k : n;
  for (long row = 0; row < rows; row++, first += stride, second += stride) {
    top_k_of(n, half, first, NULL, s.first, s.first_ids, s.selection);
    top_k_of(n, half, second, NULL, s.second, s.second_ids, s.selection);
    choose_slots(n, k, half, half, &s, slots, weights, scores);
    slots += out_stride, weights += out_stride;
    if (scores) scores += out_stride;
  }
}
