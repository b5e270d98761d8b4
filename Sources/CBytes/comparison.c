// Comparison keys of folded text: collapses it, and computes the hashes of its words and characters.
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "CBytes.h"
#include "blocks.h"

static inline uint64_t mix(uint64_t a, uint64_t b) {
  unsigned __int128 product = (unsigned __int128)a * b;
  return (uint64_t)product ^ (uint64_t)(product >> 64);
}

// A seeded hash of a short string, 16 bytes at a time, by 64 x 64-bit products (as in wyhash). At least 16 bytes after
// the end must be readable.
static inline uint64_t hash_of(const uint8_t *bytes, size_t count, uint64_t seed) {
  uint64_t state = seed ^ 0x9e3779b97f4a7c15;
  size_t length = count;
  while (count > 16) {
    uint64_t low, high;
    memcpy(&low, bytes, 8);
    memcpy(&high, bytes + 8, 8);
    state = mix(low ^ state, high ^ 0xa0761d6478bd642f);
    bytes += 16;
    count -= 16;
  }
  uint64_t low, high;
  memcpy(&low, bytes, 8);
  memcpy(&high, bytes + 8, 8);
  low &= count >= 8 ? ~(uint64_t)0 : ((uint64_t)1 << 8 * count) - 1;
  high &= count >= 16 ? ~(uint64_t)0 : count <= 8 ? 0 : ((uint64_t)1 << 8 * (count - 8)) - 1;
  state = mix(low ^ state, high ^ 0xa0761d6478bd642f ^ seed);
  return mix(state ^ length, 0xe7037ed1a0b428db ^ seed);
}

#if defined(__x86_64__)
#define COMPRESSING __attribute__((target("avx512f,avx512bw,avx512vbmi2,popcnt")))

static inline bool can_compress(void) {
  return __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512bw");
}

// Keeps one space between two words and none at the ends, 64 bytes at a time. Text that is not folded yet must be ASCII
// and is folded as well; returns SIZE_MAX if it is not ASCII.
static inline COMPRESSING __attribute__((always_inline)) size_t compress(
    const uint8_t *text, size_t count, unsigned keep, uint8_t *out, const bool is_folded) {
  const __m512i space = _mm512_set1_epi8(' ');
  const __m512i lowered = keep & PKM_KEEP_CASE ? _mm512_setzero_si512() : space;
  const __m512i value = _mm512_set1_epi8(keep & PKM_KEEP_DIGITS ? 0x0f : 0), zero = _mm512_set1_epi8('0');
  const uint8_t *start = out;
  uint64_t is_after_space = 1;
  for (size_t at = 0; at < count; at += 64) {
    size_t left = count - at;
    uint64_t lanes = left < 64 ? ((uint64_t)1 << left) - 1 : ~(uint64_t)0;
    __m512i bytes = _mm512_mask_loadu_epi8(space, lanes, text + at);
    uint64_t spaces;
    if (is_folded) {
      spaces = _mm512_cmpeq_epi8_mask(bytes, space);
    } else {
      if (_mm512_movepi8_mask(bytes)) return SIZE_MAX;
      __m512i lower = _mm512_or_si512(bytes, space);
      uint64_t letters = _mm512_cmplt_epu8_mask(_mm512_sub_epi8(lower, _mm512_set1_epi8('a')), _mm512_set1_epi8(26));
      uint64_t digits = _mm512_cmplt_epu8_mask(_mm512_sub_epi8(bytes, _mm512_set1_epi8('0')), _mm512_set1_epi8(10));
      __m512i words = _mm512_mask_mov_epi8(space, letters, _mm512_or_si512(bytes, lowered));
      bytes = _mm512_mask_mov_epi8(words, digits, _mm512_or_si512(zero, _mm512_and_si512(bytes, value)));
      spaces = ~(letters | digits);
    }
    uint64_t kept = ~(spaces & (spaces << 1 | is_after_space));
    _mm512_storeu_si512(out, _mm512_maskz_compress_epi8(kept, bytes));
    out += __builtin_popcountll(kept);
    is_after_space = spaces >> 63;
  }
  size_t length = (size_t)(out - start);
  return length - (length > 0 && out[-1] == ' ');
}

COMPRESSING
static size_t compress_ascii(const uint8_t *text, size_t count, unsigned keep, uint8_t *out) {
  return compress(text, count, keep, out, false);
}

