// Attention of one token over the cached keys and values of its sequence: each is read once, in order.

// 2 * LANES numbers from x[i] on: of bfloat16 first the even ones, then the odd ones, as they are had from words at once.
INLINE void load_parted(lanes v[2], const void *x, long i, const bool bf16) {
  if (!bf16) {
    memcpy(v, (const real *)x + i, 2 * sizeof *v);
    return;
  }
#if REAL_IS_FLOAT
  typedef uint32_t words __attribute__((vector_size(64)));
  words pairs, even, odd;
  memcpy(&pairs, (const uint16_t *)x + i, sizeof pairs);
  even = pairs << 16, odd = pairs & 0xffff0000u;
  memcpy(&v[0], &even, sizeof even);
  memcpy(&v[1], &odd, sizeof odd);
#else
  for (int lane = 0; lane < 2 * LANES; lane++) v[lane % 2][lane / 2] = load_operand(x, i + lane, bf16);
#endif
}

// Reals in that order, and back.
INLINE void part(long width, const real *x, real *out) {
  long i = 0;
  for (; i + 2 * LANES <= width; i += 2 * LANES) {
    for (int lane = 0; lane < LANES; lane++) out[i + lane] = x[i + 2 * lane], out[i + LANES + lane] = x[i + 2 * lane + 1];
  }
  for (; i < width; i++) out[i] = x[i];
}

INLINE void unpart(long width, const real *x, real *out) {
  long i = 0;
  for (; i + 2 * LANES <= width; i += 2 * LANES) {
    for (int lane = 0; lane < LANES; lane++) out[i + 2 * lane] = x[i + lane], out[i + 2 * lane + 1] = x[i + LANES + lane];
  }
  for (; i < width; i++) out[i] = x[i];
}

// The product of a query with a key: LANES sums.
INLINE lanes query_times_key(long width, const real *query, const void *key, const bool bf16) {
  FUSED
  lanes sum = {0}, q[2], k[2];
  long i = 0;
  for (; i + 2 * LANES <= width; i += 2 * LANES) {
    load_parted(q, query, i, false);
    load_parted(k, key, i, bf16);
    sum += q[0] * k[0];
    sum += q[1] * k[1];
  }
  for (; i < width; i++) sum[0] += query[i] * load_operand(key, i, bf16);
  return sum;
}

// The sums of the lanes of LANES registers.
INLINE lanes sums_of_lanes(const lanes x[LANES]) {
#if REAL_IS_FLOAT && HAS_AVX512
  // The even sums beside the odd ones of each pair, then of each pair of pairs, and so on.
  __m512 pairs[8], fours[4], eights[2];
  for (int i = 0; i < 8; i++) {
    __m512 a = (__m512)x[2 * i], b = (__m512)x[2 * i + 1];
    pairs[i] = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
  }
  for (int i = 0; i < 4; i++) {
    __m512d a = (__m512d)pairs[2 * i], b = (__m512d)pairs[2 * i + 1];
    fours[i] = _mm512_add_ps((__m512)_mm512_unpacklo_pd(a, b), (__m512)_mm512_unpackhi_pd(a, b));
  }
  for (int i = 0; i < 2; i++) {
    __m512 a = fours[2 * i], b = fours[2 * i + 1];
    eights[i] = _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
  }
  return (lanes)_mm512_add_ps(_mm512_shuffle_f32x4(eights[0], eights[1], 0x88),
                              _mm512_shuffle_f32x4(eights[0], eights[1], 0xdd));
#else
  lanes sums;
  for (int i = 0; i < LANES; i++) {
    lanes sum = x[i];
    for (int step = LANES / 2; step > 0; step /= 2) {
      for (int lane = 0; lane < step; lane++) sum[lane] += sum[lane + step];
    }
    sums[i] = sum[0];
  }
  return sums;
#endif
}

// out += weight * value
INLINE void add_value(long width, real weight, const void *value, real *out, const bool bf16) {
  FUSED
  long i = 0;
  for (; i + 2 * LANES <= width; i += 2 * LANES) {
    lanes sums[2], v[2];
    memcpy(sums, out + i, sizeof sums);
    load_parted(v, value, i, bf16);
    sums[0] += weight * v[0];
    sums[1] += weight * v[1];
    memcpy(out + i, sums, sizeof sums);
  }
  for (; i < width; i++) out[i] += weight * load_operand(value, i, bf16);
}

