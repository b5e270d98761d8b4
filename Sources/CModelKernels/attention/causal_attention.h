// Causal attention of one head over a whole sequence, forward and backward, in blocks (Dao et al., FlashAttention,
// 2022): no more scores exist at a time than those of one block of queries and one of keys. A query has a lane and a
// key a row, so that softmax needs no sums across lanes.
#pragma once
#include "CModelKernels.h"
#include "attention/attention_tiles.h"

// --- forward

KERNEL long causal_attention_scratch(long length, long width) {
  const long tall = whole_tiles(length), padded = padded_width(width);
  return 2 * ATTENTION_BLOCK * padded + ATTENTION_BLOCK * ATTENTION_BLOCK + 2 * tall * padded;
}

// The softmax of a block of queries over the keys so far: the largest score and the sum of the powers.
typedef struct {
  lanes top[ATTENTION_BLOCK / LANES], total[ATTENTION_BLOCK / LANES];
} running_softmax;

// Replaces the scores of some keys by 2^(factor * (score - the largest so far)), in place or, in bfloat16, as pairs of
// keys in `p`. `largest` are the largest scores of these keys; `changes` takes the factors by which earlier powers
// shrink.
INLINE void powers_of_scores(long keys, long lane, real factor, const lanes largest[2], real *scores, packed_group *p,
                             running_softmax *state, real *changes, const bool bf16) {
  FUSED
  for (int v = 0; v < 2; v++, scores += LANES, p += LANES) {
    lanes *old = &state->top[lane / LANES + v], *total = &state->total[lane / LANES + v];
    lanes top = choose(largest[v] > *old, largest[v], *old);
    lanes change = lane_powers((*old - top) * factor), sums[2] = {*total * change, {0}};
    for (long s = 0; s < keys; s += 2) {
      lanes pair[2];
      for (int k = 0; k < 2; k++) {
        pair[k] = lane_powers((load_reals(scores + (s + k) * ATTENTION_BLOCK) - top) * factor);
        sums[k] += pair[k];
      }
      if (bf16) {
        store_pairs(pair[0], pair[1], p + s / 2 * ATTENTION_BLOCK);
      } else {
        store_reals(pair[0], scores + s * ATTENTION_BLOCK);
        store_reals(pair[1], scores + (s + 1) * ATTENTION_BLOCK);
      }
    }
    *old = top;
    *total = sums[0] + sums[1];
    store_reals(change, changes + v * LANES);
  }
}