COMPRESSING
static size_t compress_folded(const uint8_t *folded, size_t count, uint8_t *out) {
  return compress(folded, count, 0, out, true);
}
#else
static inline bool can_compress(void) { return false; }
static size_t compress_ascii(const uint8_t *text, size_t count, unsigned keep, uint8_t *out) {
  return (void)text, (void)count, (void)keep, (void)out, SIZE_MAX;
}
static size_t compress_folded(const uint8_t *folded, size_t count, uint8_t *out) {
  return (void)folded, (void)count, (void)out, SIZE_MAX;
}
#endif

// Collapses folded text, one block at a time, where there is no compression of vectors.
MULTIVERSIONED
static size_t collapse_blocks(const uint8_t *folded, size_t count, uint8_t *out) {
  uint8_t *start = out;
  // Spaces before the first word are dropped as well.
  uint64_t was_space = 1;
  for (size_t at = 0; at < count; at += 64) {
    size_t left = count - at;
    Block bytes;
    memcpy(&bytes, folded + at, sizeof bytes);
    uint64_t spaces = BITS(bytes == ' ');
    uint64_t keep = ~(spaces & (spaces << 1 | was_space));
    was_space = spaces >> 63;
    if (left < 64) {
      keep &= ((uint64_t)1 << left) - 1;
    } else if (keep == ~(uint64_t)0) {
      memcpy(out, &bytes, sizeof bytes);
      out += 64;
      continue;
    }
    // Copy runs of kept bytes. Each store also writes the bytes that follow the run.
    while (keep) {
      size_t from = (size_t)__builtin_ctzll(keep);
      uint64_t rest = ~(keep >> from);
      size_t length = rest ? (size_t)__builtin_ctzll(rest) : 64;
      memcpy(out, folded + at + from, 64);
      out += length;
      if (from + length >= 64) break;
      keep &= ~(uint64_t)0 << (from + length);
    }
  }
  if (out > start && out[-1] == ' ') out--;
  return (size_t)(out - start);
}

size_t pkm_comparison_collapse(const uint8_t *folded, size_t count, uint8_t *out) {
  return can_compress() ? compress_folded(folded, count, out) : collapse_blocks(folded, count, out);
}

size_t pkm_comparison_key_of_ascii(const uint8_t *text, size_t count, unsigned keep, uint8_t *out) {
  return can_compress() ? compress_ascii(text, count, keep, out) : SIZE_MAX;
}

MULTIVERSIONED
size_t pkm_comparison_words(const uint8_t *folded, size_t count, uint64_t seed, uint64_t *hashes, uint32_t *ends) {
  size_t words = 0;
  // Whether the previous byte was part of a word, and the start of that word.
  uint64_t is_inside = 0;
  size_t start = 0;
  for (size_t at = 0; at < count; at += 64) {
    uint8_t tail[64];
    const uint8_t *from = folded + at;
    if (count - at < 64) {
      memset(tail, ' ', sizeof tail);
      memcpy(tail, from, count - at);
      from = tail;
    }
    Block bytes;
    memcpy(&bytes, from, sizeof bytes);
    uint64_t inside = BITS(bytes != ' ');
    uint64_t edges = inside ^ (inside << 1 | is_inside);
    is_inside = inside >> 63;
    while (edges) {
      size_t position = at + (size_t)__builtin_ctzll(edges);
      edges &= edges - 1;
      if (inside >> (position - at) & 1) {
        start = position;
      } else {
        hashes[words] = hash_of(folded + start, position - start, seed);
        if (ends) ends[words] = (uint32_t)position;
        words++;
      }
    }
  }
  if (is_inside) {
    hashes[words] = hash_of(folded + start, count - start, seed);
    if (ends) ends[words] = (uint32_t)count;
    words++;
  }
  return words;
}

size_t pkm_comparison_characters(const uint8_t *folded, size_t count, uint64_t seed, int *is_in_text, uint64_t *hashes) {
  size_t characters = 0, at = 0;
  while (at < count) {
    bool is_after_space = at == 0;
    while (at < count && folded[at] == ' ') {
      at++;
      is_after_space = true;
    }
    if (at == count) break;
    if (is_after_space && *is_in_text) hashes[characters++] = mix(seed ^ ' ', 0xe7037ed1a0b428db);
    *is_in_text = 1;
    size_t length = 1;
    uint32_t c = folded[at] < 0x80 ? folded[at] : pkm_decode_utf8(folded + at, &length);
    hashes[characters++] = mix(seed ^ (uint64_t)c, 0xe7037ed1a0b428db);
    at += length;
  }
  return characters;
}
