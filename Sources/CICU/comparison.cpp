// Folds text to the comparison key: its words without case, accents, width, punctuation and the values of digits.
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/uscript.h>
#include <unicode/unistr.h>

#include <CBytes.h>
#include <blocks.h>

#include <atomic>
#include <cstring>
#include <string>

#include "CICU.h"

namespace {

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
    Block bytes;
    memcpy(&bytes, from, sizeof bytes);
    uint64_t stops = BITS(bytes > 0x7f);
    auto letter = (bytes | 0x20) - 'a' < 26;
    auto digit = bytes - '0' < 10;
    Block folded = ((bytes | 0x20) & (Block)letter) | ('0' & (Block)digit) | (' ' & (Block) ~(letter | digit));
    memcpy(out, &folded, sizeof folded);
    size_t plain = stops ? size_t(__builtin_ctzll(stops)) : 64;
    if (plain > left) plain = left;
    at += plain;
    out += plain;
    if (!stops || at >= count) continue;
    // Characters other than ASCII, one at a time.
    do {
      size_t length;
      UChar32 c = UChar32(pkm_decode_utf8(text + at, &length));
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

size_t pkm_comparison_key(const uint8_t *text, size_t count, uint8_t *scratch, uint8_t *out) {
  size_t length = pkm_comparison_key_of_ascii(text, count, out);
  if (length != SIZE_MAX) return length;
  return pkm_comparison_collapse(scratch, pkm_comparison_fold(text, count, scratch), out);
}

}  // extern "C"
