// Causal attention of one head over a whole sequence, forward and backward, block by block: no more scores exist than those of
// one block of queries and one of keys. Queries stand in lanes and keys in rows, so that softmax adds nothing across lanes.

// --- forward

static long causal_attention_scratch(long length, long width) {
  const long tall = whole_tiles(length), padded = padded_width(width);
  return 2 * BLOCK * padded + BLOCK * BLOCK + 2 * tall * padded;
}

// What the scores of a block of queries have come to: the largest and the sum of the powers.
typedef struct {
  lanes top[BLOCK / LANES], total[BLOCK / LANES];
} running_softmax;

// Scores of some keys to powers of 2 of what they are below the largest so far, in place or, in bfloat16, as pairs of keys.
// `largest` are those of these keys; `changes` takes what becomes of earlier powers.
INLINE void powers_of_scores(long keys, long lane, real factor, const lanes largest[2], real *scores, packed_word *p,
                             running_softmax *state, real *changes, const bool bf16) {
  FUSED
  for (int v = 0; v < 2; v++, scores += LANES, p += LANES) {
    lanes *old = &state->top[lane / LANES + v], *total = &state->total[lane / LANES + v];
    lanes top = choose(largest[v] > *old, largest[v], *old);
    lanes change = lane_powers((*old - top) * factor), sums[2] = {*total * change, {0}};
    for (long s = 0; s < keys; s += 2) {
      lanes pair[2];
      for (int k = 0; k < 2; k++) {
        pair[k] = lane_powers((load_reals(scores + (s + k) * BLOCK) - top) * factor);
        sums[k] += pair[k];
      }
      if (bf16) {
        store_pairs(pair[0], pair[1], p + s / 2 * BLOCK);
      } else {
        store_reals(pair[0], scores + s * BLOCK);
        store_reals(pair[1], scores + (s + 1) * BLOCK);
      }
    }
    *old = top;
    *total = sums[0] + sums[1];
    store_reals(change, changes + v * LANES);
  }
}

INLINE void causal_attention_in(long length, long width, real scale, const void *queries, const void *keys,
                                const void *values, long stride, void *out, long out_stride, real *log_sum_exp,
                                packed_word *scratch, const bool bf16) {
  FUSED
  const long words = word_count(width, bf16), padded = padded_width(width), tall = whole_tiles(length);
  const long each = bf16 ? 2 : 1;
  const row_source sources[] = {{queries, stride}, {keys, stride}, {values, stride}, {out, out_stride}};
  packed_word *query_lanes = scratch, *value_rows = query_lanes + BLOCK * padded, *p = value_rows + tall * padded;
  real *scores = (real *)p, *mixed = scores + BLOCK * BLOCK;
  packed_word *packed_keys = (packed_word *)(mixed + BLOCK * padded);
  for (long first = 0; first < length; first += BLOCK) {
    const long rows = length - first < BLOCK ? length - first : BLOCK;
    long next = first + BLOCK, next_end = length < next + BLOCK ? length : next + BLOCK;
    pack_lane_blocks(rows, width, operand_at(queries, first * stride, bf16), stride, query_lanes, bf16);
    pack_rows(rows, width, operand_at(keys, first * stride, bf16), stride, packed_keys + first * words, bf16);
    weave_rows(rows, width, operand_at(values, first * stride, bf16), stride, value_rows + first / each * padded, bf16);
    running_softmax state;
    for (int v = 0; v < BLOCK / LANES; v++) state.top[v] = (lanes){0} - (real)INFINITY, state.total[v] = (lanes){0};
    for (long key = 0; key <= first; key += BLOCK) {
      const long count = key < first ? BLOCK : whole_tiles(rows);
      lanes sums[TILE_ROWS][2];
      real changes[BLOCK];
      for (long lane = 0; lane < rows; lane += FEW_ROWS) {
        const long seen = key < first || count < lane + FEW_ROWS ? count : lane + FEW_ROWS;
        lanes largest[2];
        for (int v = 0; v < 2; v++) largest[v] = (lanes){0} - (real)INFINITY;
        for (long s = 0; s < seen; s += TILE_ROWS) {
          tile_sums(words, query_lanes + lane * words, FEW_ROWS, packed_keys + (key + s) * words, words, 1, sums, bf16);
          if (key == first) hide_later_keys(s, lane, sums);
          for (int j = 0; j < TILE_ROWS; j++) {
            for (int v = 0; v < 2; v++) largest[v] = choose(sums[j][v] > largest[v], sums[j][v], largest[v]);
            memcpy(scores + (s + j) * BLOCK + lane, sums[j], sizeof sums[j]);
          }
          fetch_rows(&next, next_end, 2, width, sources, 4, bf16);
        }
        powers_of_scores(seen, lane, scale * (real)M_LOG2E, largest, scores + lane, p + lane, &state, changes + lane, bf16);
      }
      for (long i = 0; i < rows; i += TILE_ROWS) {
        const long seen = key < first ? BLOCK : i + TILE_ROWS;
        for (long c = 0; c < width; c += FEW_ROWS) {
          tile_sums(seen / each, value_rows + key / each * padded + c, padded, p + i, 1, BLOCK, sums, bf16);
          real *sum = mixed + i * padded + c;
          for (long j = 0; j < TILE_ROWS; j++, sum += padded) {
            for (int v = 0; v < 2; v++) {
              lanes before = key > 0 ? load_reals(sum + v * LANES) * changes[i + j] : (lanes){0};
              store_reals(before + sums[j][v], sum + v * LANES);
            }
          }
        }
      }
    }
    real tops[BLOCK], totals[BLOCK];
    memcpy(tops, state.top, sizeof tops);
    memcpy(totals, state.total, sizeof totals);
    for (long i = 0; i < rows; i++) {
      const real factor = 1 / totals[i];
      void *into = operand_at(out, (first + i) * out_stride, bf16);
      for (long c = 0; c < width; c++) store_operand(into, c, mixed[i * padded + c] * factor, bf16);
      log_sum_exp[first + i] = tops[i] * scale + real_log(totals[i]);
    }
  }
}

