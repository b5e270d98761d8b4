// Estimates of the scores of sub-keys, for processors that multiply bytes four times as fast as floats, and bounds of
// their errors.
//
// A query q and a sub-key k are rounded to 8 bits: q' = scale * bytes, in steps of 1/127 of the largest number of q,
// and k' likewise. The score S is q . k as it is computed in float, and the estimate E a whole number of units near
// q' . k'. Then |S - E| <= `error` of quantize_query, because
//   |q . k - q' . k'| = |(q - q') . k + q' . (k - k')| <= |q - q'| |k| + |q'| |k - k'|   (Cauchy-Schwarz),
// where |k| <= |k'| + |k - k'| <= `norm` of key_bounds, and because of these roundings (u = FLT_EPSILON / 2, and bound
// = |q| |k| at most, so that the sum of all |q_i k_i| is at most `bound`, too):
// - The norms are sums of squares in float, with a relative error below (half / 16 + 5) u, which is 2e-5 for a half of
//   4096. The factor 1.001 covers those of two norms, and the sums that they enter. Squares below the smallest float
//   lose at most 2^-150 each: the square root of a half of 65536 of them is 1e-20, which norm_of adds.
// - S is a float sum of `half` products, which takes at most `half` roundings in any order: half * u * bound. The
//   values of q' and k' in the norms are rounded products of scale and byte (u * bound each), and E is computed from
//   the exact integer sum with five roundings (5 u * bound). `rounding` is 2 (half + 16) u * bound, more than twice
//   their sum.
// - E is rounded to a whole number of units: half a unit, for which `error` has a whole one.
// The integer sums are exact, since |bytes| <= 255 and 127 and half <= 65536; and estimates do not saturate, since
// |q' . k'| <= bound = ESTIMATE_MAX units, below the largest 16-bit number.
#pragma once
#include "memory/top_k.h"

#if REAL_IS_FLOAT && HAS_BYTE_DOT

enum {
  // Sub-keys of a packed panel: two registers of sums.
  KEY_PANEL_KEYS = 2 * LANES,
  // Queries that meet a panel at a time: their sums fill three quarters of the registers.
  KEY_PANEL_QUERIES = 12,
  // Bytes that one instruction multiplies and adds to each sum.
  DOT_BYTES = 4,
  // Bytes of a cache line.
  LINE = 64,
  // The instruction takes one operand without a sign: it is added to the bytes of queries, and the sums begin with what
  // makes up for it.
  BYTE_OFFSET = 128
};

// Of a list of sub-keys, bounds of |k| and of |k - k'|. Stored in the cache line before the panels.
typedef struct {
  real norm, cut;
} key_bounds;

// Of each sub-key its scale and the number that its sums begin with; then four bytes of each sub-key, the next four,
// and so on.
typedef struct {
  real scales[KEY_PANEL_KEYS];
  int32_t begins[KEY_PANEL_KEYS];
  int8_t bytes[][KEY_PANEL_KEYS][DOT_BYTES];
} key_panel;

INLINE long panel_count(long n) { return (n + KEY_PANEL_KEYS - 1) / KEY_PANEL_KEYS; }
INLINE long panel_size(long half) { return (long)sizeof(key_panel) + KEY_PANEL_KEYS * half; }
KERNEL long packed_subkeys_size(long n, long half) { return LINE + panel_count(n) * panel_size(half); }

// x' = scale * bytes; the norms of x' and of x - x'.
typedef struct {
  real scale, norm, cut;
  int32_t sum;  // of the bytes
} quantized;

// The square root, and the most that squares too small for a float add to it.
INLINE real norm_of(real squares) { return real_sqrt(squares) + (real)1e-20; }

// Rounds x to bytes in steps of 1/127 of its largest number, and adds `offset` to each. Groups of four bytes are stored
// `stride` bytes apart, and groups of 64 `pitch` bytes apart.
INLINE quantized quantize(long half, const real *x, void *bytes, const long stride, const long pitch,
                          const int offset) {
  __m512 largest = _mm512_setzero_ps();
  for (long e = 0; e < half; e += LANES) largest = _mm512_max_ps(largest, _mm512_abs_ps(_mm512_loadu_ps(x + e)));
  const real top = _mm512_reduce_max_ps(largest);
  quantized result = {.scale = top / 127};
  // Numbers all below 1e-30 become zero bytes, because 127 / top might overflow: the whole vector then counts as error.
  const __m512 scale = _mm512_set1_ps(result.scale), steps = _mm512_set1_ps(top > (real)1e-30 ? 127 / top : 0);
  __m512 norm = _mm512_setzero_ps(), cut = norm;
  __m512i sum = _mm512_setzero_si512();
  for (long e = 0; e < half; e += LANES) {
    __m512 given = _mm512_loadu_ps(x + e);
    __m512i whole = _mm512_cvtps_epi32(_mm512_mul_ps(given, steps));
    __m512 value = _mm512_mul_ps(_mm512_cvtepi32_ps(whole), scale), rest = _mm512_sub_ps(given, value);
    norm = _mm512_fmadd_ps(value, value, norm);
    cut = _mm512_fmadd_ps(rest, rest, cut);
    sum = _mm512_add_epi32(sum, whole);
    __m128i packed = _mm512_cvtepi32_epi8(_mm512_add_epi32(whole, _mm512_set1_epi32(offset)));
    char fours[LANES], *out = (char *)bytes + e / LINE * pitch + e % LINE / DOT_BYTES * stride;
    memcpy(fours, &packed, sizeof fours);
    for (int i = 0; i < LANES / DOT_BYTES; i++) memcpy(out + i * stride, fours + i * DOT_BYTES, DOT_BYTES);
  }
  result.norm = norm_of(_mm512_reduce_add_ps(norm));
  result.cut = norm_of(_mm512_reduce_add_ps(cut));
  result.sum = _mm512_reduce_add_epi32(sum);
  return result;
}

