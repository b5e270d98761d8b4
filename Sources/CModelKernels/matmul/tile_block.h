// One block of a matmul in bfloat16 by tiles: up to 32 rows times up to 32 columns, in up to four tiles of sums.
#pragma once
#include "matmul/packed_groups.h"
#include "tiles.h"

#if HAS_TILES

// Up to 16 rows of the left operand, as tiles along k: the rows are `row_bytes` apart, the tiles `step_bytes`.
typedef struct {
  const char *from;
  long row_bytes, step_bytes;
  // Rows that exist; the others count as zeros and are not read.
  long rows;
} tile_row;

// Transposes a tile.
INLINE void transpose_tile(const packed_group *in, long in_stride, packed_group *out, long out_stride) {
#if HAS_AVX512
  __m512i rows[TILE_SIDE];
  for (int i = 0; i < TILE_SIDE; i++) rows[i] = _mm512_loadu_si512(in + i * in_stride);
  transpose_groups(rows, out, out_stride);
#else
  for (int i = 0; i < TILE_SIDE; i++) {
    for (int j = 0; j < TILE_SIDE; j++) out[j * out_stride + i] = in[i * in_stride + j];
  }
#endif
}

// Rows of bytes, filled up to a tile with zeros.
typedef struct {
  uint32_t groups[TILE_SIDE][TILE_SIDE];
} __attribute__((aligned(64))) tile_copy;

INLINE void fill_tile(tile_copy *copy, const char *from, long row_bytes, long rows, long bytes) {
  memset(copy, 0, sizeof *copy);
  for (long i = 0; i < rows; i++) memcpy(copy->groups[i], from + i * row_bytes, (size_t)bytes);
}

// Loads the tile `step` of a row of tiles, of which `bytes` bytes per row exist; unless all of it does, by way of a copy.
#define LOAD_LEFT_TILE(tile, row, step, bytes, is_whole)                                              \
  do {                                                                                                \
    const char *from = (row).from + (step) * (row).step_bytes;                                        \
    if (is_whole) {                                                                                   \
      load_tile(tile, from, (row).row_bytes);                                                         \
    } else {                                                                                          \
      tile_copy copy;                                                                                 \
      fill_tile(&copy, from, (row).row_bytes, (row).rows < TILE_SIDE ? (row).rows : TILE_SIDE, bytes); \
      load_tile(tile, copy.groups, TILE_ROW_BYTES);                                                   \
    }                                                                                                 \
  } while (0)

// The same for 16 columns of the right operand, of whose groups `count` exist.
#define LOAD_RIGHT_TILE(tile, from, stride, count, is_whole)                               \
  do {                                                                                     \
    if (is_whole) {                                                                        \
      load_tile(tile, from, (stride) * 4);                                                 \
    } else {                                                                               \
      tile_copy copy;                                                                      \
      fill_tile(&copy, (const char *)(from), (stride) * 4, count, TILE_ROW_BYTES);         \
      load_tile(tile, copy.groups, TILE_ROW_BYTES);                                        \
    }                                                                                      \
  } while (0)

// One step of tile_block: `bytes` bytes of each row of the left operand. `is_whole` if they fill a tile and all rows exist.
INLINE void tile_step(long step, long bytes, const tile_row left[2], const bool tall, const packed_group *right,
                      long right_stride, const bool wide, const bool is_whole) {
  const long groups = (bytes + 3) / 4;
  LOAD_LEFT_TILE(4, left[0], step, bytes, is_whole);
  if (tall) LOAD_LEFT_TILE(5, left[1], step, bytes, is_whole);
  LOAD_RIGHT_TILE(6, right, right_stride, groups, is_whole);
  if (wide) LOAD_RIGHT_TILE(7, right + TILE_SIDE, right_stride, groups, is_whole);
  multiply_tiles(0, 4, 6);
  if (wide) multiply_tiles(1, 4, 7);
  if (tall) multiply_tiles(2, 5, 6);
  if (tall && wide) multiply_tiles(3, 5, 7);
}

