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
#else
double pkm_ceiling_multiply_add(long rounds, double *sum) { return (void)rounds, (void)sum, 0; }
double pkm_ceiling_bf16(long rounds, double *sum) { return (void)rounds, (void)sum, 0; }
#endif
