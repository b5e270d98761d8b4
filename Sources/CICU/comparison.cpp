// Computes the comparison key of a text: its words without case, accents, width, punctuation and the values of digits.
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/uscript.h>
#include <unicode/unistr.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <atomic>
#include <cstring>
#include <string>

#include "CICU.h"
#include "vectors.h"

namespace {

using pkm::Vector;

// The folded form of each code point, filled when the code point first occurs (any thread computes the same value): up
// to seven bytes of UTF-8, the first in the lowest byte, and in the highest byte `known` with their number. Pages of
// characters that never occur are never touched.
constexpr uint64_t known = 0x80, isLong = 0x40, lengthMask = 0x07;
std::atomic<uint64_t> foldedCharacters[0x110000];

void appendUTF8(UChar32 c, std::string &out) { icu::UnicodeString(c).toUTF8String(out); }

// Scripts that do not separate words: each character counts as a word.
bool isWordOfItself(UChar32 c) {
  if (u_getIntPropertyValue(c, UCHAR_LINE_BREAK) == U_LB_COMPLEX_CONTEXT) return true;
  UErrorCode error = U_ZERO_ERROR;
  switch (uscript_getScript(c, &error)) {
    case USCRIPT_HAN:
    case USCRIPT_HIRAGANA:
    case USCRIPT_KATAKANA: return true;
    default: return false;
  }
}

// The folding rule for one character: slow, but its result is stored.
std::string fold(UChar32 c) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2 *fold = icu::Normalizer2::getNFKCCasefoldInstance(error);
  const icu::Normalizer2 *decompose = icu::Normalizer2::getNFKDInstance(error);
  std::string out;
  if (U_FAILURE(error)) return out;
  icu::UnicodeString folded = decompose->normalize(fold->normalize(icu::UnicodeString(c), error), error);
  for (int32_t i = 0; i < folded.length(); i = folded.moveIndex32(i, 1)) {
    UChar32 part = folded.char32At(i);
    switch (u_charType(part)) {
      case U_NON_SPACING_MARK:
      case U_ENCLOSING_MARK:
      case U_FORMAT_CHAR: break;
      case U_DECIMAL_DIGIT_NUMBER: out += '0'; break;
      case U_UPPERCASE_LETTER:
      case U_LOWERCASE_LETTER:
      case U_TITLECASE_LETTER:
      case U_MODIFIER_LETTER:
      case U_OTHER_LETTER:
      case U_COMBINING_SPACING_MARK:
      case U_LETTER_NUMBER:
      case U_OTHER_NUMBER:
        if (isWordOfItself(part)) {
          out += ' ';
          appendUTF8(part, out);
          out += ' ';
        } else {
          appendUTF8(part, out);
        }
        break;
      default: out += ' ';
    }
  }
  return out;
}

uint64_t entryOf(UChar32 c) {
  std::string text = fold(c);
  uint64_t entry = 0;
  if (text.size() > 7) {
    entry = (known | isLong) << 56;
  } else {
    memcpy(&entry, text.data(), text.size());
    entry |= (known | text.size()) << 56;
  }
  foldedCharacters[c].store(entry, std::memory_order_relaxed);
  return entry;
}

// Hangul syllables are decomposed by arithmetic (Unicode Standard, section 3.12): they are many, and their jamo do not
// fit in an entry.
size_t decomposeHangul(UChar32 c, uint8_t *out) {
  int index = c - 0xac00;
  UChar32 jamo[3] = {0x1100 + index / 588, 0x1161 + index % 588 / 28, 0x11a7 + index % 28};
  size_t count = index % 28 ? 3 : 2;
  for (size_t i = 0; i < count; i++) {
    out[3 * i] = uint8_t(0xe0 | jamo[i] >> 12);
    out[3 * i + 1] = uint8_t(0x80 | (jamo[i] >> 6 & 0x3f));
    out[3 * i + 2] = uint8_t(0x80 | (jamo[i] & 0x3f));
  }
  return 3 * count;
}