INLINE void causal_attention_in(pkm_attention_head head, packed_group *scratch, const bool bf16) {
  FUSED
  const long length = head.length, width = head.width, stride = head.stride;
  const long groups = group_count(width, bf16), padded = padded_width(width), tall = whole_tiles(length);
  const long group = bf16 ? 2 : 1;
  const real scale = (real)head.scale;
  real *log_sum_exp = head.log_sum_exp;
  const row_source sources[] = {
      {head.queries, stride}, {head.keys, stride}, {head.values, stride}, {head.out, head.out_stride}};
  packed_group *query_lanes = scratch, *value_rows = query_lanes + ATTENTION_BLOCK * padded,
               *p = value_rows + tall * padded;
  real *scores = (real *)p, *mixed = scores + ATTENTION_BLOCK * ATTENTION_BLOCK;
  packed_group *packed_keys = (packed_group *)(mixed + ATTENTION_BLOCK * padded);
  for (long first = 0; first < length; first += ATTENTION_BLOCK) {
    const long rows = length - first < ATTENTION_BLOCK ? length - first : ATTENTION_BLOCK;
    long next = first + ATTENTION_BLOCK, next_end = length < next + ATTENTION_BLOCK ? length : next + ATTENTION_BLOCK;
    pack_transposed_blocks(rows, width, operand_at(head.queries, first * stride, bf16), stride, query_lanes, bf16);
    pack_rows(rows, width, operand_at(head.keys, first * stride, bf16), stride, packed_keys + first * groups, bf16);
    interleave_rows(rows, width, operand_at(head.values, first * stride, bf16), stride,
                    value_rows + first / group * padded, bf16);
    running_softmax state;
    for (int v = 0; v < ATTENTION_BLOCK / LANES; v++) {
      state.top[v] = (lanes){0} - (real)INFINITY, state.total[v] = (lanes){0};
    }
    for (long key = 0; key <= first; key += ATTENTION_BLOCK) {
      const long count = key < first ? ATTENTION_BLOCK : whole_tiles(rows);
      lanes sums[ATTENTION_TILE_ROWS][2];
      real changes[ATTENTION_BLOCK];
      for (long lane = 0; lane < rows; lane += ATTENTION_TILE_LANES) {
        const long last_lane = lane + ATTENTION_TILE_LANES;
        const long seen = key < first || count < last_lane ? count : last_lane;
        lanes largest[2];
        for (int v = 0; v < 2; v++) largest[v] = (lanes){0} - (real)INFINITY;
        for (long s = 0; s < seen; s += ATTENTION_TILE_ROWS) {
          tile_gemm(groups, query_lanes + lane * groups, ATTENTION_TILE_LANES, packed_keys + (key + s) * groups, groups,
                    1, sums, bf16);
          if (key == first) hide_later_keys(s, lane, sums);
          for (int j = 0; j < ATTENTION_TILE_ROWS; j++) {
            for (int v = 0; v < 2; v++) largest[v] = choose(sums[j][v] > largest[v], sums[j][v], largest[v]);
            memcpy(scores + (s + j) * ATTENTION_BLOCK + lane, sums[j], sizeof sums[j]);
          }
          prefetch_rows(&next, next_end, 2, width, sources, 4, bf16);
        }
        powers_of_scores(seen, lane, scale * (real)M_LOG2E, largest, scores + lane, p + lane, &state, changes + lane,
                         bf16);
      }
      const broadcast_block powers = broadcast_pairs(p, bf16);
      for (long i = 0; i < rows; i += ATTENTION_TILE_ROWS) {
        const long seen = key < first ? ATTENTION_BLOCK : i + ATTENTION_TILE_ROWS;
        for (long c = 0; c < width; c += ATTENTION_TILE_LANES) {
          tile_gemm(seen / group, value_rows + key / group * padded + c, padded,
                    powers.from + i * powers.row, powers.row, powers.step, sums, bf16);
          real *sum = mixed + i * padded + c;
          for (long j = 0; j < ATTENTION_TILE_ROWS; j++, sum += padded) {
            for (int v = 0; v < 2; v++) {
              lanes before = key > 0 ? load_reals(sum + v * LANES) * changes[i + j] : (lanes){0};
              store_reals(before + sums[j][v], sum + v * LANES);
            }
          }
        }
      }
    }
    real tops[ATTENTION_BLOCK], totals[ATTENTION_BLOCK];
    memcpy(tops, state.top, sizeof tops);
    memcpy(totals, state.total, sizeof totals);
    for (long i = 0; i < rows; i++) {
      const real factor = 1 / totals[i];
      void *into = operand_at(head.out, (first + i) * head.out_stride, bf16);
      for (long c = 0; c < width; c++) store_operand(into, c, mixed[i * padded + c] * factor, bf16);
      log_sum_exp[first + i] = tops[i] * scale + real_log(totals[i]);
    }
  }
}

KERNEL void causal_attention(pkm_attention_head head, void *scratch, bool bf16) {
  begin_tiles(bf16);
  BY_FORM(bf16, causal_attention_in, head, scratch);
  end_tiles(bf16);
}

// --- backward

KERNEL long causal_attention_backward_scratch(long length, long width) {
  const long tall = whole_tiles(length), padded = padded_width(width);
  return 5 * ATTENTION_BLOCK * padded + 3 * ATTENTION_BLOCK * ATTENTION_BLOCK + 5 * tall * padded;
}

// out (+)= sums; the rows of out are `stride` apart.
INLINE void add_tile(const lanes sums[ATTENTION_TILE_ROWS][2], bool adds, real *out, long stride) {
  for (long j = 0; j < ATTENTION_TILE_ROWS; j++, out += stride) {
    for (int v = 0; v < 2; v++) {
      store_reals(adds ? load_reals(out + v * LANES) + sums[j][v] : sums[j][v], out + v * LANES);
    }
  }
}

