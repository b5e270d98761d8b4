// Which marks are accents: one rule for `normalize --strip-accents` and for the comparison key.
#pragma once

#include <unicode/uscript.h>

namespace pkm {

// Whether the nonspacing marks on this letter are accents, without which it is still the same letter to a reader: in
// Latin, Greek and Cyrillic. In other scripts they are vowels, tones or other letters (कि, がき, שָׁ, ไม้).
inline bool losesAccents(UChar32 letter) {
  UErrorCode ignored = U_ZERO_ERROR;
  UScriptCode script = uscript_getScript(letter, &ignored);
  return script == USCRIPT_LATIN || script == USCRIPT_GREEK || script == USCRIPT_CYRILLIC;
}

}  // namespace pkm
