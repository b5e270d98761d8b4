// Loops over bytes and integers that know nothing of models or Unicode tables: counting words and lines, tidying white
// space, escaping JSON, comparison keys, MinHash. Each is compiled for several processors and chosen when the program
// starts (multiversioned.h). No function allocates.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "blocks.h"
#include "multiversioned.h"

#ifdef __cplusplus
extern "C" {
#endif

// Tells the processor that the cache line at an address will be read soon, or read and written.
static inline void pkm_prefetch(const void *address) { __builtin_prefetch(address); }
static inline void pkm_prefetch_for_writing(const void *address) { __builtin_prefetch(address, 1); }

// MinHash: minima[i] = min(minima[i], multipliers[i] * low + high) over the low and high halves of all shingles, modulo
// 2^32. `hashes` is a multiple of 16.
void pkm_minhash_update(const uint64_t *shingles, size_t count, const uint32_t *multipliers, uint32_t *minima,
                        size_t hashes);

// Counts maximal runs of bytes other than ASCII white space (space, tab, line feed, vertical tab, form feed, carriage
// return).
size_t pkm_count_words(const uint8_t *bytes, size_t count);

// Escapes text for a JSON string, without the quotes, and returns the length of the result. `out` has a capacity of
// PKM_JSON_ESCAPE_GROWTH * count + PKM_JSON_ESCAPE_SLACK bytes.
#define PKM_JSON_ESCAPE_GROWTH 6
#define PKM_JSON_ESCAPE_SLACK 64
size_t pkm_json_escape(const uint8_t *text, size_t count, uint8_t *out);

// The number of occurrences of a byte.
size_t pkm_bytes_count(const uint8_t *bytes, size_t length, uint8_t byte);

typedef struct {
  size_t start, end;
} pkm_byte_range;

// Finds the lines, each without its LF and one CR before that. The text after the last LF is a line unless it is empty.
// Returns the number of lines: at most one more than the number of LF.
size_t pkm_bytes_lines(const uint8_t *bytes, size_t length, pkm_byte_range *lines);

// Whether a byte is ASCII white space.
static inline bool pkm_is_white(uint8_t byte) { return byte == 0x20 || (uint8_t)(byte - 9) < 5; }

// The code point of a character in valid UTF-8, and its length in bytes.
static inline uint32_t pkm_decode_utf8(const uint8_t *bytes, size_t *length) {
  uint32_t lead = bytes[0];
  if (lead < 0x80) return *length = 1, lead;
  if (lead < 0xe0) return *length = 2, (lead & 0x1f) << 6 | (bytes[1] & 0x3fu);
  if (lead < 0xf0) return *length = 3, (lead & 0x0f) << 12 | (bytes[1] & 0x3fu) << 6 | (bytes[2] & 0x3fu);
  *length = 4;
  return (lead & 0x07) << 18 | (bytes[1] & 0x3fu) << 12 | (bytes[2] & 0x3fu) << 6 | (bytes[3] & 0x3fu);
}

typedef struct {
  // 0xff or 0: whether to stop at control characters, and whether to change A-Z to lower case.
  uint8_t stop_at_controls, lower;
  // Stop at this many capitals from I on: in Turkish the lower case of I is not i.
  uint8_t capitals;
} pkm_copy_rules;

// Copies ASCII up to the first byte that needs other treatment, and returns the number of bytes copied. May write up to
// 64 bytes more.
size_t pkm_copy_plain(const uint8_t *in, size_t count, uint8_t *out, pkm_copy_rules rules);

// Returns the start of the last run without ASCII white space: the position after the last white space in
// bytes[from..<to], or SIZE_MAX if there is none.
size_t pkm_after_last_white(const uint8_t *bytes, size_t from, size_t to);

// Collapses white space in place and returns the new length. A run of white space becomes a space, or one line end if
// it contains one, or two line ends if it contains more; at both ends of the text it is removed. With `is_lines` every
// LF is kept, other line ends become spaces, and each line is trimmed. Reads up to 64 bytes after the text.
size_t pkm_collapse_white(uint8_t *text, size_t count, bool is_lines);

// Comparison keys: see ComparisonKey.swift for the rules. Folded text is words with one or more spaces between them.

// The number of bytes after a buffer of folded text that may be read or written but do not count.
#define PKM_COMPARISON_SLACK 64

// Computes the hashes of the words in folded text, at most (count + 1) / 2, and their ends unless `ends` is NULL.
// Returns the number of words.
size_t pkm_comparison_words(const uint8_t *folded, size_t count, uint64_t seed, uint64_t *hashes, uint32_t *ends);

// Computes the hashes of the characters; the spaces between two words count as one. `is_in_text` is 0 at the start of a
// document and carried from chunk to chunk. Returns the number of hashes.
size_t pkm_comparison_characters(const uint8_t *folded, size_t count, uint64_t seed, int *is_in_text, uint64_t *hashes);

// Copies folded text with one space between two words and none at the ends. `out` must hold `count` bytes and the
// slack. Returns the length.
size_t pkm_comparison_collapse(const uint8_t *folded, size_t count, uint8_t *out);

// What the key keeps, as flags: the values of digits; punctuation and symbols, each as a word; case.
#define PKM_KEEP_DIGITS 1
#define PKM_KEEP_PUNCTUATION 2
#define PKM_KEEP_CASE 4

// The same for text that is not folded yet, if it is ASCII and the processor can do both at once: else SIZE_MAX. `keep`
// is a sum of flags, without that of punctuation.
size_t pkm_comparison_key_of_ascii(const uint8_t *text, size_t count, unsigned keep, uint8_t *out);

#ifdef __cplusplus
}
#endif