inline UChar32 decode(const uint8_t *bytes, size_t &length) {
  uint8_t lead = bytes[0];
  if (lead < 0xe0) return length = 2, (lead & 0x1f) << 6 | (bytes[1] & 0x3f);
  if (lead < 0xf0) return length = 3, (lead & 0x0f) << 12 | (bytes[1] & 0x3f) << 6 | (bytes[2] & 0x3f);
  length = 4;
  return (lead & 0x07) << 18 | (bytes[1] & 0x3f) << 12 | (bytes[2] & 0x3f) << 6 | (bytes[3] & 0x3f);
}

inline uint64_t mix(uint64_t a, uint64_t b) {
  unsigned __int128 product = (unsigned __int128)a * b;
  return uint64_t(product) ^ uint64_t(product >> 64);
}

// A seeded hash of a short string, 16 bytes at a time, by 64 x 64-bit products (as in wyhash). At least 16 bytes after
// the end must be readable.
inline uint64_t hashOf(const uint8_t *bytes, size_t count, uint64_t seed) {
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
  low &= count >= 8 ? ~uint64_t(0) : (uint64_t(1) << 8 * count) - 1;
  high &= count >= 16 ? ~uint64_t(0) : count <= 8 ? 0 : (uint64_t(1) << 8 * (count - 8)) - 1;
  state = mix(low ^ state, high ^ 0xa0761d6478bd642f ^ seed);
  return mix(state ^ length, 0xe7037ed1a0b428db ^ seed);
}

#if defined(__x86_64__)
// Keeps one space between two words and none at the ends, 64 bytes at a time. Text that is not folded yet must be ASCII
// and is folded as well; returns SIZE_MAX if it is not ASCII.
template <bool isFolded>
__attribute__((target("avx512f,avx512bw,avx512vbmi2,popcnt"))) size_t compress(
    const uint8_t *text, size_t count, uint8_t *out) {
  const __m512i space = _mm512_set1_epi8(' ');
  const uint8_t *start = out;
  uint64_t isAfterSpace = 1;
  for (size_t at = 0; at < count; at += 64) {
    size_t left = count - at;
    uint64_t lanes = left < 64 ? (uint64_t(1) << left) - 1 : ~uint64_t(0);
    __m512i bytes = _mm512_mask_loadu_epi8(space, lanes, text + at);
    uint64_t spaces;
    if (isFolded) {
      spaces = _mm512_cmpeq_epi8_mask(bytes, space);
    } else {
      if (_mm512_movepi8_mask(bytes)) return SIZE_MAX;
      __m512i lower = _mm512_or_si512(bytes, space);
      uint64_t letters = _mm512_cmplt_epu8_mask(_mm512_sub_epi8(lower, _mm512_set1_epi8('a')), _mm512_set1_epi8(26));
      uint64_t digits = _mm512_cmplt_epu8_mask(_mm512_sub_epi8(bytes, _mm512_set1_epi8('0')), _mm512_set1_epi8(10));
      bytes = _mm512_mask_mov_epi8(_mm512_mask_mov_epi8(space, letters, lower), digits, _mm512_set1_epi8('0'));
      spaces = ~(letters | digits);
    }
    uint64_t kept = ~(spaces & (spaces << 1 | isAfterSpace));
    _mm512_storeu_si512(out, _mm512_maskz_compress_epi8(kept, bytes));
    out += __builtin_popcountll(kept);
    isAfterSpace = spaces >> 63;
  }
  size_t length = size_t(out - start);
  return length - (length > 0 && out[-1] == ' ');
}
#endif

}  // namespace

