// The search of product keys where the processor multiplies bfloat16 twice as fast as float: the scores of all sub-keys are
// estimated from rounded numbers, and only those of sub-keys that can still be among the best are computed in float.
//
// What comes out is what the scores in float of all sub-keys would give, to the bit. With queries q' and sub-keys k' rounded,
// |qk - q'k'| <= |q - q'| |k| + |q'| |k - k'| (Cauchy and Schwarz), so an estimate is wrong by `error` at most, roundings of
// the sums included. At least k slots are estimated at s or more, so the k-th best has at least s - error, and nothing that
// is estimated below s - 2 error can be among the k best, whatever its ties.
#if REAL_IS_FLOAT && HAS_BFLOAT16_DOT

// Sub-keys of a panel, two registers of sums; with so many queries they fill three quarters of the registers.
enum { PANEL_KEYS = 2 * LANES, PANEL_QUERIES = 12 };

typedef struct {
  real norm, cut;  // the largest |k| and |k - k'| of a list of sub-keys
} key_bounds;

INLINE long search_panels(long n) { return (n + PANEL_KEYS - 1) / PANEL_KEYS; }

// The bounds take a line of 64 bytes before the panels.
static long packed_keys_size(long n, long half) {
  return 64 + search_panels(n) * PANEL_KEYS * half * (long)sizeof(uint16_t);
}

// Rounds a row; returns the squares of what is kept and of what is cut off.
INLINE void round_row(long half, const real *x, uint16_t *rounded, real *kept, real *cut) {
  __m512 left = _mm512_setzero_ps(), off = _mm512_setzero_ps();
  for (long e = 0; e < half; e += LANES) {
    __m512 given = _mm512_loadu_ps(x + e);
    __m256i bits = (__m256i)_mm512_cvtneps_pbh(given);
    __m512 value = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
    __m512 rest = _mm512_sub_ps(given, value);
    left = _mm512_fmadd_ps(value, value, left);
    off = _mm512_fmadd_ps(rest, rest, off);
    _mm256_storeu_si256((__m256i *)(rounded + e), bits);
  }
  *kept = _mm512_reduce_add_ps(left);
  *cut = _mm512_reduce_add_ps(off);
}

// So that squares too small for a float count.
INLINE real norm_of(real squares) { return real_sqrt(squares) + (real)1e-20; }

KERNEL void pack_keys(long n, long half, const void *pkeys, void *packed) {
  enum { PIECE = 256 };
  const real *keys = pkeys;
  uint32_t *panels = (uint32_t *)((char *)packed + 64);
  memset(panels, 0, (size_t)(packed_keys_size(n, half) - 64));
  key_bounds bounds = {0, 0};
  for (long i = 0; i < n; i++, keys += half) {
    uint32_t *lane = panels + i / PANEL_KEYS * PANEL_KEYS * (half / 2) + i % PANEL_KEYS;
    real kept = 0, cut = 0;
    for (long first = 0; first < half; first += PIECE) {
      long width = half - first < PIECE ? half - first : PIECE;
      uint16_t rounded[PIECE];
      real more, off;
      round_row(width, keys + first, rounded, &more, &off);
      kept += more, cut += off;
      for (long e = 0; e < width; e += 2, lane += PANEL_KEYS) memcpy(lane, rounded + e, sizeof *lane);
    }
    real norm = norm_of(kept) + norm_of(cut);
    if (norm != norm) norm = (real)INFINITY;
    bounds.norm = norm > bounds.norm ? norm : bounds.norm;
    bounds.cut = norm_of(cut) > bounds.cut ? norm_of(cut) : bounds.cut;
  }
  memcpy(packed, &bounds, sizeof bounds);
}