// sums (32 x 32, or half of it unless `tall`, or unless `wide`) = left * right over `bytes` bytes of a row of the left
// operand, two per number. Group p of the columns of the right operand is `right_stride` groups after group p - 1. The
// rows of `sums` are `sums_stride` floats apart. Rows, numbers and groups that do not exist are not read.
//
// Each step of 16 groups prefetches `lines` cache lines from `next` on.
INLINE void tile_block(long bytes, const tile_row left[2], const bool tall, const packed_group *right,
                       long right_stride, const bool wide, const char *next, long lines, float *sums, long sums_stride) {
  zero_tile(0);
  if (wide) zero_tile(1);
  if (tall) zero_tile(2);
  if (tall && wide) zero_tile(3);
  const bool has_all_rows = left[0].rows >= TILE_SIDE && (!tall || left[1].rows >= TILE_SIDE);
  const long whole = has_all_rows ? bytes / TILE_ROW_BYTES : 0;
  long step = 0;
  for (; step < whole; step++, right += TILE_SIDE * right_stride) {
    for (long line = 0; line < lines; line++, next += 64) __builtin_prefetch(next, 0, 2);
    tile_step(step, TILE_ROW_BYTES, left, tall, right, right_stride, wide, true);
  }
  for (long at = step * TILE_ROW_BYTES; at < bytes; at += TILE_ROW_BYTES, step++, right += TILE_SIDE * right_stride) {
    const long rest = bytes - at < TILE_ROW_BYTES ? bytes - at : TILE_ROW_BYTES;
    tile_step(step, rest, left, tall, right, right_stride, wide, false);
  }
  store_tile(0, sums, sums_stride * 4);
  if (wide) store_tile(1, sums + TILE_SIDE, sums_stride * 4);
  if (tall) store_tile(2, sums + TILE_SIDE * sums_stride, sums_stride * 4);
  if (tall && wide) store_tile(3, sums + TILE_SIDE * sums_stride + TILE_SIDE, sums_stride * 4);
}

// c (+)= alpha * sums for `rows` rows and `width` columns of a block of 32 x 32.
INLINE void store_tile_block(const float sums[2 * TILE_SIDE][2 * TILE_SIDE], real alpha, bool adds, real *c, long ldc,
                             long rows, long width) {
  for (long i = 0; i < rows; i++, c += ldc) {
    if (adds) {
      for (long j = 0; j < width; j++) c[j] += alpha * sums[i][j];
    } else {
      for (long j = 0; j < width; j++) c[j] = alpha * sums[i][j];
    }
  }
}

// c (+)= alpha * left * (up to two pairs of tiles of a panel), 32 rows and `width` <= PKM_PANEL_COLUMNS columns.
INLINE void tile_panel_block(long bytes, real alpha, const tile_row left[2], const packed_group *panel,
                             const char *next, long lines, bool adds, real *c, long ldc, long width) {
  float sums[2 * TILE_SIDE][2 * TILE_SIDE] __attribute__((aligned(64)));
  const long rows = left[0].rows + left[1].rows;
  for (long column = 0; column < width; column += 2 * TILE_SIDE) {
    const long count = width - column < 2 * TILE_SIDE ? width - column : 2 * TILE_SIDE;
    // Whole blocks need no detour.
    const bool is_direct = alpha == 1 && !adds && count == 2 * TILE_SIDE && rows == 2 * TILE_SIDE;
    float *to = is_direct ? (float *)c + column : sums[0];
    const long stride = is_direct ? ldc : 2 * TILE_SIDE;
    if (left[1].rows > 0) {
      tile_block(bytes, left, true, panel + column, PKM_PANEL_COLUMNS, true, next, lines, to, stride);
    } else {
      tile_block(bytes, left, false, panel + column, PKM_PANEL_COLUMNS, true, next, lines, to, stride);
    }
    if (!is_direct) store_tile_block(sums, alpha, adds, c + column, ldc, rows, count);
    next += (bytes + TILE_ROW_BYTES - 1) / TILE_ROW_BYTES * lines * 64;
  }
}

// Cache lines that each step of a block prefetches, so that m rows prefetch the whole of the next panel.
INLINE long panel_lines(long m) {
  const long blocks = (m + 2 * TILE_SIDE - 1) / (2 * TILE_SIDE);
  // A step of a block reads half a panel's 16 rows of 4 lines, which two blocks of columns share.
  return (2 * TILE_SIDE + blocks - 1) / blocks;
}
#endif