// The probabilities p of one block of keys and one of queries and the gradients ds of their scores, a row per key, in
// groups of neighbors of a row; `ds_pairs` has the gradients in groups of neighbors of a column.
typedef struct {
  packed_group *p, *ds, *ds_pairs;
} score_block;

// From a tile of scores and one of gradients d of the probabilities: p = 2^(factor * score - shift), where `shifts` are
// the log-sum-exp in powers of 2, and ds = p * (d - mean), where `means` are the means of d weighted by p (softmax
// backward).
INLINE void gradient_tile(score_block block, long s, long lane, real factor, const real *shifts, const real *means,
                          lanes scores[ATTENTION_TILE_ROWS][2], lanes d[ATTENTION_TILE_ROWS][2], const bool bf16) {
  FUSED
  for (int j = 0; j < ATTENTION_TILE_ROWS; j += 2) {
    lanes p[2][2], ds[2][2];
    for (int k = 0; k < 2; k++) {
      for (int v = 0; v < 2; v++) {
        p[k][v] = lane_powers(scores[j + k][v] * factor - load_reals(shifts + v * LANES));
        ds[k][v] = p[k][v] * (d[j + k][v] - load_reals(means + v * LANES));
      }
      const long at = ((s + j + k) * ATTENTION_BLOCK + lane) / (bf16 ? 2 : 1);
      if (bf16) {
        store_row(p[k], block.p + at);
        store_row(ds[k], block.ds + at);
      } else {
        memcpy(block.p + at, p[k], sizeof p[k]);
        memcpy(block.ds + at, ds[k], sizeof ds[k]);
      }
    }
    for (int v = 0; v < 2 && bf16; v++) {
      store_pairs(ds[0][v], ds[1][v], block.ds_pairs + (s + j) / 2 * ATTENTION_BLOCK + lane + v * LANES);
    }
  }
}

// The memory of the backward pass of one head.
typedef struct {
  // One block: queries and d_out with one lane per row, and with one lane per column.
  packed_group *query_lanes, *d_out_lanes, *query_rows, *d_out_rows;
  score_block scores;
  // All keys with one lane per column; all keys and values as groups of a row.
  packed_group *key_rows, *keys, *values;
  // Sums of gradients: d_queries of one block, d_keys and d_values of all.
  real *d_queries, *d_keys, *d_values;
} backward_buffers;

INLINE backward_buffers carve_backward_buffers(long length, long width, packed_group *scratch, const bool bf16) {
  const long padded = padded_width(width), tall = whole_tiles(length);
  backward_buffers b = {.query_lanes = scratch};
  b.d_out_lanes = b.query_lanes + ATTENTION_BLOCK * padded;
  b.query_rows = b.d_out_lanes + ATTENTION_BLOCK * padded;
  b.d_out_rows = b.query_rows + ATTENTION_BLOCK * padded;
  b.scores.p = b.d_out_rows + ATTENTION_BLOCK * padded;
  b.scores.ds = b.scores.p + ATTENTION_BLOCK * ATTENTION_BLOCK;
  // Groups of one number have no neighbor.
  b.scores.ds_pairs = bf16 ? b.scores.ds + ATTENTION_BLOCK * ATTENTION_BLOCK : b.scores.ds;
  b.key_rows = b.scores.p + 3 * ATTENTION_BLOCK * ATTENTION_BLOCK;
  b.d_queries = (real *)(b.key_rows + tall * padded);
  b.d_keys = b.d_queries + ATTENTION_BLOCK * padded;
  b.d_values = b.d_keys + tall * padded;
  b.keys = (packed_group *)(b.d_values + tall * padded);
  b.values = b.keys + tall * group_count(width, bf16);
  return b;
}

// One block of queries, with one of keys at a time.
typedef struct {
  long first, rows, width;
  real factor;  // of scores, in powers of 2
  // Of each query: see gradient_tile.
  real shifts[ATTENTION_BLOCK], means[ATTENTION_BLOCK];
} query_block;

