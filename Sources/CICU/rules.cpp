#include <unicode/bytestream.h>
#include <unicode/casemap.h>
#include <unicode/uchar.h>
#include <unicode/uscript.h>
#include <unicode/utf8.h>

#include "accents.h"
#include "normalizer.h"

using icu::Normalizer2;
using icu::StringByteSink;
using icu::StringPiece;

namespace pkm {

namespace {

// Calls body(character, bytes) for each character of valid UTF-8.
template <class Body>
void forEachCharacter(const std::string &text, Body body) {
  for (size_t i = 0, length; i < text.size(); i += length) {
    UChar32 c = decode(reinterpret_cast<const uint8_t *>(text.data()) + i, length);
    body(c, std::string_view(text).substr(i, length));
  }
}

// Characters that are invisible and carry no text: controls other than white space, zero-width and bidirectional
// formatting, soft hyphens, byte order marks, noncharacters.
bool isControl(UChar32 c) {
  if (c < 0x20) return c < 0x09 || c > 0x0d;
  if (c < 0x7f) return false;
  if (c < 0xa0) return c != 0x85;
  switch (c) {
    case 0xad: case 0x61c: case 0x200b: case 0x200e: case 0x200f: case 0xfeff: return true;
    default: break;
  }
  if ((c >= 0x202a && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f)) return true;
  return (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe;
}

// The ASCII form of typographic punctuation, or nullptr. The result must not be a letter or one of < = >, which compose
// with marks.
const char *plainPunctuation(UChar32 c) {
  static const char ascii[] = "!\"#$%&'()*+,-./:;?@[\\]^_`{|}~";
  switch (c) {
    case 0x2018: case 0x2019: case 0x201a: case 0x201b: case 0x2032: case 0x2035: case 0x2039: case 0x203a:
      return "'";
    case 0x201c: case 0x201d: case 0x201e: case 0x201f: case 0x2033: case 0x2036: case 0xab: case 0xbb:
    case 0x300a: case 0x300b: case 0x300c: case 0x300d: case 0x300e: case 0x300f:
      return "\"";
    case 0x2010: case 0x2011: case 0x2012: case 0x2013: case 0x2212: return "-";
    case 0x2014: case 0x2015: return " - ";
    case 0x2026: return "...";
    case 0x3001: return ",";
    case 0x3002: return ".";
    case 0x3010: return "[";
    case 0x3011: return "]";
    default: break;
  }
  if (c < 0xff01 || c > 0xff5e) return nullptr;
  const char *found = strchr(ascii, int(c - 0xff01 + '!'));
  if (!found) return nullptr;
  static char strings[sizeof ascii][2];
  static const bool isFilled = [] {
    for (size_t i = 0; ascii[i]; i++) strings[i][0] = ascii[i];
    return true;
  }();
  return isFilled ? strings[found - ascii] : nullptr;
}

}  // namespace

bool takesJoiner(UChar32 c) {
  auto in = [c](UChar32 first, UChar32 last) { return c >= first && c <= last; };
  // Scripts from Arabic to Myanmar, from Tagalog to Vedic, from Syloti Nagri to Meetei Mayek, Arabic presentation
  // forms, Brahmic scripts of plane 1, Adlam; then emoji and the variation selector that follows them.
  return in(0x600, 0x109f) || in(0x1700, 0x1cff) || in(0xa800, 0xabff) || in(0xfb50, 0xfdff) ||
         in(0xfe70, 0xfefc) || in(0x10a00, 0x11fff) || in(0x1e900, 0x1e95f) || in(0x2600, 0x27bf) ||
         in(0x2b00, 0x2bff) || c == 0xfe0f || in(0x1f300, 0x1faff) || in(0xe0020, 0xe007f);
}

Rules::Rules(const pkm_normalizer_options &options) : options(options), locale(options.locale) {
  const std::string language = locale.getLanguage();
  if (options.letter_case != PKM_CASE_NONE) {
    if (language == "tr" || language == "az") ownCapitals = 1;
    if (language == "lt" && options.letter_case == PKM_CASE_LOWER) ownCapitals = 2;
  }
  const Normalizer2 *nfc = Normalizer2::getNFCInstance(error);
  const Normalizer2 *nfd = Normalizer2::getNFDInstance(error);
  switch (options.form) {
    // Stripping accents decomposes and composes again, which yields NFC.
    case PKM_FORM_NONE: form = options.strip_accents ? nfc : nullptr; break;
    case PKM_FORM_NFC: form = nfc; break;
    case PKM_FORM_NFD: form = nfd; break;
    case PKM_FORM_NFKC: form = Normalizer2::getNFKCInstance(error); break;
    case PKM_FORM_NFKD: form = Normalizer2::getNFKDInstance(error); break;
  }
  decomposition = nfd;
  bool staysDecomposed = options.form == PKM_FORM_NFD || options.form == PKM_FORM_NFKD;
  composition = staysDecomposed ? nullptr : nfc;
}

bool Rules::apply(std::string &text, size_t &removed) {
  // A step can make work for an earlier one (a dropped joiner lets a mark compose), so repeat until nothing changes.
  // Two rounds settle nearly everything, and one is enough without the steps that cause this.
  bool mayDisturb = options.letter_case != PKM_CASE_NONE || options.strip_accents || options.plain_punctuation;
  std::string before;
  for (int round = 0; round < 8; round++) {
    if (mayDisturb) before = text;
    size_t removedBefore = removed;
    bool lostJoiners = once(text, removed);
    if (U_FAILURE(error)) return false;
    if (mayDisturb ? text == before && removed == removedBefore : !lostJoiners) break;
  }
  return true;
}

bool Rules::once(std::string &text, size_t &removed) {
  if (options.clean_controls) dropControls(text, removed);
  if (form) normalize(form, text);
  if (options.letter_case != PKM_CASE_NONE) {
    changeCase(text);
    if (form) normalize(form, text);
  }
  if (options.strip_accents) stripAccents(text);
  if (options.plain_punctuation || options.clean_whitespace) mapCharacters(text);
  return options.clean_controls && dropStrayJoiners(text, removed);
}

void Rules::normalize(const Normalizer2 *form, std::string &text) {
  orderMarks(text);
  scratch.clear();
  StringByteSink<std::string> sink(&scratch);
  form->normalizeUTF8(0, StringPiece(text.data(), int32_t(text.size())), sink, nullptr, error);
  text.swap(scratch);
}

// Brings long runs of combining marks into canonical order: ICU inserts each mark at its place one by one, which takes
// quadratic time. Replacing characters by their decompositions and ordering marks stably gives a canonically equivalent
// text, so that no form of it changes (Unicode Standard, section 3.11). Runs up to the limit of the Stream-Safe Text
// Format (UAX #15) are left to ICU.
void Rules::orderMarks(std::string &text) {
  constexpr size_t longestRun = 30;
  if (text.size() <= 2 * longestRun) return;
  struct Mark {
    UChar32 character;
    uint8_t combiningClass;
  };
  std::vector<Mark> run;
  std::string ordered;
  size_t done = 0, start = 0;
  icu::UnicodeString parts;
  auto endRun = [&](size_t end) {
    if (run.size() > longestRun) {
      // Where the marks of each class begin.
      size_t at[257] = {};
      for (Mark mark : run) at[mark.combiningClass + 1]++;
      for (size_t i = 1; i < 257; i++) at[i] += at[i - 1];
      std::vector<UChar32> sorted(run.size());
      for (Mark mark : run) sorted[at[mark.combiningClass]++] = mark.character;
      ordered.append(text, done, start - done);
      for (UChar32 character : sorted) {
        char bytes[4];
        int32_t length = 0;
        U8_APPEND_UNSAFE(bytes, length, character);
        ordered.append(bytes, size_t(length));
      }
      done = end;
    }
    run.clear();
  };
  for (size_t i = 0, length; i < text.size(); i += length) {
    UChar32 c = decode(reinterpret_cast<const uint8_t *>(text.data()) + i, length);
    bool isMark = false;
    if (c >= 0x300) {
      if (run.empty()) start = i;
      if (uint8_t combiningClass = decomposition->getCombiningClass(c); combiningClass && !isDecomposed(c, parts)) {
        run.push_back({c, combiningClass});
        isMark = true;
      } else if (isDecomposed(c, parts) && decomposition->getCombiningClass(parts.char32At(0))) {
        for (int32_t at = 0; at < parts.length(); at = parts.moveIndex32(at, 1)) {
          UChar32 part = parts.char32At(at);
          run.push_back({part, decomposition->getCombiningClass(part)});
        }
        isMark = true;
      }
    }
    if (!isMark && !run.empty()) endRun(i);
  }
  if (!run.empty()) endRun(text.size());
  if (done == 0 && ordered.empty()) return;
  ordered.append(text, done);
  text.swap(ordered);
}

// Whether the character has a canonical decomposition, which is then in `parts`.
bool Rules::isDecomposed(UChar32 c, icu::UnicodeString &parts) const {
  return decomposition->getDecomposition(c, parts);
}

void Rules::changeCase(std::string &text) {
  scratch.clear();
  StringByteSink<std::string> sink(&scratch);
  StringPiece piece(text.data(), int32_t(text.size()));
  if (options.letter_case == PKM_CASE_LOWER) {
    icu::CaseMap::utf8ToLower(locale.getName(), 0, piece, sink, nullptr, error);
  } else {
    icu::CaseMap::utf8Fold(ownCapitals ? U_FOLD_CASE_EXCLUDE_SPECIAL_I : U_FOLD_CASE_DEFAULT, piece, sink, nullptr, error);
  }
  text.swap(scratch);
}

bool Rules::dependsOnNeighbors(UChar32 c) const {
  icu::UnicodeString parts(c), more;
  if (decomposition->getDecomposition(c, more)) parts = more;
  // A mark that belongs to the previous letter, or a character that contains such a mark, such as two vowel signs of
  // Indic scripts in one character.
  if (options.strip_accents && (U_GET_GC_MASK(parts.char32At(0)) & U_GC_M_MASK)) {
    for (int32_t i = 0; i < parts.length(); i = parts.moveIndex32(i, 1)) {
      if (u_charType(parts.char32At(i)) == U_NON_SPACING_MARK) return true;
    }
  }
  if (form && form->getDecomposition(c, more)) parts += more;
  for (uint8_t i = 0; i < ownCapitals; i++) {
    if (parts.indexOf(char16_t('I' + i)) >= 0) return true;
  }
  switch (options.letter_case) {
    case PKM_CASE_NONE: return false;
    // The lower case of sigma differs at the end of a word.
    case PKM_CASE_LOWER: return parts.indexOf(u'\u03a3') >= 0;
    // The iota subscript becomes a letter, but until then it is reordered among other marks.
    case PKM_CASE_FOLD: return parts.indexOf(u'\u0345') >= 0;
  }
  return true;
}

void Rules::stripAccents(std::string &text) {
  normalize(decomposition, text);
  scratch.clear();
  bool basesLoseMarks = false;
  forEachCharacter(text, [&](UChar32 c, std::string_view bytes) {
    if (u_charType(c) == U_NON_SPACING_MARK) {
      if (basesLoseMarks) return;
    } else if ((U_GET_GC_MASK(c) & U_GC_M_MASK) == 0) {
      basesLoseMarks = losesAccents(c);
    }
    scratch.append(bytes);
  });
  text.swap(scratch);
  if (composition) normalize(composition, text);
}

void Rules::dropControls(std::string &text, size_t &removed) {
  scratch.clear();
  forEachCharacter(text, [&](UChar32 c, std::string_view bytes) {
    if (isControl(c)) {
      removed++;
    } else {
      scratch.append(bytes);
    }
  });
  text.swap(scratch);
}

bool Rules::dropStrayJoiners(std::string &text, size_t &removed) {
  if (text.find("\xe2\x80\x8c") == text.npos && text.find("\xe2\x80\x8d") == text.npos) return false;
  scratch.clear();
  UChar32 previous = 0;
  bool hasDropped = false;
  forEachCharacter(text, [&](UChar32 c, std::string_view bytes) {
    if (isJoiner(c) && !takesJoiner(previous)) {
      removed++;
      hasDropped = true;
      return;
    }
    scratch.append(bytes);
    previous = c;
  });
  text.swap(scratch);
  return hasDropped;
}

void Rules::mapCharacters(std::string &text) {
  scratch.clear();
  forEachCharacter(text, [&](UChar32 c, std::string_view bytes) {
    const char *plain = options.plain_punctuation && c > 0x7f ? plainPunctuation(c) : nullptr;
    if (plain) {
      scratch += plain;
    } else if (options.clean_whitespace && c > 0x7f && u_hasBinaryProperty(c, UCHAR_WHITE_SPACE)) {
      // Vertical tab stands for a line end other than LF: a space in documents of one line, a line end in others.
      scratch += c == 0x85 || c == 0x2028 || c == 0x2029 ? '\v' : ' ';
    } else {
      scratch.append(bytes);
    }
  });
  text.swap(scratch);
}

}  // namespace pkm