// The lane of a sub-key in its panel, such that the estimates, packed from two registers into one, are in order.
INLINE long lane_of(long key) { return key % 8 / 4 * LANES + key / 8 * 4 + key % 4; }

KERNEL void pack_subkeys(long n, long half, const void *pkeys, void *packed) {
  const real *keys = pkeys;
  char *panels = (char *)packed + LINE;
  const long stride = KEY_PANEL_KEYS * DOT_BYTES;
  key_bounds bounds = {0, 0};
  memset(packed, 0, (size_t)packed_subkeys_size(n, half));
  for (long i = 0; i < n; i++) {
    key_panel *panel = (key_panel *)(panels + i / KEY_PANEL_KEYS * panel_size(half));
    const long lane = lane_of(i % KEY_PANEL_KEYS);
    quantized key = quantize(half, keys + i * half, panel->bytes[0][lane], stride, LINE / DOT_BYTES * stride, 0);
    panel->scales[lane] = key.scale, panel->begins[lane] = -BYTE_OFFSET * key.sum;
    real norm = key.norm + key.cut;
    if (norm != norm) norm = (real)INFINITY;
    bounds.norm = norm > bounds.norm ? norm : bounds.norm;
    bounds.cut = key.cut > bounds.cut ? key.cut : bounds.cut;
  }
  memcpy(packed, &bounds, sizeof bounds);
}

// Queries as bytes, KEY_PANEL_QUERIES together: a line of each, then the next line of each, and so on. The capacity is
// a multiple of KEY_PANEL_QUERIES.
typedef struct {
  char *bytes;
  real *scales;
} query_bytes;

INLINE long query_size(long half) { return (half + LINE - 1) / LINE * LINE; }

// Bounds of the scores of one query and a list.
typedef struct {
  real bound;  // of |score|
  real error;  // of |score - estimate|
  real unit;   // of estimates, which are whole numbers of it; 0 if there are no estimates
} score_bounds;

// The bound of estimates in units, and the mark of sub-keys that do not exist.
enum { ESTIMATE_MAX = 32000, NO_ESTIMATE = INT16_MIN };

INLINE score_bounds quantize_query(long half, const real *x, key_bounds keys, query_bytes queries, long row) {
  char *together = queries.bytes + row / KEY_PANEL_QUERIES * KEY_PANEL_QUERIES * query_size(half);
  char *first = together + row % KEY_PANEL_QUERIES * LINE;
  quantized query = quantize(half, x, first, DOT_BYTES, KEY_PANEL_QUERIES * LINE, BYTE_OFFSET);
  score_bounds scores = {.bound = (query.norm + query.cut) * keys.norm};
  // Outside these limits, and for NaN, products and sums of scores might underflow or overflow, so there are no
  // estimates.
  if (scores.bound > (real)1e-30 && scores.bound < (real)1e37) scores.unit = scores.bound / ESTIMATE_MAX;
  // See the head of this file.
  real rounding = (real)(half + 16) * FLT_EPSILON * scores.bound;
  scores.error = (real)1.001 * (query.cut * keys.norm + query.norm * keys.cut) + rounding + scores.unit;
  queries.scales[row] = query.scale / scores.unit;
  return scores;
}