// Fills in `shifts` and `means`, which are zeros. The mean of the gradients of the probabilities, weighted by them, is
// the dot product of out and d_out.
INLINE void set_shifts_and_means(query_block *block, pkm_attention_head head, const void *d_out, const bool bf16) {
  VECTOR_SUMS
  const void *out = operand_at(head.out, block->first * head.out_stride, bf16);
  const void *d = operand_at(d_out, block->first * head.out_stride, bf16);
  const real *log_sum_exp = head.log_sum_exp;
  for (long i = 0; i < block->rows; i++) {
    real mean = 0;
    for (long c = 0; c < head.width; c++) {
      mean += load_operand(out, i * head.out_stride + c, bf16) * load_operand(d, i * head.out_stride + c, bf16);
    }
    block->means[i] = mean;
    block->shifts[i] = log_sum_exp[block->first + i] * (real)M_LOG2E;
  }
}

INLINE void pack_backward_block(const query_block *block, pkm_attention_head head, const void *d_out,
                                const backward_buffers *b, const bool bf16) {
  const long first = block->first, rows = block->rows, width = head.width, stride = head.stride;
  const long groups = group_count(width, bf16), group = bf16 ? 2 : 1;
  const void *queries = operand_at(head.queries, first * stride, bf16),
             *keys = operand_at(head.keys, first * stride, bf16);
  const void *values = operand_at(head.values, first * stride, bf16);
  const void *d = operand_at(d_out, first * head.out_stride, bf16);
  pack_rows(rows, width, keys, stride, b->keys + first * groups, bf16);
  pack_rows(rows, width, values, stride, b->values + first * groups, bf16);
  interleave_rows(rows, width, keys, stride, b->key_rows + first / group * padded_width(width), bf16);
  pack_transposed_blocks(rows, width, queries, stride, b->query_lanes, bf16);
  pack_transposed_blocks(rows, width, d, head.out_stride, b->d_out_lanes, bf16);
  interleave_rows(rows, width, queries, stride, b->query_rows, bf16);
  interleave_rows(rows, width, d, head.out_stride, b->d_out_rows, bf16);
}

// The scores of the keys key...key + ATTENTION_TILE_ROWS - 1 and the queries of the block, to b->scores. The first key
// of the block of keys is `from`.
INLINE void score_gradients(const query_block *block, long from, long key, const backward_buffers *b, const bool bf16) {
  const long groups = group_count(block->width, bf16), s = key - from;
  const bool is_diagonal = from == block->first;
  // Queries before the keys are skipped, here by registers and in add_key_and_value_gradients by tiles.
  for (long lane = is_diagonal ? s / ATTENTION_TILE_LANES * ATTENTION_TILE_LANES : 0; lane < block->rows;
       lane += ATTENTION_TILE_LANES) {
    lanes scores[ATTENTION_TILE_ROWS][2], d[ATTENTION_TILE_ROWS][2];
    tile_gemm(groups, b->query_lanes + lane * groups, ATTENTION_TILE_LANES, b->keys + key * groups, groups, 1, scores,
              bf16);
    if (is_diagonal) hide_later_keys(s, lane, scores);
    tile_gemm(groups, b->d_out_lanes + lane * groups, ATTENTION_TILE_LANES, b->values + key * groups, groups, 1, d,
              bf16);
    gradient_tile(b->scores, s, lane, block->factor, block->shifts + lane, block->means + lane, scores, d, bf16);
  }
}

