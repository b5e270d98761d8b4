// The parts of attention: one tile of a matmul, operands packed for it, and softmax in lanes.
#pragma once
#include "matmul/tile_block.h"

enum {
// Rows of an output tile, whose groups are broadcast one by one, or which are a tile of the matrix unit.
#if HAS_TILES
  ATTENTION_TILE_ROWS = TILE_SIDE,
#else
  ATTENTION_TILE_ROWS = 8,
#endif
  // Columns of an output tile: the lanes of two registers. Packed operands are padded with zeros to whole tiles and
  // groups.
  ATTENTION_TILE_LANES = 2 * LANES,
  // Queries of a block, and keys: 64, or 32 in double. No more scores exist at a time than those of one block of each.
  ATTENTION_BLOCK = 2 * ATTENTION_TILE_LANES
};

// Rows of a tile that are summed at a time, so that the sums fit the registers.
#if HAS_AVX512
enum { ATTENTION_ROWS_IN_REGISTERS = 8 };
#else
enum { ATTENTION_ROWS_IN_REGISTERS = 2 };
#endif

// Rows, padded to whole tiles.
INLINE long whole_tiles(long rows) {
  return (rows + ATTENTION_TILE_ROWS - 1) / ATTENTION_TILE_ROWS * ATTENTION_TILE_ROWS;
}
// Columns, padded to the lanes of whole tiles.
INLINE long padded_width(long width) {
  return (width + ATTENTION_TILE_LANES - 1) / ATTENTION_TILE_LANES * ATTENTION_TILE_LANES;
}

// One tile: sums[j][v] = the sum over p < count of register v of a[p] times the broadcast group b[j][p], in the order
// of p. In bfloat16 tiles multiply, if there are any, for which b_step must be 1. Strides in groups: a[p] is `a_stride`
// apart from p to p, b[j][p] `b_row` from j to j and `b_step` from p to p.
INLINE void tile_gemm(long count, const packed_group *a, long a_stride, const packed_group *b, long b_row, long b_step,
                      lanes sums[ATTENTION_TILE_ROWS][2], const bool bf16) {
#if HAS_TILES
  if (bf16) {
    const tile_row left = {(const char *)b, b_row * 4, TILE_ROW_BYTES, TILE_SIDE};
    tile_block(4 * count, &left, false, a, a_stride, true, NULL, 0, (float *)sums, ATTENTION_TILE_LANES);
    return;
  }
#endif
  enum { TOGETHER = ATTENTION_ROWS_IN_REGISTERS };
  for (int first = 0; first < ATTENTION_TILE_ROWS; first += TOGETHER, b += TOGETHER * b_row) {
    lanes s[TOGETHER][2] = {{{0}}};
    for (long p = 0; p < count; p++) {
#pragma clang loop unroll(full)
      for (int j = 0; j < TOGETHER; j++) {
#pragma clang loop unroll(full)
        for (int v = 0; v < 2; v++) {
          multiply_add(&s[j][v], a + p * a_stride + v * LANES, b + j * b_row + p * b_step, bf16, true);
        }
      }
    }
#pragma clang loop unroll(full)
    for (int j = 0; j < TOGETHER; j++) {
      sums[first + j][0] = s[j][0];
      sums[first + j][1] = s[j][1];
    }
  }
}

// Calls of kernels that use tile_gemm in bfloat16 begin and end with these.
INLINE void begin_tiles(const bool bf16) {
#if HAS_TILES
  if (bf16) configure_tiles();
#else
  (void)bf16;
#endif
}

INLINE void end_tiles(const bool bf16) {
#if HAS_TILES
  if (bf16) release_tiles();
#else
  (void)bf16;
#endif
}

// A block of operands with a lane per query, as tile_gemm broadcasts them: `from[p * step + query * row]` is group p.
typedef struct {
  const packed_group *from;
  long row, step;
} broadcast_block;

// The broadcast operand that consists of pairs of keys, ATTENTION_BLOCK queries each. Tiles take rows of queries: they
// are transposed to the second half of the memory of the block, which in bfloat16 is free.
INLINE broadcast_block broadcast_pairs(packed_group *pairs, const bool bf16) {
#if HAS_TILES
  if (bf16) {
    enum { PAIRS = ATTENTION_BLOCK / 2 };
    packed_group *rows = pairs + PAIRS * ATTENTION_BLOCK;
    for (long p = 0; p < PAIRS; p += TILE_SIDE) {
      for (long i = 0; i < ATTENTION_BLOCK; i += TILE_SIDE) {
        transpose_tile(pairs + p * ATTENTION_BLOCK + i, ATTENTION_BLOCK, rows + i * PAIRS + p, PAIRS);
      }
    }
    return (broadcast_block){rows, PAIRS, 1};
  }
#else
  (void)bf16;
#endif
  return (broadcast_block){pairs, 1, ATTENTION_BLOCK};
}

// --- packing

// An operand and the distance between its rows, in elements.
typedef struct {
  const void *from;
  long stride;
} row_source;

// Prefetches `count` more rows of some operands from `row` on, up to `end`, because the rows are so far apart that the
// processor detects no pattern. The rows of a block are prefetched little by little while the block before is computed,
// so that memory keeps up.
INLINE void prefetch_rows(long *row, long end, long count, long width, const row_source *sources, int source_count,
                          const bool bf16) {
  for (; count > 0 && *row < end; count--, ++*row) {
    for (int i = 0; i < source_count; i++) {
      const void *x = operand_at(sources[i].from, *row * sources[i].stride, bf16);
      for (long c = 0; c < width; c += bf16 ? 2 * LANES : LANES) __builtin_prefetch(operand_at(x, c, bf16), 0, 2);
    }
  }
}

