// Merging short words: all symbols, and what each merges to with the next, in one or two vectors.
#include "merging.h"

#include <multiversioned.h>
#include <string.h>

typedef uint32_t lanes __attribute__((ext_vector_type(16)));
enum { POSITION_BITS = 5 };

// Merges `count` symbols in place and returns how many are left. merges[i] is result << POSITION_BITS | i where symbols
// i and i + 1 merge, and PKM_NO_MERGE elsewhere, so that the minimum is the next merge. `vectors` is 2 for more than 16
// symbols.
static inline __attribute__((always_inline)) int merge(pkm_pair_table pairs, uint32_t *symbols, uint32_t *merges,
                                                       int count, int vectors) {
  while (1) {
    lanes first, second;
    memcpy(&first, merges, 64);
    if (vectors == 2) {
      memcpy(&second, merges + 16, 64);
      first = __builtin_elementwise_min(first, second);
    }
    uint32_t best = __builtin_reduce_min(first);
    if (best == PKM_NO_MERGE) return count;
    int position = best & ((1 << POSITION_BITS) - 1);
    symbols[position] = best >> POSITION_BITS;
    // The symbols behind the pair move up by one, and so do the positions in their merges.
    int parts = position + 18 < count ? 2 : 1;
    lanes moved_symbols[2], moved_merges[2];
    for (int part = 0; part < vectors && part < parts; part++) {
      memcpy(&moved_symbols[part], symbols + position + 2 + 16 * part, 64);
      memcpy(&moved_merges[part], merges + position + 2 + 16 * part, 64);
      moved_merges[part] += (lanes)(moved_merges[part] != PKM_NO_MERGE);
    }
    for (int part = 0; part < vectors && part < parts; part++) {
      memcpy(symbols + position + 1 + 16 * part, &moved_symbols[part], 64);
      memcpy(merges + position + 1 + 16 * part, &moved_merges[part], 64);
    }
    count--;
    uint32_t result = PKM_NO_MERGE;
    if (position + 1 < count) {
      result = pkm_pair_result(pairs, symbols[position], symbols[position + 1]);
      if (result != PKM_NO_MERGE) result = result << POSITION_BITS | position;
    }
    merges[position] = result;
    if (position > 0) {
      result = pkm_pair_result(pairs, symbols[position - 1], symbols[position]);
      if (result != PKM_NO_MERGE) result = result << POSITION_BITS | (position - 1);
      merges[position - 1] = result;
    }
  }
}

MULTIVERSIONED int pkm_merge_bytes(pkm_pair_table pairs, const uint32_t *bytes, const uint32_t *byte_pairs,
                                   const uint8_t *word, int count, uint32_t *output) {
  // Vectors are read from any position.
  uint32_t symbols[PKM_SYMBOL_CAPACITY], merges[PKM_SYMBOL_CAPACITY];
  memset(merges, 0xff, sizeof merges);
  for (int i = 0; i < count; i++) symbols[i] = bytes[word[i]];
  for (int i = 0; i + 1 < count; i++) {
    uint32_t result = byte_pairs[word[i] << 8 | word[i + 1]];
    if (result != PKM_NO_MERGE) merges[i] = result << POSITION_BITS | i;
  }
  count = count <= 16 ? merge(pairs, symbols, merges, count, 1) : merge(pairs, symbols, merges, count, 2);
  memcpy(output, symbols, 4 * (count <= 16 ? 16 : count));
  return count;
}

MULTIVERSIONED int pkm_merge_symbols(pkm_pair_table pairs, uint32_t *symbols, int count) {
  uint32_t merges[PKM_SYMBOL_CAPACITY];
  memset(merges, 0xff, sizeof merges);
  for (int i = 0; i + 1 < count; i++) {
    uint32_t result = pkm_pair_result(pairs, symbols[i], symbols[i + 1]);
    if (result != PKM_NO_MERGE) merges[i] = result << POSITION_BITS | i;
  }
  return count <= 16 ? merge(pairs, symbols, merges, count, 1) : merge(pairs, symbols, merges, count, 2);
}

#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("arch=x86-64-v4"))), apply_to = function)

// A word of at most 16 symbols, which stays in two registers while it is merged.
typedef struct {
  __m512i symbols, merges;
  unsigned count;
} word;