// Estimates of the sub-keys of a panel for KEY_PANEL_QUERIES queries.
INLINE void estimate_panel(long half, const char *queries, const real *scales, const key_panel *panel, int16_t *out,
                           long out_stride) {
  __m512i sums[KEY_PANEL_QUERIES][2];
  for (int i = 0; i < KEY_PANEL_QUERIES; i++) {
    for (int v = 0; v < 2; v++) sums[i][v] = _mm512_loadu_si512(panel->begins + v * LANES);
  }
  const int8_t *keys = panel->bytes[0][0];
  for (long line = 0; line < half; line += LINE, queries += KEY_PANEL_QUERIES * LINE) {
    for (long e = 0; e < LINE && line + e < half; e += DOT_BYTES, keys += KEY_PANEL_KEYS * DOT_BYTES) {
      __m512i k0 = _mm512_loadu_si512(keys), k1 = _mm512_loadu_si512(keys + LANES * DOT_BYTES);
#pragma clang loop unroll(full)
      for (int i = 0; i < KEY_PANEL_QUERIES; i++) {
        int32_t four;
        memcpy(&four, queries + i * LINE + e, sizeof four);
        __m512i q = _mm512_set1_epi32(four);
        sums[i][0] = _mm512_dpbusd_epi32(sums[i][0], q, k0);
        sums[i][1] = _mm512_dpbusd_epi32(sums[i][1], q, k1);
      }
    }
  }
  for (int i = 0; i < KEY_PANEL_QUERIES; i++) {
    __m512i whole[2];
    for (int v = 0; v < 2; v++) {
      __m512 scale = _mm512_mul_ps(_mm512_loadu_ps(panel->scales + v * LANES), _mm512_set1_ps(scales[i]));
      whole[v] = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps(sums[i][v]), scale));
    }
    _mm512_storeu_si512(out + i * out_stride, _mm512_packs_epi32(whole[0], whole[1]));
  }
}

// Estimates of all sub-keys of a list for `rows` queries, and NO_ESTIMATE for the rest of the last panel.
INLINE void estimate(long rows, long n, long half, query_bytes queries, const void *packed, int16_t *out,
                     long out_stride) {
  const char *panel = (const char *)packed + LINE;
  for (long first = 0; first < n; first += KEY_PANEL_KEYS, panel += panel_size(half)) {
    for (long row = 0; row < rows; row += KEY_PANEL_QUERIES) {
      estimate_panel(half, queries.bytes + row * query_size(half), queries.scales + row, (const key_panel *)panel,
                     out + row * out_stride + first, out_stride);
    }
  }
  for (long row = 0; row < rows; row++) {
    for (long i = n; i < panel_count(n) * KEY_PANEL_KEYS; i++) out[row * out_stride + i] = NO_ESTIMATE;
  }
}

// The largest estimate of each column, in float; -infinity for a column without estimates. See MAXIMA_REGISTERS.
INLINE void largest_of_columns(long width, const int16_t *estimates, real unit, __m512 *columns) {
  __m512i largest[2];
  largest[0] = largest[1] = _mm512_set1_epi16(NO_ESTIMATE);
  for (long i = 0; i < width; i += 2 * KEY_PANEL_KEYS) {
    largest[0] = _mm512_max_epi16(largest[0], _mm512_loadu_si512(estimates + i));
    if (i + KEY_PANEL_KEYS < width) {
      largest[1] = _mm512_max_epi16(largest[1], _mm512_loadu_si512(estimates + i + KEY_PANEL_KEYS));
    }
  }
  for (int i = 0; i < MAXIMA_REGISTERS; i++) {
    __m512i pair = largest[i / 2];
    __m512i whole = _mm512_cvtepi16_epi32(i % 2 ? _mm512_extracti64x4_epi64(pair, 1) : _mm512_castsi512_si256(pair));
    __mmask16 there = _mm512_cmpgt_epi32_mask(whole, _mm512_set1_epi32(NO_ESTIMATE));
    columns[i] =
        _mm512_mask_mul_ps(_mm512_set1_ps(-(real)INFINITY), there, _mm512_cvtepi32_ps(whole), _mm512_set1_ps(unit));
  }
}

// Collects the sub-keys whose estimates reach a threshold, and returns how many there are. No estimate is lost to the
// rounding of the quotient: it does not pass a whole number, and estimates are whole.
INLINE long collect_estimated(long width, const int16_t *estimates, real unit, real threshold, int32_t *ids) {
  real steps = __builtin_floorf(threshold / unit);
  steps = steps > -ESTIMATE_MAX ? steps : -ESTIMATE_MAX;
  const __m512i least = _mm512_set1_epi16((short)(steps < ESTIMATE_MAX ? steps : ESTIMATE_MAX));
  __m512i names = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  long m = 0;
  for (long i = 0; i < width; i += KEY_PANEL_KEYS) {
    __mmask32 reach = _mm512_cmpge_epi16_mask(_mm512_loadu_si512(estimates + i), least);
    for (int v = 0; v < 2; v++) {
      __mmask16 of_register = (__mmask16)(reach >> v * LANES);
      // Stores whole registers, so the capacity exceeds the count by one register.
      _mm512_storeu_si512(ids + m, _mm512_maskz_compress_epi32(of_register, names));
      m += __builtin_popcount(of_register);
      names = _mm512_add_epi32(names, _mm512_set1_epi32(LANES));
    }
  }
  return m;
}

#endif