KERNEL void causal_attention(long length, long width, double scale, const void *queries, const void *keys,
                             const void *values, long stride, void *out, long out_stride, void *log_sum_exp,
                             void *scratch, bool bf16) {
  BY_FORM(bf16, causal_attention_in, length, width, (real)scale, queries, keys, values, stride, out, out_stride,
          log_sum_exp, scratch);
}

// --- backward

static long causal_attention_backward_scratch(long length, long width) {
  const long tall = whole_tiles(length), padded = padded_width(width);
  return 5 * BLOCK * padded + 3 * BLOCK * BLOCK + 5 * tall * padded;
}

// out (+)= sums, rows `stride` apart.
INLINE void add_tile(const lanes sums[TILE_ROWS][2], bool adds, real *out, long stride) {
  for (long j = 0; j < TILE_ROWS; j++, out += stride) {
    for (int v = 0; v < 2; v++) {
      store_reals(adds ? load_reals(out + v * LANES) + sums[j][v] : sums[j][v], out + v * LANES);
    }
  }
}

// Probabilities and gradients of the scores of one block of keys and one of queries, a row for each key, in words;
// `ds_pairs` has neighbors of a column in one.
typedef struct {
  packed_word *p, *ds, *ds_pairs;
} score_block;

// From scores and gradients of probabilities, a tile of each, to what is multiplied.
INLINE void gradient_tile(score_block block, long s, long lane, real factor, const real *shifts, const real *means,
                          lanes scores[TILE_ROWS][2], lanes d[TILE_ROWS][2], const bool bf16) {
  FUSED
  for (int j = 0; j < TILE_ROWS; j += 2) {
    lanes p[2][2], ds[2][2];
    for (int k = 0; k < 2; k++) {
      for (int v = 0; v < 2; v++) {
        p[k][v] = lane_powers(scores[j + k][v] * factor - load_reals(shifts + v * LANES));
        ds[k][v] = p[k][v] * (d[j + k][v] - load_reals(means + v * LANES));
      }
      const long at = ((s + j + k) * BLOCK + lane) / (bf16 ? 2 : 1);
      if (bf16) {
        store_row(p[k], block.p + at);
        store_row(ds[k], block.ds + at);
      } else {
        memcpy(block.p + at, p[k], sizeof p[k]);
        memcpy(block.ds + at, ds[k], sizeof ds[k]);
      }
    }
    for (int v = 0; v < 2 && bf16; v++) {
      store_pairs(ds[0][v], ds[1][v], block.ds_pairs + (s + j) / 2 * BLOCK + lane + v * LANES);
    }
  }
}

