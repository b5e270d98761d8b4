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

// Asks for the memory at an address, which is needed soon.
static inline void pkm_prefetch(const void *address) { __builtin_prefetch(address); }
