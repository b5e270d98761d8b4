// MinHash signatures: see MinHasher.swift for what is computed and why.
#include <string.h>

#include "CBytes.h"

typedef uint32_t Lanes __attribute__((ext_vector_type(16)));

// One multiplication, one addition and one minimum for 16 hashes; multipliers and minima stay in registers over all
// shingles.
static inline __attribute__((always_inline)) void update(
    const uint64_t *shingles, size_t count, const uint32_t *multipliers, uint32_t *minima, const int vectors) {
  Lanes factors[4], least[4];
  memcpy(factors, multipliers, (size_t)vectors * sizeof(Lanes));
  memcpy(least, minima, (size_t)vectors * sizeof(Lanes));
  for (size_t i = 0; i < count; i++) {
    Lanes low = (Lanes)(uint32_t)shingles[i];
    Lanes high = (Lanes)(uint32_t)(shingles[i] >> 32);
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) least[v] = __builtin_elementwise_min(least[v], factors[v] * low + high);
  }
  memcpy(minima, least, (size_t)vectors * sizeof(Lanes));
}

MULTIVERSIONED
void pkm_minhash_update(
    const uint64_t *shingles, size_t count, const uint32_t *multipliers, uint32_t *minima, size_t hashes) {
  for (; hashes >= 64; hashes -= 64, multipliers += 64, minima += 64) update(shingles, count, multipliers, minima, 4);
  if (hashes > 32) {
    update(shingles, count, multipliers, minima, 3);
  } else if (hashes > 16) {
    update(shingles, count, multipliers, minima, 2);
  } else if (hashes > 0) {
    update(shingles, count, multipliers, minima, 1);
  }
}
