// Regular expressions over UTF-8 text through ICU. ICU is several times faster on UTF-16 than on a UText of UTF-8, so
// text is converted once, and offsets are converted back in one walk.
#include <unicode/uregex.h>
#include <unicode/ustring.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "CICU.h"

struct pkm_pattern {
  URegularExpression *expression = nullptr;
  // The starts and ends of matches, in turn.
  std::vector<int32_t> matches;
  ~pkm_pattern() { uregex_close(expression); }
};

pkm_pattern *pkm_pattern_compile(const char *pattern, char *message, size_t capacity) {
  UErrorCode status = U_ZERO_ERROR;
  int32_t length = 0;
  std::vector<UChar> wide(strlen(pattern) + 1);
  u_strFromUTF8(wide.data(), int32_t(wide.size()), &length, pattern, -1, &status);
  UParseError place = {};
  URegularExpression *expression = nullptr;
  if (U_SUCCESS(status)) expression = uregex_open(wide.data(), length, 0, &place, &status);
  // The default limit of 8 MB is a few hundred thousand steps back.
  if (U_SUCCESS(status)) uregex_setStackLimit(expression, 0, &status);
  if (U_FAILURE(status)) {
    uregex_close(expression);
    snprintf(message, capacity, "%s", u_errorName(status));
    return nullptr;
  }
  auto result = new pkm_pattern;
  result->expression = expression;
  return result;
}

pkm_pattern *pkm_pattern_clone(const pkm_pattern *pattern) {
  UErrorCode status = U_ZERO_ERROR;
  URegularExpression *expression = uregex_clone(pattern->expression, &status);
  if (U_FAILURE(status)) return nullptr;
  auto result = new pkm_pattern;
  result->expression = expression;
  return result;
}

void pkm_pattern_destroy(pkm_pattern *pattern) { delete pattern; }

bool pkm_pattern_set_text(pkm_pattern *pattern, const uint16_t *units, size_t count) {
  UErrorCode status = U_ZERO_ERROR;
  uregex_setText(pattern->expression, reinterpret_cast<const UChar *>(units), int32_t(count), &status);
  return U_SUCCESS(status);
}

int32_t pkm_pattern_find(pkm_pattern *pattern, int32_t start, int32_t end, const int32_t **matches) {
  UErrorCode status = U_ZERO_ERROR;
  pattern->matches.clear();
  // Bounds of a region are the ends of the text for anchors, and nothing looks across them.
  uregex_setRegion(pattern->expression, start, end, &status);
  int32_t last = -1;
  while (U_SUCCESS(status) && uregex_findNext(pattern->expression, &status)) {
    int32_t from = uregex_start(pattern->expression, 0, &status);
    int32_t to = uregex_end(pattern->expression, 0, &status);
    // No empty match follows a match.
    if (from == to && from == last) continue;
    last = to;
    pattern->matches.push_back(from);
    pattern->matches.push_back(to);
  }
  if (U_FAILURE(status)) return -1;
  *matches = pattern->matches.data();
  return int32_t(pattern->matches.size() / 2);
}

// The length of the well-formed character at text[0] (Unicode, table 3-7) and its code point; 1 and U+FFFD for a byte
// that is not part of one.
static inline int decode(const uint8_t *text, size_t left, uint32_t *point) {
  uint32_t a = text[0];
  *point = 0xfffd;
  auto tail = [&](int i) { return (text[i] & 0xc0) == 0x80; };
  if (a < 0x80) {
    *point = a;
    return 1;
  }
  if (a < 0xe0) {
    if (a < 0xc2 || left < 2 || !tail(1)) return 1;
    *point = (a & 0x1f) << 6 | (text[1] & 0x3f);
    return 2;
  }
  if (a < 0xf0) {
    if (left < 3 || !tail(1) || !tail(2)) return 1;
    uint32_t found = (a & 0x0f) << 12 | (text[1] & 0x3f) << 6 | (text[2] & 0x3f);
    if (found < 0x800 || (found & 0xf800) == 0xd800) return 1;
    *point = found;
    return 3;
  }
  if (a > 0xf4 || left < 4 || !tail(1) || !tail(2) || !tail(3)) return 1;
  uint32_t found = (a & 0x07) << 18 | (text[1] & 0x3f) << 12 | (text[2] & 0x3f) << 6 | (text[3] & 0x3f);
  if (found < 0x10000 || found > 0x10ffff) return 1;
  *point = found;
  return 4;
}

size_t pkm_utf16_from_utf8(const uint8_t *text, size_t count, uint16_t *units) {
  size_t written = 0, i = 0;
  while (i < count) {
    if (text[i] < 0x80) {
      units[written++] = text[i++];
      continue;
    }
    uint32_t point;
    i += decode(text + i, count - i, &point);
    if (point < 0x10000) {
      units[written++] = uint16_t(point);
    } else {
      units[written++] = uint16_t(0xd7c0 + (point >> 10));
      units[written++] = uint16_t(0xdc00 + (point & 0x3ff));
    }
  }
  return written;
}

void pkm_utf8_offsets(const uint8_t *text, size_t count, const int32_t *units, size_t unit_count, size_t *offsets) {
  size_t byte = 0, unit = 0;
  for (size_t i = 0; i < unit_count; i++) {
    size_t wanted = size_t(units[i]);
    while (unit < wanted && byte < count) {
      if (text[byte] < 0x80) {
        byte++;
        unit++;
        continue;
      }
      uint32_t point;
      byte += decode(text + byte, count - byte, &point);
      unit += point < 0x10000 ? 1 : 2;
    }
    offsets[i] = byte;
  }
}