INLINE void causal_attention_backward_in(long length, long width, real scale, const void *queries, const void *keys,
                                         const void *values, long stride, const void *out, const void *d_out,
                                         long out_stride, const real *log_sum_exp, void *d_queries, void *d_keys,
                                         void *d_values, packed_word *scratch, const bool bf16) {
  VECTOR_SUMS
  const long words = word_count(width, bf16), padded = padded_width(width), tall = whole_tiles(length);
  const long each = bf16 ? 2 : 1;
  packed_word *query_lanes = scratch, *out_lanes = query_lanes + BLOCK * padded;
  packed_word *query_rows = out_lanes + BLOCK * padded, *out_rows = query_rows + BLOCK * padded;
  score_block block = {.p = out_rows + BLOCK * padded};
  block.ds = block.p + BLOCK * BLOCK;
  block.ds_pairs = bf16 ? block.ds + BLOCK * BLOCK : block.ds;
  packed_word *key_rows = block.p + 3 * BLOCK * BLOCK;
  real *query_sums = (real *)(key_rows + tall * padded), *key_sums = query_sums + BLOCK * padded;
  real *value_sums = key_sums + tall * padded;
  packed_word *packed_keys = (packed_word *)(value_sums + tall * padded), *packed_values = packed_keys + tall * words;
  const row_source sources[] = {{queries, stride}, {keys, stride},      {values, stride},
                                {out, out_stride}, {d_out, out_stride}, {d_queries, stride}};
  for (long first = 0; first < length; first += BLOCK) {
    const long rows = length - first < BLOCK ? length - first : BLOCK, filled = whole_tiles(rows);
    long next = first + BLOCK, next_end = length < next + BLOCK ? length : next + BLOCK;
    const void *query = operand_at(queries, first * stride, bf16), *key = operand_at(keys, first * stride, bf16);
    const void *value = operand_at(values, first * stride, bf16);
    const void *result = operand_at(out, first * out_stride, bf16);
    const void *d_result = operand_at(d_out, first * out_stride, bf16);
    real shifts[BLOCK] = {0}, means[BLOCK] = {0};
    for (long i = 0; i < rows; i++) {
      real mean = 0;
      for (long c = 0; c < width; c++) {
        mean += load_operand(result, i * out_stride + c, bf16) * load_operand(d_result, i * out_stride + c, bf16);
      }
      means[i] = mean;
      shifts[i] = log_sum_exp[first + i] * (real)M_LOG2E;
    }
    pack_rows(rows, width, key, stride, packed_keys + first * words, bf16);
    pack_rows(rows, width, value, stride, packed_values + first * words, bf16);
    weave_rows(rows, width, key, stride, key_rows + first / each * padded, bf16);
    pack_lane_blocks(rows, width, query, stride, query_lanes, bf16);
    pack_lane_blocks(rows, width, d_result, out_stride, out_lanes, bf16);
    weave_rows(rows, width, query, stride, query_rows, bf16);
    weave_rows(rows, width, d_result, out_stride, out_rows, bf16);
    for (long from = 0; from <= first; from += BLOCK) {
      const bool is_last = from == first;
      const long seen = is_last ? filled : BLOCK;
      lanes sums[TILE_ROWS][2], d[TILE_ROWS][2];
      // Queries before the keys are skipped, by registers here and by tiles below.
      for (long s = 0; s < seen; s += TILE_ROWS) {
        for (long lane = is_last ? s / FEW_ROWS * FEW_ROWS : 0; lane < rows; lane += FEW_ROWS) {
          tile_sums(words, query_lanes + lane * words, FEW_ROWS, packed_keys + (from + s) * words, words, 1, sums, bf16);
          if (is_last) hide_later_keys(s, lane, sums);
          tile_sums(words, out_lanes + lane * words, FEW_ROWS, packed_values + (from + s) * words, words, 1, d, bf16);
          gradient_tile(block, s, lane, scale * (real)M_LOG2E, shifts + lane, means + lane, sums, d, bf16);
        }
        fetch_rows(&next, next_end, 4, width, sources, 6, bf16);
      }
      for (long s = 0; s < seen; s += TILE_ROWS) {
        const long skipped = is_last ? s : 0, count = (filled - skipped) / each;
        const long at = (s * BLOCK + skipped) / each, rows_at = skipped / each * padded, row_words = BLOCK / each;
        for (long c = 0; c < width; c += FEW_ROWS) {
          tile_sums(count, out_rows + rows_at + c, padded, block.p + at, row_words, 1, sums, bf16);
          add_tile(sums, from < first, value_sums + (from + s) * padded + c, padded);
          tile_sums(count, query_rows + rows_at + c, padded, block.ds + at, row_words, 1, sums, bf16);
          add_tile(sums, from < first, key_sums + (from + s) * padded + c, padded);
        }
      }
      for (long i = 0; i < rows; i += TILE_ROWS) {
        const long count = (is_last ? i + TILE_ROWS : BLOCK) / each;
        for (long c = 0; c < width; c += FEW_ROWS) {
          tile_sums(count, key_rows + from / each * padded + c, padded, block.ds_pairs + i, 1, BLOCK, sums, bf16);
          add_tile(sums, from > 0, query_sums + i * padded + c, padded);
        }
      }
    }
    store_scaled(rows, width, scale, query_sums, operand_at(d_queries, first * stride, bf16), stride, bf16);
  }
  store_scaled(length, width, scale, key_sums, d_keys, stride, bf16);
  store_scaled(length, width, 1, value_sums, d_values, stride, bf16);
}

KERNEL void causal_attention_backward(long length, long width, double scale, const void *queries, const void *keys,
                                      const void *values, long stride, const void *out, const void *d_out,
                                      long out_stride, const void *log_sum_exp, void *d_queries, void *d_keys,
                                      void *d_values, void *scratch, bool bf16) {
  BY_FORM(bf16, causal_attention_backward_in, length, width, (real)scale, queries, keys, values, stride, out, d_out,
          out_stride, log_sum_exp, d_queries, d_keys, d_values, scratch);
}
