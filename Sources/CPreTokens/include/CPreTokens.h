// Where pre-tokens begin: the published patterns as arithmetic on bits, 64 bytes of text at a time.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum {
  PKM_PATTERN_GPT2,
  PKM_PATTERN_CL100K,
  PKM_PATTERN_LLAMA3,
  PKM_PATTERN_O200K,
  PKM_PATTERN_WHITESPACE,
  // Words and what separates them (spaces and line feeds) take turns.
  PKM_PATTERN_WORDS,
};

// Sets bit i of `starts`, of count / 64 + 1 words, where a pre-token begins at byte i, and bit `count`: what lies between
// two set bits is a pre-token. Everything else in `starts` is cleared. `classes` holds the class of every code point as
// CharacterClasses.swift numbers them. `readable` bytes, at least `count`, may be read; what lies behind does not matter. A byte outside well-formed UTF-8 is a character of its own of class 0.
void pkm_pre_token_starts(int pattern, const uint8_t *text, size_t count, size_t readable, const uint8_t *classes, uint64_t *starts);

// The same with the instructions of a kind of machine: 0 any, 1 x86-64-v3 (AVX2), 2 x86-64-v4 (AVX-512). Returns whether
// this one has them. For tests: pkm_pre_token_starts chooses the best.
int pkm_pre_token_starts_on(int machine, int pattern, const uint8_t *text, size_t count, size_t readable, const uint8_t *classes,
                            uint64_t *starts);

// Pairs of tokens that merge: a slot is left << 42 | right << 21 | result, or PKM_NO_PAIR. A pair is in one of the two slots of
// one of the two places that its hashes give it, so that looking takes no branch and the table can be nearly full. Tokens have
// numbers below 2²¹ that are ranks: of two results the one with the smaller number is made first. 2^(64 - shift) places.
#define PKM_PAIR_BITS 21
#define PKM_NO_PAIR 0xffffffffffffffffu
// Larger than any number: no merge.
#define PKM_NO_MERGE 0xffffffffu

typedef struct {
  uint64_t *slots;
  int shift;
} pkm_pairs;

// Both tokens of a pair in one number.
static inline uint64_t pkm_pair_key(uint32_t left, uint32_t right) { return (uint64_t)left << PKM_PAIR_BITS | right; }

static inline size_t pkm_pair_place(pkm_pairs pairs, uint64_t key) { return key * 0x9e3779b97f4a7c15u >> pairs.shift; }

static inline size_t pkm_pair_other_place(pkm_pairs pairs, uint64_t key) {
  return key * 0xc2b2ae3d27d4eb4fu >> pairs.shift;
}

// What two tokens make, or PKM_NO_MERGE.
static inline uint32_t pkm_pair_result(pkm_pairs pairs, uint32_t left, uint32_t right) {
  uint64_t key = pkm_pair_key(left, right);
  const uint64_t *one = pairs.slots + 2 * pkm_pair_place(pairs, key);
  const uint64_t *other = pairs.slots + 2 * pkm_pair_other_place(pairs, key);
  uint64_t slots[4] = {one[0], one[1], other[0], other[1]};
  uint32_t result = PKM_NO_MERGE;
#pragma clang loop unroll(full)
  for (int i = 0; i < 4; i++)
    if (slots[i] >> PKM_PAIR_BITS == key) result = slots[i] & ((1u << PKM_PAIR_BITS) - 1);
  return result;
}

// Applies merges, the lowest number first and of equal ones the leftmost, to a word of at most PKM_SHORT_WORD bytes.
// `symbols` has the number of each byte, `byte_pairs` what each two bytes (the first one times 256) make. Writes the numbers of
// the tokens, and up to 16 words behind them, to `output`; returns how many there are.
#define PKM_SHORT_WORD 32
int pkm_merge_short(pkm_pairs pairs, const uint32_t *symbols, const uint32_t *byte_pairs, const uint8_t *word, int count,
                    uint32_t *output);

// The same to up to PKM_WORDS_AT_ONCE words of 1 to 15 bytes side by side, so that they wait for memory together. `words` has 16 bytes
// for each, zeros behind the word and its length in the last; `tokens` takes 16 numbers for each, `counts` how many they are.
#define PKM_WORDS_AT_ONCE 4
void pkm_merge_words(pkm_pairs pairs, const uint32_t *symbols, const uint32_t *byte_pairs, const uint8_t *words, int count,
                     uint32_t *tokens, uint32_t *counts);

// The same to the numbers in `symbols` themselves, of which PKM_SHORT_WORD + 34 can be read; PKM_NO_MERGE is one that merges with
// nothing.
int pkm_merge_symbols(pkm_pairs pairs, uint32_t *symbols, int count);

// Asks for the memory at an address, which is needed soon.
static inline void pkm_prefetch(const void *address) { __builtin_prefetch(address); }
