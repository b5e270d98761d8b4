// Loops over bytes and integers that know nothing of models: counting words, escaping JSON, MinHash. Each is compiled
// for several processors and chosen when the program starts (multiversioned.h). No function allocates.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "multiversioned.h"

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