static inline __attribute__((always_inline)) word begin(const uint32_t *bytes, const uint32_t *byte_pairs,
                                                        const uint8_t *text) {
  const __m512i none = _mm512_set1_epi32(-1);
  const __m512i positions = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  word word = {.count = text[15]};
  __m512i letters = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)text));
  word.symbols = _mm512_i32gather_epi32(letters, bytes, 4);
  __m512i pairs = _mm512_or_si512(_mm512_slli_epi32(letters, 8), _mm512_alignr_epi32(letters, letters, 1));
  __mmask16 inside = (1u << (word.count - 1)) - 1;
  __m512i results = _mm512_mask_i32gather_epi32(none, inside, pairs, byte_pairs, 4);
  __mmask16 merging = _mm512_cmpneq_epi32_mask(results, none);
  word.merges = _mm512_mask_or_epi32(none, merging, _mm512_slli_epi32(results, POSITION_BITS), positions);
  return word;
}

static inline __attribute__((always_inline)) uint32_t lane(__m512i lanes, unsigned position) {
  return _mm_cvtsi128_si32(_mm512_castsi512_si128(_mm512_permutexvar_epi32(_mm512_set1_epi32(position), lanes)));
}

// Applies one merge; returns 0 if none applies.
static inline __attribute__((always_inline)) int step(pkm_pair_table pairs, word *word) {
  const __m512i none = _mm512_set1_epi32(-1);
  uint32_t best = _mm512_reduce_min_epu32(word->merges);
  if (best == PKM_NO_MERGE) return 0;
  unsigned position = best & ((1 << POSITION_BITS) - 1);
  uint32_t result = best >> POSITION_BITS;
  uint32_t before = lane(word->symbols, (position - 1) & 15), after = lane(word->symbols, (position + 2) & 15);
  // The symbols behind the pair move up by one, and so do the positions in their merges.
  __mmask16 here = 1u << position, kept = ~(2u << position), behind = ~1u << position;
  __m512i symbols = _mm512_mask_mov_epi32(word->symbols, here, _mm512_set1_epi32(result));
  word->symbols = _mm512_maskz_compress_epi32(kept, symbols);
  behind &= _mm512_cmpneq_epi32_mask(word->merges, none);
  __m512i merges = _mm512_mask_sub_epi32(word->merges, behind, word->merges, _mm512_set1_epi32(1));
  merges = _mm512_mask_compress_epi32(none, kept, merges);
  word->count--;
  uint32_t with_after = pkm_pair_result(pairs, result, after), with_before = pkm_pair_result(pairs, before, result);
  int merges_after = position + 1 < word->count && with_after != PKM_NO_MERGE;
  int merges_before = position > 0 && with_before != PKM_NO_MERGE;
  with_after = merges_after ? with_after << POSITION_BITS | position : PKM_NO_MERGE;
  with_before = merges_before ? with_before << POSITION_BITS | (position - 1) : PKM_NO_MERGE;
  merges = _mm512_mask_mov_epi32(merges, here, _mm512_set1_epi32(with_after));
  word->merges = _mm512_mask_mov_epi32(merges, here >> 1, _mm512_set1_epi32(with_before));
  return 1;
}

static void merge_words_v4(pkm_pair_table pairs, const uint32_t *bytes, const uint32_t *byte_pairs,
                           const uint8_t *words, int count, uint32_t *tokens, uint32_t *counts) {
  word all[PKM_BATCH_WORDS];
  // If there are fewer words, the last one is merged several times.
  for (int i = 0; i < PKM_BATCH_WORDS; i++)
    all[i] = begin(bytes, byte_pairs, words + 16 * (i < count ? i : count - 1));
  int merged;
  do {
    merged = 0;
#pragma clang loop unroll(full)
    for (int i = 0; i < PKM_BATCH_WORDS; i++) merged |= step(pairs, &all[i]);
  } while (merged);
  for (int i = 0; i < count; i++) {
    _mm512_storeu_si512(tokens + 16 * i, all[i].symbols);
    counts[i] = all[i].count;
  }
}

#pragma clang attribute pop
#endif

void pkm_merge_words(pkm_pair_table pairs, const uint32_t *bytes, const uint32_t *byte_pairs, const uint8_t *words,
                     int count, uint32_t *tokens, uint32_t *counts) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("x86-64-v4"))
    return merge_words_v4(pairs, bytes, byte_pairs, words, count, tokens, counts);
#endif
  for (int i = 0; i < count; i++)
    counts[i] = pkm_merge_bytes(pairs, bytes, byte_pairs, words + 16 * i, words[16 * i + 15], tokens + 16 * i);
}