// Weights of the values: exp(scale * (score - the largest)); the sum of them. `count` is a multiple of LANES.
INLINE real weigh(long count, real scale, real *scores) {
  FUSED
  const real top = row_max(count, scores);
  lanes sum = {0}, e;
  for (long s = 0; s < count; s += LANES) {
    EACH_ITSELF
    for (int lane = 0; lane < LANES; lane++) scores[s + lane] = real_exp((scores[s + lane] - top) * scale);
    memcpy(&e, scores + s, sizeof e);
    sum += e;
  }
  real total = 0;
  for (int lane = 0; lane < LANES; lane++) total += sum[lane];
  return total;
}

// Some numbers of row `row` of `count` rows, or of those that are read after them.
INLINE void fetch(const void *rows, const void *next, long count, long row, long stride, long first, long width,
                  const bool bf16) {
  const void *from = row < count ? operand_at(rows, row * stride, bf16) : operand_at(next, (row - count) * stride, bf16);
  const char *x = operand_at(from, first, bf16), *end = operand_at(x, width, bf16);
  for (; x < end; x += 64) __builtin_prefetch(x);
}

// Scores are kept in whole registers.
INLINE long padded_scores(long seen) { return (seen + LANES - 1) / LANES * LANES; }

static long attend_scratch(long seen, long heads, long width) {
  return heads * (LANES * LANES + padded_scores(seen) + 1 + width);
}

// Rows are read in the order of memory, for all heads, and fetched 8 KiB ahead: other orders and distances read more slowly.
INLINE void attend_in(long seen, long heads, long width, real scale, const real *queries, const void *keys,
                      const void *values, const void *next, long stride, lanes *products, real *out, const bool bf16) {
  const long row_bytes = heads * width * (long)(bf16 ? sizeof(uint16_t) : sizeof(real));
  const long ahead = (8 << 10) / row_bytes + 1, padded = padded_scores(seen);
  real *scores = (real *)(products + heads * LANES), *totals = scores + heads * padded, *mixed = bf16 ? totals + heads : out;
  if (bf16) {
    for (long h = 0; h < heads; h++) part(width, queries + h * width, mixed + h * width);
    queries = mixed;
  }
  for (long first = 0; first < seen; first += LANES) {
    const long count = seen - first < LANES ? seen - first : LANES;
    for (long s = first; s < first + count; s++) {
      for (long h = 0; h < heads; h++) {
        fetch(keys, values, seen, s + ahead, stride, h * width, width, bf16);
        products[h * LANES + s - first] =
            query_times_key(width, queries + h * width, operand_at(keys, s * stride + h * width, bf16), bf16);
      }
    }
    for (long h = 0; h < heads; h++) {
      lanes sums = sums_of_lanes(products + h * LANES);
      for (long lane = count; lane < LANES; lane++) sums[lane] = -(real)INFINITY;
      memcpy(scores + h * padded + first, &sums, sizeof sums);
    }
  }
  for (long h = 0; h < heads; h++) totals[h] = weigh(padded, scale, scores + h * padded);
  for (long i = 0; i < heads * width; i++) mixed[i] = 0;
  for (long s = 0; s < seen; s++) {
    for (long h = 0; h < heads; h++) {
      fetch(values, next, seen, s + ahead, stride, h * width, width, bf16);
      add_value(width, scores[h * padded + s], operand_at(values, s * stride + h * width, bf16), mixed + h * width, bf16);
    }
  }
  for (long h = 0; h < heads; h++) {
    if (bf16) unpart(width, mixed + h * width, out + h * width);
    for (long i = 0; i < width; i++) out[h * width + i] /= totals[h];
  }
}

KERNEL void attend(long seen, long heads, long width, double scale, const void *queries, const void *keys,
                   const void *values, const void *next, long stride, void *scratch, void *out, bool bf16) {
  BY_FORM(bf16, attend_in, seen, heads, width, (real)scale, queries, keys, values, next, stride, scratch, out);
}

// --- several tokens, between two products

KERNEL void causal_softmax(long rows, long first_row, long columns, double scale, void *pscores, long stride) {
  VECTOR_SUMS
  real *scores = pscores;
  const real factor = (real)scale;
  for (long r = 0; r < rows; r++, scores += stride) {
    long count = first_row + r + 1;
    real top = row_max(count, scores) * factor, sum = 0;
    for (long c = 0; c < count; c++) {
      real e = real_exp(scores[c] * factor - top);
      scores[c] = e;
      sum += e;
    }
    real share = 1 / sum;
    for (long c = 0; c < count; c++) scores[c] *= share;
    for (long c = count; c < columns; c++) scores[c] = 0;
  }
}
