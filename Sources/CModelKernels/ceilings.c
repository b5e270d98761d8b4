// The arithmetic ceilings of the processor: loops that do nothing but multiply and add.
#include "CModelKernels.h"

#include <stddef.h>
#include <string.h>

// Independent chains, enough to hide the latency of one. AVX2 has no registers for more. The results are returned, so
// that the loops are not optimized away.
enum { CHAINS = 12, CHAINS_V4 = 24 };

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("arch=x86-64-v4"))) static double fma_v4(long rounds, double *sum) {
  __m512 z[CHAINS_V4], x = _mm512_set1_ps(1.0000001f), y = _mm512_set1_ps(1e-9f);
  for (int i = 0; i < CHAINS_V4; i++) z[i] = _mm512_set1_ps((float)i);
  for (long round = 0; round < rounds; round++) {
#pragma clang loop unroll(full)
    for (int i = 0; i < CHAINS_V4; i++) z[i] = _mm512_fmadd_ps(z[i], x, y);
  }
  for (int i = 0; i < CHAINS_V4; i++) *sum += (double)_mm512_reduce_add_ps(z[i]);
  return (double)rounds * CHAINS_V4 * 16 * 2;
}

__attribute__((target("arch=x86-64-v3"))) static double fma_v3(long rounds, double *sum) {
  __m256 z[CHAINS], x = _mm256_set1_ps(1.0000001f), y = _mm256_set1_ps(1e-9f);
  for (int i = 0; i < CHAINS; i++) z[i] = _mm256_set1_ps((float)i);
  for (long round = 0; round < rounds; round++) {
#pragma clang loop unroll(full)
    for (int i = 0; i < CHAINS; i++) z[i] = _mm256_fmadd_ps(z[i], x, y);
  }
  for (int i = 0; i < CHAINS; i++) *sum += (double)z[i][0];
  return (double)rounds * CHAINS * 8 * 2;
}

__attribute__((target("arch=x86-64-v4,avx512bf16"))) static double dot_bfloat16(long rounds, double *sum) {
  __m512 z[CHAINS_V4];
  __m512bh x = (__m512bh)_mm512_set1_epi16(0x3f80), y = (__m512bh)_mm512_set1_epi16(0x0100);
  for (int i = 0; i < CHAINS_V4; i++) z[i] = _mm512_set1_ps((float)i);
  for (long round = 0; round < rounds; round++) {
#pragma clang loop unroll(full)
    for (int i = 0; i < CHAINS_V4; i++) z[i] = _mm512_dpbf16_ps(z[i], x, y);
  }
  for (int i = 0; i < CHAINS_V4; i++) *sum += (double)_mm512_reduce_add_ps(z[i]);
  return (double)rounds * CHAINS_V4 * 32 * 2;
}

__attribute__((target("arch=x86-64-v4,avx512vnni"))) static double dot_bytes(long rounds, double *sum) {
  __m512i z[CHAINS_V4], x = _mm512_set1_epi8(1), y = _mm512_set1_epi8(3);
  for (int i = 0; i < CHAINS_V4; i++) z[i] = _mm512_set1_epi32(i);
  for (long round = 0; round < rounds; round++) {
#pragma clang loop unroll(full)
    for (int i = 0; i < CHAINS_V4; i++) z[i] = _mm512_dpbusd_epi32(z[i], x, y);
  }
  for (int i = 0; i < CHAINS_V4; i++) *sum += (double)_mm512_reduce_add_epi32(z[i]);
  return (double)rounds * CHAINS_V4 * 64 * 2;
}

// The product of 32 x 32 numbers at a time by four tiles of sums; if `loads`, with operands from the first-level cache.
#define TILE_LOOP(loads)                                                          \
  for (long round = 0; round < rounds; round++) {                                 \
    if (loads) {                                                                  \
      const long at = round % 4 * 1024;                                           \
      _tile_loadd(4, operands + at, 64);                                          \
      _tile_loadd(6, operands + 4096 + at, 64);                                   \
      _tile_loadd(7, operands + 8192 + at, 64);                                   \
      _tile_loadd(5, operands + 12288 + at, 64);                                  \
    }                                                                             \
    _tile_dpbf16ps(0, 4, 6);                                                      \
    _tile_dpbf16ps(1, 4, 7);                                                      \
    _tile_dpbf16ps(2, 5, 6);                                                      \
    _tile_dpbf16ps(3, 5, 7);                                                      \
  }

__attribute__((target("arch=x86-64-v4,amx-tile,amx-bf16"))) static double tiles(long rounds, bool loads, double *sum) {
  struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
  } configuration = {.palette = 1};
  for (int tile = 0; tile < 8; tile++) configuration.row_bytes[tile] = 64, configuration.rows[tile] = 16;
  char operands[4 * 4096] __attribute__((aligned(64))) = {0};
  float sums[16][16];
  _tile_loadconfig(&configuration);
  if (loads) {
    TILE_LOOP(true)
  } else {
    TILE_LOOP(false)
  }
  _tile_stored(0, sums, 64);
  _tile_release();
  *sum += (double)sums[0][0];
  return (double)rounds * 4 * 16 * 16 * 32 * 2;
}

double pkm_ceiling_multiply_add(long rounds, double *sum) {
  switch (pkm_best_instruction_set()) {
    case PKM_INSTRUCTION_SET_AMX:
    case PKM_INSTRUCTION_SET_V4_BF16:
    case PKM_INSTRUCTION_SET_V4:
      return fma_v4(rounds, sum);
    case PKM_INSTRUCTION_SET_V3:
      return fma_v3(rounds, sum);
    default:
      return 0;
  }
}

double pkm_ceiling_bf16(long rounds, double *sum) {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512bf16") ? dot_bfloat16(rounds, sum) : 0;
}

double pkm_ceiling_bytes(long rounds, double *sum) {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("x86-64-v4") ? dot_bytes(rounds, sum) : 0;
}

double pkm_ceiling_tiles(long rounds, bool loads, double *sum) {
  return pkm_amx_bf16() == PKM_AMX_USABLE ? tiles(rounds, loads, sum) : 0;
}
#else
double pkm_ceiling_multiply_add(long rounds, double *sum) { return (void)rounds, (void)sum, 0; }
double pkm_ceiling_bf16(long rounds, double *sum) { return (void)rounds, (void)sum, 0; }
double pkm_ceiling_bytes(long rounds, double *sum) { return (void)rounds, (void)sum, 0; }
double pkm_ceiling_tiles(long rounds, bool loads, double *sum) { return (void)rounds, (void)loads, (void)sum, 0; }
#endif
