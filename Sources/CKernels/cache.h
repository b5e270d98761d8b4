// Attention of one token over the cached keys and values of its sequence: each is read once, in order.

// 2 * LANES numbers from x[i] on: of bfloat16 first the even ones, then the odd ones, as they are had from words at once.
INLINE void load_parted(lanes v[2], const void *x, long i, const bool half) {
  if (!half) {
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
  for (int lane = 0; lane < 2 * LANES; lane++) v[lane % 2][lane / 2] = load_operand(x, i + lane, half);
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

INLINE real query_times_key(long width, const real *query, const void *key, const bool half) {
  FUSED
  lanes sums[4] = {{0}}, q[2], k[2];
  long i = 0;
  for (; i + 4 * LANES <= width; i += 4 * LANES) {
#pragma clang loop unroll(full)
    for (int j = 0; j < 4; j += 2) {
      load_parted(q, query, i + j * LANES, false);
      load_parted(k, key, i + j * LANES, half);
      sums[j] += q[0] * k[0];
      sums[j + 1] += q[1] * k[1];
    }
  }
  for (; i + 2 * LANES <= width; i += 2 * LANES) {
    load_parted(q, query, i, false);
    load_parted(k, key, i, half);
    sums[0] += q[0] * k[0];
    sums[half ? 1 : 0] += q[1] * k[1];
  }
  lanes sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  for (int step = LANES / 2; step > 0; step /= 2) {
    for (int lane = 0; lane < step; lane++) sum[lane] += sum[lane + step];
  }
  real total = sum[0];
  for (; i < width; i++) total += query[i] * load_operand(key, i, half);
  return total;
}

// out += the values of `count` tokens, each times its weight; neighbors in turned order, as texts have been generated so far.
INLINE void add_values(long width, const real *weights, const void *values, long stride, real *out, const long count,
                       const bool half) {
  FUSED
  long i = 0;
  for (; i + 2 * LANES <= width; i += 2 * LANES) {
    lanes sums[2], v[2];
    memcpy(sums, out + i, sizeof sums);
#pragma clang loop unroll(full)
    for (long t = 0; t < count; t++) {
      const long s = count > 1 ? t ^ 1 : t;
      load_parted(v, values, s * stride + i, half);
      sums[0] += weights[s] * v[0];
      sums[1] += weights[s] * v[1];
    }
    memcpy(out + i, sums, sizeof sums);
  }
  for (; i < width; i++) {
    for (long s = 0; s < count; s++) out[i] += weights[s] * load_operand(values, s * stride + i, half);
  }
}

// Weights of the values: exp(scale * (score - the largest)); the sum of them.
INLINE real weigh(long count, real scale, real *scores) {
  VECTOR_SUMS
  real top = row_max(count, scores), sum = 0;
  for (long s = 0; s < count; s++) {
    real e = real_exp((scores[s] - top) * scale);
    scores[s] = e;
    sum += e;
  }
  return sum;
}

INLINE void fetch(const void *x, long bytes) {
  for (long at = 0; at < bytes; at += 64) __builtin_prefetch((const char *)x + at);
}

INLINE void attend_in(long seen, long heads, long width, real scale, const real *queries, const void *keys,
                      const void *values, long stride, real *scores, real *out, const bool half) {
  enum { AHEAD = 4, TOGETHER = 4 };  // tokens
  const long bytes = width * (long)(half ? sizeof(uint16_t) : sizeof(real));
  real *totals = scores + heads * seen, *mixed = half ? totals + heads : out;
  if (half) {
    for (long h = 0; h < heads; h++) part(width, queries + h * width, mixed + h * width);
    queries = mixed;
  }
  for (long s = 0; s < seen; s++) {
    const void *key = operand_at(keys, s * stride, half), *next = operand_at(key, AHEAD * stride, half);
    if (s + AHEAD >= seen) next = operand_at(values, (s + AHEAD - seen) * stride, half);
    for (long h = 0; h < heads; h++) {
      fetch(operand_at(next, h * width, half), bytes);
      scores[h * seen + s] = query_times_key(width, queries + h * width, operand_at(key, h * width, half), half);
    }
  }
  for (long h = 0; h < heads; h++) totals[h] = weigh(seen, scale, scores + h * seen);
  for (long i = 0; i < heads * width; i++) mixed[i] = 0;
  for (long s = 0; s < seen;) {
    const long count = s + TOGETHER <= seen ? TOGETHER : 1;
    for (long h = 0; h < heads; h++) {
      const void *value = operand_at(values, s * stride + h * width, half);
      for (long t = AHEAD; t < AHEAD + count && s + t < seen; t++) fetch(operand_at(value, t * stride, half), bytes);
      if (count == TOGETHER) {
        add_values(width, scores + h * seen + s, value, stride, mixed + h * width, TOGETHER, half);
      } else {
        add_values(width, scores + h * seen + s, value, stride, mixed + h * width, 1, half);
      }
    }
    s += count;
  }
  for (long h = 0; h < heads; h++) {
    if (half) unpart(width, mixed + h * width, out + h * width);
    for (long i = 0; i < width; i++) out[h * width + i] /= totals[h];
  }
}

KERNEL void attend(long seen, long heads, long width, double scale, const void *queries, const void *keys,
                   const void *values, long stride, void *scratch, void *out, bool half) {
  BY_FORM(half, attend_in, seen, heads, width, (real)scale, queries, keys, values, stride, scratch, out);
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