// Estimates of one panel for `height` queries.
INLINE void estimate_tile(long pairs, const uint16_t *queries, const uint32_t *panel, real *out, long out_stride,
                          const int height) {
  __m512 sums[PANEL_QUERIES][2];
  for (int i = 0; i < height; i++) sums[i][0] = sums[i][1] = _mm512_setzero_ps();
  for (long p = 0; p < pairs; p++) {
    __m512bh k0 = (__m512bh)_mm512_loadu_si512(panel + p * PANEL_KEYS);
    __m512bh k1 = (__m512bh)_mm512_loadu_si512(panel + p * PANEL_KEYS + LANES);
#pragma clang loop unroll(full)
    for (int i = 0; i < height; i++) {
      int32_t pair;
      memcpy(&pair, queries + 2 * (i * pairs + p), sizeof pair);
      __m512bh q = (__m512bh)_mm512_set1_epi32(pair);
      sums[i][0] = _mm512_dpbf16_ps(sums[i][0], q, k0);
      sums[i][1] = _mm512_dpbf16_ps(sums[i][1], q, k1);
    }
  }
  for (int i = 0; i < height; i++) {
    _mm512_storeu_ps(out + i * out_stride, sums[i][0]);
    _mm512_storeu_ps(out + i * out_stride + LANES, sums[i][1]);
  }
}

INLINE void estimate(long rows, long n, long pairs, const uint16_t *queries, const uint32_t *panels, real *out,
                     long out_stride) {
  for (long panel = 0; panel < search_panels(n); panel++, panels += PANEL_KEYS * pairs, out += PANEL_KEYS) {
    long row = 0;
    for (; row + PANEL_QUERIES <= rows; row += PANEL_QUERIES) {
      estimate_tile(pairs, queries + 2 * row * pairs, panels, out + row * out_stride, out_stride, PANEL_QUERIES);
    }
    for (; row < rows; row++) estimate_tile(pairs, queries + 2 * row * pairs, panels, out + row * out_stride, out_stride, 1);
  }
}

// Queries at a time: their estimates stay in a core's nearer caches.
enum { SEARCH_ROWS = 48 };

// The sub-keys of one list that can still be among the best of one query.
typedef struct {
  long count;
  selection_scratch space;
} remaining;

static long search_scratch(long n, long k, long half) {
  long estimates = 2 * search_panels(n) * PANEL_KEYS, list = n + 128;
  return (SEARCH_ROWS * (estimates + 2) + 6 * list) * (long)sizeof(real) + SEARCH_ROWS * half * (long)sizeof(uint16_t) +
         product_top_scratch(n, k);
}

// Those that can be among the k best of their list, and its best estimates in order.
INLINE long remain_in_list(long n, long k, const real *estimates, real error, real *best, int32_t *best_ids,
                           remaining *r) {
  r->count = collect(n, estimates, NULL, reached_by(n, k, estimates) - 2 * error, r->space);
  rank(r->count, k, r->space, best, best_ids);
  return r->count < k ? r->count : k;
}

// Those estimated at a threshold at least.
INLINE void remain_above(real threshold, remaining *r) {
  r->count = collect(r->count, r->space.kept_scores, r->space.kept_ids, threshold, r->space);
}

INLINE __m128 fold_lanes(__m512 x) {
  __m256 halves = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
  return _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1));
}

