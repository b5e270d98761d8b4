// The tile operations of the matmul kernels: Intel's AMX or, with TILES_ARE_EMULATED, the same arithmetic in plain C, so
// that every machine can test the kernels that use them.
//
// A tile is 16 rows of 64 bytes: 16 x 16 floats, or 16 x 16 groups of two bfloat16. Tiles are named by constants, 0 to 7.
// Kernels use whole tiles only and fill up what is missing with zeros. A thread configures its unit before the first
// tile operation of a kernel and releases it after the last: tiles that are in use would be saved and restored at every
// switch of threads.
#pragma once
#include "real.h"

#if HAS_TILES

enum {
  // Rows of a tile, and its columns: floats, or groups of two bfloat16.
  TILE_SIDE = 16,
  TILE_ROW_BYTES = 64
};

#if !TILES_ARE_EMULATED

// The operand of ldtilecfg.
typedef struct {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} tile_configuration;
_Static_assert(sizeof(tile_configuration) == 64, "ldtilecfg reads 64 bytes");

INLINE void configure_tiles(void) {
  tile_configuration configuration = {.palette = 1};
  for (int tile = 0; tile < 8; tile++) {
    configuration.row_bytes[tile] = TILE_ROW_BYTES;
    configuration.rows[tile] = TILE_SIDE;
  }
  _tile_loadconfig(&configuration);
}

#define release_tiles() _tile_release()
#define zero_tile(tile) _tile_zero(tile)
// The rows are `stride` bytes apart.
#define load_tile(tile, from, stride) _tile_loadd(tile, from, stride)
#define store_tile(tile, to, stride) _tile_stored(tile, to, stride)
// sums += left * right: row i of the left tile has groups along k, and row p of the right one has group p of 16 columns.
#define multiply_tiles(sums, left, right) _tile_dpbf16ps(sums, left, right)

#else

// The tiles of the thread.
static _Thread_local struct {
  bool is_configured;
  uint32_t tiles[8][TILE_SIDE][TILE_SIDE];
} tile_unit;

INLINE void configure_tiles(void) {
  memset(&tile_unit, 0, sizeof tile_unit);
  tile_unit.is_configured = true;
}

INLINE void release_tiles(void) { tile_unit.is_configured = false; }

// The unit refuses tiles that are not configured.
INLINE void check_tiles(void) {
  if (!tile_unit.is_configured) __builtin_trap();
}

INLINE void zero_tile(int tile) {
  check_tiles();
  memset(tile_unit.tiles[tile], 0, sizeof tile_unit.tiles[tile]);
}

INLINE void load_tile(int tile, const void *from, long stride) {
  check_tiles();
  for (int i = 0; i < TILE_SIDE; i++) {
    memcpy(tile_unit.tiles[tile][i], (const char *)from + i * stride, TILE_ROW_BYTES);
  }
}

INLINE void store_tile(int tile, void *to, long stride) {
  check_tiles();
  for (int i = 0; i < TILE_SIDE; i++) memcpy((char *)to + i * stride, tile_unit.tiles[tile][i], TILE_ROW_BYTES);
}

// Subnormal numbers are 0, as operands and as results.
INLINE float flushed(uint32_t bits) {
  if (!(bits & 0x7f800000)) bits &= 0x80000000;
  float x;
  memcpy(&x, &bits, 4);
  return x;
}

INLINE float flushed_float(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  return flushed(bits);
}

// TDPBF16PS of Intel's manual, volume 2: the first and the second numbers of the groups are summed apart, each product
// is rounded once with its sum, and then both sums are added and the result is added to the tile.
static __attribute__((noinline)) void multiply_tiles(int sums, int left, int right) {
  check_tiles();
  for (int i = 0; i < TILE_SIDE; i++) {
    float first[TILE_SIDE] = {0}, second[TILE_SIDE] = {0};
    for (int p = 0; p < TILE_SIDE; p++) {
      const uint32_t group = tile_unit.tiles[left][i][p];
      const float low = flushed(group << 16), high = flushed(group & 0xffff0000);
      for (int j = 0; j < TILE_SIDE; j++) {
        const uint32_t other = tile_unit.tiles[right][p][j];
        first[j] = flushed_float(__builtin_fmaf(low, flushed(other << 16), first[j]));
        second[j] = flushed_float(__builtin_fmaf(high, flushed(other & 0xffff0000), second[j]));
      }
    }
    for (int j = 0; j < TILE_SIDE; j++) {
      const float sum = flushed_float(first[j] + second[j]);
      const float total = flushed_float(flushed(tile_unit.tiles[sums][i][j]) + sum);
      memcpy(&tile_unit.tiles[sums][i][j], &total, 4);
    }
  }
}

#endif
#endif