extern "C" {

MULTIVERSIONED
size_t pkm_comparison_fold(const uint8_t *text, size_t count, uint8_t *out) {
  uint8_t *start = out;
  size_t at = 0;
  while (at < count) {
    size_t left = count - at;
    const uint8_t *from = text + at;
    uint8_t tail[64];
    if (left < 64) {
      memset(tail, ' ', sizeof tail);
      memcpy(tail, from, left);
      from = tail;
    }
    Vector bytes;
    memcpy(&bytes, from, sizeof bytes);
    uint64_t stops = BITS(bytes > 0x7f);
    auto letter = (bytes | 0x20) - 'a' < 26;
    auto digit = bytes - '0' < 10;
    Vector folded = ((bytes | 0x20) & (Vector)letter) | ('0' & (Vector)digit) | (' ' & (Vector) ~(letter | digit));
    memcpy(out, &folded, sizeof folded);
    size_t plain = stops ? size_t(__builtin_ctzll(stops)) : 64;
    if (plain > left) plain = left;
    at += plain;
    out += plain;
    if (!stops || at >= count) continue;
    // Characters other than ASCII, one at a time.
    do {
      size_t length;
      UChar32 c = decode(text + at, length);
      uint64_t entry = foldedCharacters[c].load(std::memory_order_relaxed);
      if (!entry) entry = entryOf(c);
      if (entry >> 56 & isLong) {
        if (c >= 0xac00 && c <= 0xd7a3) {
          out += decomposeHangul(c, out);
        } else {
          std::string folded = fold(c);
          memcpy(out, folded.data(), folded.size());
          out += folded.size();
        }
      } else {
        memcpy(out, &entry, 8);
        out += entry >> 56 & lengthMask;
      }
      at += length;
    } while (at < count && text[at] > 0x7f);
  }
  return size_t(out - start);
}

MULTIVERSIONED
size_t pkm_comparison_words(const uint8_t *folded, size_t count, uint64_t seed, uint64_t *hashes, uint32_t *ends) {
  size_t words = 0;
  // Whether the previous byte was part of a word, and the start of that word.
  uint64_t isInside = 0;
  size_t start = 0;
  for (size_t at = 0; at < count; at += 64) {
    uint8_t tail[64];
    const uint8_t *from = folded + at;
    if (count - at < 64) {
      memset(tail, ' ', sizeof tail);
      memcpy(tail, from, count - at);
      from = tail;
    }
    Vector bytes;
    memcpy(&bytes, from, sizeof bytes);
    uint64_t inside = BITS(bytes != ' ');
    uint64_t edges = inside ^ (inside << 1 | isInside);
    isInside = inside >> 63;
    while (edges) {
      size_t position = at + size_t(__builtin_ctzll(edges));
      edges &= edges - 1;
      if (inside >> (position - at) & 1) {
        start = position;
      } else {
        hashes[words] = hashOf(folded + start, position - start, seed);
        if (ends) ends[words] = uint32_t(position);
        words++;
      }
    }
  }
  if (isInside) {
    hashes[words] = hashOf(folded + start, count - start, seed);
    if (ends) ends[words] = uint32_t(count);
    words++;
  }
  return words;
}

size_t pkm_comparison_characters(const uint8_t *folded, size_t count, uint64_t seed, int *isInText, uint64_t *hashes) {
  size_t characters = 0, at = 0;
  while (at < count) {
    bool isAfterSpace = at == 0;
    while (at < count && folded[at] == ' ') {
      at++;
      isAfterSpace = true;
    }
    if (at == count) break;
    if (isAfterSpace && *isInText) hashes[characters++] = mix(seed ^ ' ', 0xe7037ed1a0b428db);
    *isInText = 1;
    size_t length = 1;
    UChar32 c = folded[at] < 0x80 ? folded[at] : decode(folded + at, length);
    hashes[characters++] = mix(seed ^ uint64_t(c), 0xe7037ed1a0b428db);
    at += length;
  }
  return characters;
}

size_t pkm_comparison_key(const uint8_t *text, size_t count, uint8_t *scratch, uint8_t *out) {
#if defined(__x86_64__)
  static const bool hasCompress = __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("avx512bw");
  if (hasCompress) {
    size_t length = compress<false>(text, count, out);
    if (length != SIZE_MAX) return length;
    return compress<true>(scratch, pkm_comparison_fold(text, count, scratch), out);
  }
#endif
  return pkm_comparison_collapse(scratch, pkm_comparison_fold(text, count, scratch), out);
}

}  // extern "C"
