// Merging short words: all symbols, and what each makes with the next, in one or two vectors.
#include "CPreTokens.h"

#include <string.h>

#if defined(__x86_64__)
#define MULTIVERSIONED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MULTIVERSIONED
#endif

typedef uint32_t lanes __attribute__((ext_vector_type(16)));
enum { PLACE_BITS = 5 };

// `merges[i]` is what symbols i and i + 1 make, over i: the least is the next merge.
static inline __attribute__((always_inline)) int merge(pkm_pairs pairs, uint32_t *symbols, uint32_t *merges, int count,
                                                       int vectors) {
  while (1) {
    lanes first, second;
    memcpy(&first, merges, 64);
    if (vectors == 2) {
      memcpy(&second, merges + 16, 64);
      first = __builtin_elementwise_min(first, second);
    }
    uint32_t best = __builtin_reduce_min(first);
    if (best == PKM_NO_MERGE) return count;
    int place = best & ((1 << PLACE_BITS) - 1);
    symbols[place] = best >> PLACE_BITS;
    // What lies behind moves up by one, and its places with it.
    int parts = place + 18 < count ? 2 : 1;
    lanes moved_symbols[2], moved_merges[2];
    for (int part = 0; part < vectors && part < parts; part++) {
      memcpy(&moved_symbols[part], symbols + place + 2 + 16 * part, 64);
      memcpy(&moved_merges[part], merges + place + 2 + 16 * part, 64);
      moved_merges[part] += (lanes)(moved_merges[part] != PKM_NO_MERGE);
    }
    for (int part = 0; part < vectors && part < parts; part++) {
      memcpy(symbols + place + 1 + 16 * part, &moved_symbols[part], 64);
      memcpy(merges + place + 1 + 16 * part, &moved_merges[part], 64);
    }
    count--;
    uint32_t result = PKM_NO_MERGE;
    if (place + 1 < count) {
      result = pkm_pair_result(pairs, symbols[place], symbols[place + 1]);
      if (result != PKM_NO_MERGE) result = result << PLACE_BITS | place;
    }
    merges[place] = result;
    if (place > 0) {
      result = pkm_pair_result(pairs, symbols[place - 1], symbols[place]);
      if (result != PKM_NO_MERGE) result = result << PLACE_BITS | (place - 1);
      merges[place - 1] = result;
    }
  }
}

MULTIVERSIONED int pkm_merge_short(pkm_pairs pairs, const uint32_t *byte_symbols, const uint32_t *byte_pairs,
                                   const uint8_t *word, int count, uint32_t *output) {
  // Vectors are read from any place on.
  uint32_t symbols[PKM_SHORT_WORD + 34], merges[PKM_SHORT_WORD + 34];
  memset(merges, 0xff, sizeof merges);
  for (int i = 0; i < count; i++) symbols[i] = byte_symbols[word[i]];
  for (int i = 0; i + 1 < count; i++) {
    uint32_t result = byte_pairs[word[i] << 8 | word[i + 1]];
    if (result != PKM_NO_MERGE) merges[i] = result << PLACE_BITS | i;
  }
  count = count <= 16 ? merge(pairs, symbols, merges, count, 1) : merge(pairs, symbols, merges, count, 2);
  memcpy(output, symbols, 4 * (count <= 16 ? 16 : count));
  return count;
}

MULTIVERSIONED int pkm_merge_symbols(pkm_pairs pairs, uint32_t *symbols, int count) {
  uint32_t merges[PKM_SHORT_WORD + 34];
  memset(merges, 0xff, sizeof merges);
  for (int i = 0; i + 1 < count; i++) {
    uint32_t result = pkm_pair_result(pairs, symbols[i], symbols[i + 1]);
    if (result != PKM_NO_MERGE) merges[i] = result << PLACE_BITS | i;
  }
  return count <= 16 ? merge(pairs, symbols, merges, count, 1) : merge(pairs, symbols, merges, count, 2);
}
