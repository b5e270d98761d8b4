// Where pre-tokens begin: the published patterns as arithmetic on bits, 64 bytes of text at a time.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  PKM_PATTERN_GPT2,
  PKM_PATTERN_CL100K,
  PKM_PATTERN_LLAMA3,
  PKM_PATTERN_O200K,
  PKM_PATTERN_WHITESPACE,
  // Words and what separates them (spaces and line feeds) alternate.
  PKM_PATTERN_WORDS,
  PKM_PATTERN_QWEN2,
  PKM_PATTERN_QWEN35,
  PKM_PATTERN_TEKKEN,
  // gpt2 in the pieces between numbers, each number a piece, or each run of them
  PKM_PATTERN_DIGITS,
  PKM_PATTERN_DIGIT_RUNS,
  // DeepSeek's chain of three splits, with a table of its own: see `classes` below.
  PKM_PATTERN_DEEPSEEK,
  // Kimi: Chinese characters apart from other letters, also with a table of its own.
  PKM_PATTERN_KIMI,
};

// Sets bit i of `starts`, an array of count / 64 + 1 words, where a pre-token begins at byte i, and bit `count`; clears
// every other bit. So the text between two bits that are set is a pre-token.
//
// `readable` bytes, at least `count`, may be read; those behind `count` do not matter. `classes` holds the class of
// every code point as CharacterClass.swift numbers them. A byte that is not part of well-formed UTF-8 is a character of
// its own, of class 0.
//
// Two patterns take more classes. PKM_PATTERN_DEEPSEEK: PKM_CLASS_SYMBOL for other characters of \p{P} and \p{S}, and
// PKM_CLASS_CHINESE for U+4E00 to U+9FA5 and U+3040 to U+30FF. PKM_PATTERN_KIMI: PKM_CLASS_CHINESE for the letters of
// \p{Han}, and PKM_CLASS_RARE for its other characters; if the text holds one of these, bit 0 is clear, and the other bits
// mean nothing.
void pkm_pre_token_starts(int pattern, const uint8_t *text, size_t count, size_t readable, const uint8_t *classes,
                          uint64_t *starts);

enum {
  PKM_INSTRUCTIONS_ANY,
  // x86-64-v3: AVX2 and BMI2
  PKM_INSTRUCTIONS_V3,
  // x86-64-v4: AVX-512
  PKM_INSTRUCTIONS_V4,
};

// The same with an instruction set. Returns false, and does nothing, if this machine lacks it. For tests:
// pkm_pre_token_starts uses the best one.
bool pkm_pre_token_starts_with(int instructions, int pattern, const uint8_t *text, size_t count, size_t readable,
                               const uint8_t *classes, uint64_t *starts);

enum { PKM_CLASS_SYMBOL = 7, PKM_CLASS_CHINESE = 8, PKM_CLASS_RARE = 9 };
