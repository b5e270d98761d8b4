// Merging short words in vector registers.
#pragma once
#include <stddef.h>
#include <stdint.h>

// A table of the pairs of tokens that merge. Tokens are numbered by rank, below 2^21: of two results, the one with the
// smaller number is merged first. A slot is left << 42 | right << 21 | result, or PKM_EMPTY_SLOT. A bucket has two
// slots, and a pair is in one of the two buckets that its hashes give, so that a look-up takes no branch and the table
// can be nearly full. There are 2^(64 - shift) buckets.
typedef struct {
  uint64_t *slots;
  int shift;
} pkm_pair_table;

#define PKM_PAIR_BITS 21
#define PKM_EMPTY_SLOT 0xffffffffffffffffu
// The result of a pair that does not merge; larger than any token.
#define PKM_NO_MERGE 0xffffffffu

// Both tokens of a pair in one number.
static inline uint64_t pkm_pair_key(uint32_t left, uint32_t right) { return (uint64_t)left << PKM_PAIR_BITS | right; }

// The numbers of the two buckets of a pair.
static inline size_t pkm_pair_bucket(pkm_pair_table pairs, uint64_t key) {
  return key * 0x9e3779b97f4a7c15u >> pairs.shift;
}
static inline size_t pkm_pair_second_bucket(pkm_pair_table pairs, uint64_t key) {
  return key * 0xc2b2ae3d27d4eb4fu >> pairs.shift;
}

// What two tokens merge to, or PKM_NO_MERGE.
static inline uint32_t pkm_pair_result(pkm_pair_table pairs, uint32_t left, uint32_t right) {
  uint64_t key = pkm_pair_key(left, right);
  const uint64_t *first = pairs.slots + 2 * pkm_pair_bucket(pairs, key);
  const uint64_t *second = pairs.slots + 2 * pkm_pair_second_bucket(pairs, key);
  uint64_t slots[4] = {first[0], first[1], second[0], second[1]};
  uint32_t result = PKM_NO_MERGE;
#pragma clang loop unroll(full)
  for (int i = 0; i < 4; i++)
    if (slots[i] >> PKM_PAIR_BITS == key) result = slots[i] & ((1u << PKM_PAIR_BITS) - 1);
  return result;
}

// All of the following apply merges to a word, the lowest result first and of equal ones the leftmost, until none
// applies. `bytes` has the token of each byte, and `byte_pairs` what each two bytes merge to, at first * 256 + second.

// The longest word of pkm_merge_bytes and pkm_merge_symbols, in symbols.
#define PKM_SHORT_WORD 32

// Merges a word of `count` bytes. Writes the tokens to `output`, which has a capacity of max(count, 16), and returns
// how many there are.
int pkm_merge_bytes(pkm_pair_table pairs, const uint32_t *bytes, const uint32_t *byte_pairs, const uint8_t *word,
                    int count, uint32_t *output);

// Merges `count` symbols in place and returns how many are left. The array has PKM_SYMBOL_CAPACITY elements, since
// vectors are read from any position. PKM_NO_MERGE is a symbol that merges with nothing.
#define PKM_SYMBOL_CAPACITY (PKM_SHORT_WORD + 34)
int pkm_merge_symbols(pkm_pair_table pairs, uint32_t *symbols, int count);

// Merges up to PKM_BATCH_WORDS words of 1 to 15 bytes side by side, so that they wait for memory together. `words` has
// 16 bytes for each word: its bytes, zeros, and its length in the last byte. Writes 16 elements of `tokens` for each
// word, of which the first `counts` are its tokens.
#define PKM_BATCH_WORDS 4
void pkm_merge_words(pkm_pair_table pairs, const uint32_t *bytes, const uint32_t *byte_pairs, const uint8_t *words,
                     int count, uint32_t *tokens, uint32_t *counts);
