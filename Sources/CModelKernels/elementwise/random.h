// Random numbers by counter: the same key and index give the same number, whatever the order or the thread. They decide
// dropout and stochastic rounding.
#pragma once
#include "CModelKernels.h"
#include "real.h"

// Two rounds of multiply and shift of a 32-bit counter, each with its own half of the key.
INLINE uint32_t hash_element(uint64_t key, uint32_t index) {
  uint32_t h = index * 0x9e3779b1u + (uint32_t)key;
  h ^= h >> 16;
  h *= 0x85ebca6bu;
  h ^= h >> 13;
  h += (uint32_t)(key >> 32);
  h *= 0xc2b2ae35u;
  h ^= h >> 16;
  h *= 0x9e3779b1u;
  h ^= h >> 15;
  return h;
}

// x * scale, or 0 where the mask drops element `index`.
INLINE real masked(real x, pkm_dropout_mask mask, real scale, uint64_t index) {
  return hash_element(mask.key, (uint32_t)index) >= mask.threshold ? x * scale : (real)0;
}