// d_values += p^T d_out and d_keys += ds^T queries, for `seen` keys from `from` on.
INLINE void add_key_and_value_gradients(const query_block *block, long from, long seen, const backward_buffers *b,
                                        const bool bf16) {
  const long padded = padded_width(block->width), group = bf16 ? 2 : 1;
  const bool is_diagonal = from == block->first;
  lanes sums[ATTENTION_TILE_ROWS][2];
  for (long s = 0; s < seen; s += ATTENTION_TILE_ROWS) {
    const long skipped = is_diagonal ? s : 0, count = (whole_tiles(block->rows) - skipped) / group;
    const long at = (s * ATTENTION_BLOCK + skipped) / group, row_groups = ATTENTION_BLOCK / group;
    for (long c = 0; c < block->width; c += ATTENTION_TILE_LANES) {
      const long in = skipped / group * padded + c, out = (from + s) * padded + c;
      tile_gemm(count, b->d_out_rows + in, padded, b->scores.p + at, row_groups, 1, sums, bf16);
      add_tile(sums, !is_diagonal, b->d_values + out, padded);
      tile_gemm(count, b->query_rows + in, padded, b->scores.ds + at, row_groups, 1, sums, bf16);
      add_tile(sums, !is_diagonal, b->d_keys + out, padded);
    }
  }
}

// d_queries += ds keys.
INLINE void add_query_gradients(const query_block *block, long from, const backward_buffers *b, const bool bf16) {
  const long padded = padded_width(block->width), group = bf16 ? 2 : 1;
  lanes sums[ATTENTION_TILE_ROWS][2];
  const broadcast_block ds = broadcast_pairs(b->scores.ds_pairs, bf16);
  for (long i = 0; i < block->rows; i += ATTENTION_TILE_ROWS) {
    const long count = (from == block->first ? i + ATTENTION_TILE_ROWS : ATTENTION_BLOCK) / group;
    for (long c = 0; c < block->width; c += ATTENTION_TILE_LANES) {
      tile_gemm(count, b->key_rows + from / group * padded + c, padded, ds.from + i * ds.row, ds.row, ds.step, sums,
                bf16);
      add_tile(sums, from > 0, b->d_queries + i * padded + c, padded);
    }
  }
}

INLINE void causal_attention_backward_in(pkm_attention_head head, const void *d_out, void *d_queries, void *d_keys,
                                         void *d_values, packed_group *scratch, const bool bf16) {
  const long length = head.length, width = head.width, stride = head.stride;
  const real scale = (real)head.scale;
  const backward_buffers b = carve_backward_buffers(length, width, scratch, bf16);
  const row_source sources[] = {{head.queries, stride},      {head.keys, stride},      {head.values, stride},
                                {head.out, head.out_stride}, {d_out, head.out_stride}, {d_queries, stride}};
  for (long first = 0; first < length; first += ATTENTION_BLOCK) {
    query_block block = {.first = first, .width = width, .factor = scale * (real)M_LOG2E};
    block.rows = length - first < ATTENTION_BLOCK ? length - first : ATTENTION_BLOCK;
    long next = first + ATTENTION_BLOCK, next_end = length < next + ATTENTION_BLOCK ? length : next + ATTENTION_BLOCK;
    set_shifts_and_means(&block, head, d_out, bf16);
    pack_backward_block(&block, head, d_out, &b, bf16);
    for (long from = 0; from <= first; from += ATTENTION_BLOCK) {
      const long seen = from == first ? whole_tiles(block.rows) : ATTENTION_BLOCK;
      for (long s = 0; s < seen; s += ATTENTION_TILE_ROWS) {
        score_gradients(&block, from, from + s, &b, bf16);
        prefetch_rows(&next, next_end, 4, width, sources, 6, bf16);
      }
      add_key_and_value_gradients(&block, from, seen, &b, bf16);
      add_query_gradients(&block, from, &b, bf16);
    }
    store_scaled(block.rows, width, scale, b.d_queries, operand_at(d_queries, first * stride, bf16), stride, bf16);
  }
  store_scaled(length, width, scale, b.d_keys, d_keys, stride, bf16);
  store_scaled(length, width, 1, b.d_values, d_values, stride, bf16);
}

KERNEL void causal_attention_backward(pkm_attention_head head, const void *d_out, void *d_queries, void *d_keys,
                                      void *d_values, void *scratch, bool bf16) {
  begin_tiles(bf16);
  BY_FORM(bf16, causal_attention_backward_in, head, d_out, d_queries, d_keys, d_values, scratch);
  end_tiles(bf16);
}
