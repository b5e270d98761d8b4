// Sets of code points as flags in a table, and simple case mapping.
#include "CICU.h"

#include <unicode/uchar.h>
#include <unicode/uset.h>
#include <unicode/ustring.h>

bool pkm_unicode_add_flag(const char *pattern, uint8_t flag, uint8_t *classes) {
  UErrorCode status = U_ZERO_ERROR;
  UChar wide[256];
  u_uastrncpy(wide, pattern, 256);
  USet *set = uset_openPattern(wide, -1, &status);
  if (U_FAILURE(status)) return false;
  for (int32_t item = 0; item < uset_getItemCount(set); item++) {
    UChar32 first = 0, last = 0;
    // 0 means a range; a string has a length of at least 2.
    if (uset_getItem(set, item, &first, &last, nullptr, 0, &status) != 0) continue;
    for (UChar32 point = first; point <= last; point++) classes[point] |= flag;
  }
  uset_close(set);
  return U_SUCCESS(status);
}

uint32_t pkm_unicode_lower(uint32_t character) { return uint32_t(u_tolower(UChar32(character))); }