// Scores in float of four sub-keys at a time, each summed in the order of product_row. The next four are fetched ahead.
INLINE void score_four(long half, const real *query, const real *keys, const int32_t *ids, real *scores) {
  const real *k0 = keys + ids[0] * half, *k1 = keys + ids[1] * half;
  const real *k2 = keys + ids[2] * half, *k3 = keys + ids[3] * half;
  const real *n0 = keys + ids[4] * half, *n1 = keys + ids[5] * half;
  const real *n2 = keys + ids[6] * half, *n3 = keys + ids[7] * half;
  __m512 s0 = _mm512_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
  for (long e = 0; e < half; e += LANES) {
    __builtin_prefetch(n0 + e), __builtin_prefetch(n1 + e), __builtin_prefetch(n2 + e), __builtin_prefetch(n3 + e);
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

// Their scores in float, in place of the estimates.
INLINE void score_remaining(long half, const real *query, const real *keys, remaining *r) {
  int32_t *ids = r->space.kept_ids;
  for (long c = r->count; c < r->count + 8; c++) ids[c] = ids[r->count - 1];
  for (long c = 0; c < r->count; c += 4) score_four(half, query, keys, ids + c, r->space.kept_scores + c);
}

KERNEL void search_keys(long rows, long n, long k, long half, const void *pqueries, long stride, const void *pkeys,
                        const void *packed, int32_t *slots, void *pweights, long out_stride, void *space) {
  const real *queries = pqueries, *keys = pkeys;
  real *weights = pweights;
  const long width = search_panels(n) * PANEL_KEYS, list = n + 128, top = k < n ? k : n;
  real *estimates = space, *errors = estimates + SEARCH_ROWS * 2 * width, *candidates = errors + SEARCH_ROWS * 2;
  int32_t *ids = (int32_t *)(candidates + 2 * list), *better = ids + 2 * list;
  uint16_t *rounded = (uint16_t *)(better + 2 * list);
  product_scratch s = cut_scratch(n, k, rounded + SEARCH_ROWS * half);
  // Rounding in sums of `half` products, in whatever order, and in the sum of two of them.
  const real rounding = (real)(half + 16) * FLT_EPSILON;
  for (long first = 0; first < rows; first += SEARCH_ROWS) {
    long height = rows - first < SEARCH_ROWS ? rows - first : SEARCH_ROWS;
    for (int side = 0; side < 2; side++) {
      const char *of_side = (const char *)packed + side * packed_keys_size(n, half);
      key_bounds bounds;
      memcpy(&bounds, of_side, sizeof bounds);
      for (long row = 0; row < height; row++) {
        real kept, cut;
        round_row(half, queries + (first + row) * stride + side * half, rounded + row * half, &kept, &cut);
        kept = norm_of(kept), cut = norm_of(cut);
        real largest = (kept + cut) * bounds.norm;
        real error = (real)1.001 * (cut * bounds.norm + kept * bounds.cut + rounding * largest);
        errors[2 * row + side] = largest < (real)1e37 ? error + (real)1e-30 : (real)INFINITY;
      }
      estimate(height, n, half / 2, rounded, (const uint32_t *)(of_side + 64), estimates + side * width, 2 * width);
    }
    for (long row = 0; row < height; row++, slots += out_stride, weights += out_stride) {
      remaining r[2];
      real e0 = errors[2 * row], e1 = errors[2 * row + 1];
      for (int side = 0; side < 2; side++) {
        r[side] = (remaining){n, {.kept_scores = candidates + side * list,
                                  .kept_ids = ids + side * list,
                                  .better = better + side * list}};
      }
      const real *query = queries + (first + row) * stride;
      if (e0 + e1 < INFINITY) {
        const real *of_row = estimates + row * 2 * width;
        long firsts = remain_in_list(n, top, of_row, e0, s.first, s.first_ids, &r[0]);
        long seconds = remain_in_list(n, top, of_row + width, e1, s.second, s.second_ids, &r[1]);
        long sums = pair_sums(n, k, firsts, seconds, &s, false);
        real threshold = reached_by(sums, k, s.sums) - 2 * (e0 + e1);
        remain_above(threshold - s.second[0], &r[0]);
        remain_above(threshold - s.first[0], &r[1]);
        score_remaining(half, query, keys, &r[0]);
        score_remaining(half, query + half, keys + n * half, &r[1]);
        rank(r[0].count, top, r[0].space, s.first, s.first_ids);
        rank(r[1].count, top, r[1].space, s.second, s.second_ids);
      } else {
        // Numbers too large, or none: every score is computed, and NaN takes its place.
        for (long i = 0; i < n; i++) r[0].space.kept_ids[i] = r[1].space.kept_ids[i] = (int32_t)i;
        score_remaining(half, query, keys, &r[0]);
        score_remaining(half, query + half, keys + n * half, &r[1]);
        select_top(n, top, r[0].space.kept_scores, NULL, s.first, s.first_ids, s.selection);
        select_top(n, top, r[1].space.kept_scores, NULL, s.second, s.second_ids, s.selection);
      }
      long firsts = r[0].count < top ? r[0].count : top, seconds = r[1].count < top ? r[1].count : top;
      choose_slots(n, k, firsts, seconds, &s, slots, weights, NULL);
    }
  }
}

#endif