// Packs rows as groups of neighbors of a row, for the operand of a tile that is broadcast group by group.
INLINE void pack_rows(long rows, long width, const void *x, long stride, packed_group *out, const bool bf16) {
  const long groups = group_count(width, bf16);
  for (long r = 0; r < whole_tiles(rows); r++, out += groups, x = operand_at(x, stride, bf16)) {
    if (r >= rows) {
      memset(out, 0, (size_t)groups * sizeof *out);
    } else if (bf16) {
      const uint16_t *row = x;
      for (long w = 0; w < width / 2; w++) out[w] = row[2 * w] | (packed_group)row[2 * w + 1] << 16;
      if (width % 2) out[groups - 1] = row[width - 1];
    } else {
      memcpy(out, x, (size_t)groups * sizeof *out);
    }
  }
}

// Packs rows as groups of neighbors of a column, one lane per column: in bfloat16 pairs of rows are interleaved.
INLINE void interleave_rows(long rows, long width, const void *x, long stride, packed_group *out, const bool bf16) {
  const long padded = padded_width(width), groups = group_count(whole_tiles(rows), bf16);
  for (long p = 0; p < groups; p++, out += padded) {
    const long r = bf16 ? 2 * p : p;
    const void *row = operand_at(x, r * stride, bf16);
    const uint16_t *low = row, *high = operand_at(row, stride, bf16);
    if (r >= rows) {
      memset(out, 0, (size_t)padded * sizeof *out);
      continue;
    }
    if (!bf16) {
      memcpy(out, row, (size_t)width * sizeof *out);
    } else if (r + 1 < rows) {
      for (long c = 0; c < width; c++) out[c] = low[c] | (packed_group)high[c] << 16;
    } else {
      for (long c = 0; c < width; c++) out[c] = low[c];
    }
    for (long c = width; c < padded; c++) out[c] = 0;
  }
}

// Packs a block of rows transposed, one lane per row, ATTENTION_TILE_LANES rows at a time; missing rows are zeros.
INLINE void pack_transposed_blocks(long rows, long width, const void *x, long stride, packed_group *out,
                                   const bool bf16) {
  const long groups = group_count(width, bf16);
  for (long lane = 0; lane < ATTENTION_BLOCK; lane += ATTENTION_TILE_LANES) {
    const long count = rows > lane ? rows - lane : 0;
    const void *from = operand_at(x, lane * stride, bf16);
    pack_transposed(count, ATTENTION_TILE_LANES, width, 0, groups, from, stride, out + lane * groups, bf16);
  }
}

// --- softmax in lanes

// Stores bfloat16 groups of two neighbors of a column, of which `low` is the first.
INLINE void store_pairs(lanes low, lanes high, packed_group *out) {
#if REAL_IS_FLOAT && HAS_BF16_DOT
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512i order = _mm512_or_si512(lane, _mm512_slli_epi32(_mm512_add_epi32(lane, _mm512_set1_epi32(16)), 16));
  __m512i both = (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
  _mm512_storeu_si512(out, _mm512_permutexvar_epi16(order, both));
#else
  for (int i = 0; i < LANES; i++) out[i] = to_bf16(low[i]) | (packed_group)to_bf16(high[i]) << 16;
#endif
}

// Stores ATTENTION_TILE_LANES neighbors of a row as bfloat16 groups of two.
INLINE void store_row(const lanes x[2], packed_group *out) {
#if REAL_IS_FLOAT && HAS_BF16_DOT
  _mm512_storeu_si512(out, (__m512i)_mm512_cvtne2ps_pbh((__m512)x[1], (__m512)x[0]));
#else
  real row[ATTENTION_TILE_LANES];
  memcpy(row, x, sizeof row);
  for (int i = 0; i < LANES; i++) out[i] = to_bf16(row[2 * i]) | (packed_group)to_bf16(row[2 * i + 1]) << 16;
#endif
}

// Applies the causal mask to a tile of scores, keys from `key` on in rows and queries from `query` on in lanes:
// -infinity where the key is later than the query.
INLINE void hide_later_keys(long key, long query, lanes scores[ATTENTION_TILE_ROWS][2]) {
  if (key + ATTENTION_TILE_ROWS - 1 <= query) return;
  lane_bits lane;
  for (int i = 0; i < LANES; i++) lane[i] = i;
  for (int j = 0; j < ATTENTION_TILE_ROWS; j++) {
    for (int v = 0; v < 2; v++) {
      lane_bits hidden = lane < (int)(key + j - query) - v * LANES;
      scores[j][v] = choose(hidden, (lanes){0} - (real)INFINITY, scores[j][v]);
    }
  }
}

// operand out = factor * x; the rows of x are padded.
INLINE void store_scaled(long rows, long width, real factor, const real *x, void *out, long stride, const bool bf16) {
  for (long r = 0; r < rows; r++, x += padded_width(width), out = operand_at(out, stride, bf16)) {
    for (long c = 0; c < width; c++) store_operand(out, c, x[c] * factor, bf16);
  }
}
