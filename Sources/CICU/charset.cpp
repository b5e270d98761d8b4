// Legacy character sets: conversion and detection through ICU.
#if !__has_include(<unicode/ucnv.h>)
#error "ICU's headers are missing. Install them with: sudo apt-get install libicu-dev"
#endif
#include <unicode/ucnv.h>
#include <unicode/ucnv_cb.h>
#include <unicode/ucsdet.h>
#include <unicode/utf16.h>

#include <cstring>
#include <initializer_list>
#include <new>

#include "CICU.h"

namespace {

// Marks invalid bytes in UTF-16. No converter produces a lone surrogate otherwise.
constexpr UChar invalidMark = 0xdc00;

// The euro sign of Windows-936, which the Encoding Standard reads in gb18030 as well.
constexpr UChar euro = 0x20ac;

void markInvalid(const void *isGB, UConverterToUnicodeArgs *arguments, const char *bytes, int32_t length,
                 UConverterCallbackReason reason, UErrorCode *error) {
  if (reason > UCNV_IRREGULAR) return;
  *error = U_ZERO_ERROR;
  const bool isEuro = isGB && length == 1 && uint8_t(*bytes) == 0x80;
  ucnv_cbToUWriteUChars(arguments, isEuro ? &euro : &invalidMark, 1, 0, error);
}

}  // namespace

struct pkm_charset {
  ~pkm_charset() { ucnv_close(converter); }

  UConverter *converter = nullptr;
  UChar units[4096];
  // The first half of a surrogate pair whose second half is in the next bytes.
  UChar highSurrogate = 0;
  // Whether ICU maps bytes that stand for nothing to U+F8C0 to U+F8FF; the Encoding Standard calls them invalid.
  bool fillsWithPrivate = false;

  size_t encode(size_t count, bool isLast, uint8_t *out);
};

// Appends the first `count` units as UTF-8. A lone surrogate becomes 0xff, which never occurs in UTF-8.
size_t pkm_charset::encode(size_t count, bool isLast, uint8_t *out) {
  uint8_t *to = out;
  for (size_t i = 0; i < count; i++) {
    UChar32 c = units[i];
    if (highSurrogate) {
      if (U16_IS_TRAIL(c)) {
        c = U16_GET_SUPPLEMENTARY(highSurrogate, c);
      } else {
        *to++ = 0xff;
      }
      highSurrogate = 0;
    }
    if (c < 0x80) {
      *to++ = uint8_t(c);
    } else if (c < 0x800) {
      *to++ = uint8_t(0xc0 | c >> 6);
      *to++ = uint8_t(0x80 | (c & 0x3f));
    } else if (U16_IS_LEAD(c)) {
      highSurrogate = UChar(c);
    } else if (U16_IS_TRAIL(c) || (fillsWithPrivate && c >= 0xf8c0 && c <= 0xf8ff)) {
      *to++ = 0xff;
    } else if (c < 0x10000) {
      *to++ = uint8_t(0xe0 | c >> 12);
      *to++ = uint8_t(0x80 | (c >> 6 & 0x3f));
      *to++ = uint8_t(0x80 | (c & 0x3f));
    } else {
      *to++ = uint8_t(0xf0 | c >> 18);
      *to++ = uint8_t(0x80 | (c >> 12 & 0x3f));
      *to++ = uint8_t(0x80 | (c >> 6 & 0x3f));
      *to++ = uint8_t(0x80 | (c & 0x3f));
    }
  }
  if (isLast && highSurrogate) {
    *to++ = 0xff;
    highSurrogate = 0;
  }
  return size_t(to - out);
}

pkm_charset *pkm_charset_open(const char *name) {
  UErrorCode error = U_ZERO_ERROR;
  UConverter *converter = ucnv_open(name, &error);
  if (U_FAILURE(error)) return nullptr;
  const char *canonical = ucnv_getName(converter, &error);
  const bool isGB = U_SUCCESS(error) && !strcmp(canonical, "gb18030");
  ucnv_setToUCallBack(converter, markInvalid, isGB ? "" : nullptr, nullptr, nullptr, &error);
  pkm_charset *charset = U_SUCCESS(error) ? new (std::nothrow) pkm_charset : nullptr;
  if (!charset) {
    ucnv_close(converter);
    return nullptr;
  }
  charset->converter = converter;
  charset->fillsWithPrivate = !strncmp(canonical, "windows-874", 11) || !strncmp(canonical, "ibm-943", 7);
  return charset;
}

void pkm_charset_close(pkm_charset *charset) { delete charset; }

size_t pkm_charset_convert(pkm_charset *charset, const uint8_t **source, const uint8_t *end, bool is_last, uint8_t *out,
                           size_t capacity) {
  size_t written = 0;
  auto from = reinterpret_cast<const char *>(*source);
  while (true) {
    size_t space = (capacity - written) / 3;
    if (space < 64) break;
    size_t unitCount = sizeof charset->units / sizeof(UChar);
    if (space - 1 < unitCount) unitCount = space - 1;
    UChar *to = charset->units;
    UErrorCode error = U_ZERO_ERROR;
    ucnv_toUnicode(charset->converter, &to, to + unitCount, &from, reinterpret_cast<const char *>(end), nullptr,
                   is_last, &error);
    bool isFull = error == U_BUFFER_OVERFLOW_ERROR;
    written += charset->encode(size_t(to - charset->units), is_last && !isFull, out + written);
    if (!isFull) break;
  }
  *source = reinterpret_cast<const uint8_t *>(from);
  return written;
}

const char *pkm_charset_name(const char *name) {
  for (const char *standard : {"MIME", "IANA"}) {
    UErrorCode error = U_ZERO_ERROR;
    const char *found = ucnv_getStandardName(name, standard, &error);
    if (U_SUCCESS(error) && found) return found;
  }
  UErrorCode error = U_ZERO_ERROR;
  return ucnv_getAlias(name, 0, &error);
}

size_t pkm_charset_count(void) { return size_t(ucnv_countAvailable()); }

const char *pkm_charset_at(size_t index) { return pkm_charset_name(ucnv_getAvailableName(int32_t(index))); }

size_t pkm_charset_detect(const uint8_t *bytes, size_t length, pkm_charset_guess *guesses, size_t capacity) {
  UErrorCode error = U_ZERO_ERROR;
  UCharsetDetector *detector = ucsdet_open(&error);
  ucsdet_setText(detector, reinterpret_cast<const char *>(bytes), int32_t(length), &error);
  int32_t found = 0;
  const UCharsetMatch **matches = ucsdet_detectAll(detector, &found, &error);
  size_t count = 0;
  for (int32_t i = 0; U_SUCCESS(error) && i < found && count < capacity; i++) {
    // ICU's names are constants, so they outlive the detector.
    guesses[count].name = ucsdet_getName(matches[i], &error);
    guesses[count].confidence = ucsdet_getConfidence(matches[i], &error);
    if (U_SUCCESS(error)) count++;
  }
  ucsdet_close(detector);
  return error == U_MEMORY_ALLOCATION_ERROR ? PKM_CHARSET_NO_MEMORY : count;
}
