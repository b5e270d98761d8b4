#include "normalizer.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>
#include <unicode/uversion.h>

#include <cstdio>

#include "gap_text.h"

using namespace pkm;

namespace {

// Longer words are split before a plain character, so that work on them can be interrupted; and ICU uses 32-bit lengths.
constexpr size_t longestWord = size_t(1) << 22;
// Transforms are slow and get less at a time.
constexpr size_t longestTransformed = size_t(1) << 20;

size_t startOfCharacter(const uint8_t *in, size_t at) {
  while (at > 0 && (in[at] & 0xc0) == 0x80) at--;
  return at;
}

}  // namespace

pkm_normalizer::pkm_normalizer(const pkm_normalizer_options &options)
    : rules(options), table(static_cast<uint32_t *>(calloc(0x110000, sizeof(uint32_t))), &free) {
  for (uint8_t byte = 0; byte < 0x80; byte++) {
    bool isControl = (byte < 0x20 && !pkm_is_white(byte)) || byte == 0x7f;
    bool isCapital = byte >= 'A' && byte <= 'Z';
    staysASCII[byte] = !(isControl && options.clean_controls) && !(isCapital && options.letter_case != PKM_CASE_NONE);
  }
}

uint32_t pkm_normalizer::classify(UChar32 c) {
  const pkm_normalizer_options &options = rules.options;
  if (options.clean_controls && isJoiner(c)) return joiner;

  std::string single, result;
  char bytes[4];
  int32_t length = 0;
  U8_APPEND_UNSAFE(bytes, length, c);
  single.assign(bytes, size_t(length));
  result = single;
  size_t ignored = 0;
  if (!rules.apply(result, ignored)) return complex;
  if (result.empty()) return dropped;

  if (rules.dependsOnNeighbors(c)) return complex;
  bool isBoundary = !rules.form || rules.form->hasBoundaryBefore(c);
  if (result == single) {
    if (isBoundary) return u_isdefined(c) ? plain : notAssigned;
    icu::UnicodeString text(c);
    if (rules.form->quickCheck(text, rules.error) != UNORM_YES) return complex;
    return mark | uint32_t(rules.form->getCombiningClass(c)) << 3;
  }
  if (!isBoundary || result.size() > 255) return complex;
  uint32_t combiningClass = 0;
  for (size_t i = 0, count; i < result.size(); i += count) {
    UChar32 part = decode(reinterpret_cast<const uint8_t *>(result.data()) + i, count);
    if (part < 0x80) {
      combiningClass = 0;
      continue;
    }
    uint32_t entry = classOf(part);
    bool isMarkInOrder = (entry & 7) == mark && i > 0;
    if ((entry & 7) != plain && !isMarkInOrder) return complex;
    combiningClass = isMarkInOrder ? entry >> 3 & 0xff : 0;
  }
  uint32_t offset = uint32_t(replacements.size());
  if (offset >= 1 << 21) return complex;
  replacements.push_back(uint8_t(result.size()));
  replacements.insert(replacements.end(), result.begin(), result.end());
  return mapped | combiningClass << 3 | offset << 11;
}

bool pkm_normalizer::append(const uint8_t *text, size_t count, bool isLines) {
  size_t start = out.size;
  std::string transformed;
  if (transliterator) {
    if (!transform(text, count, transformed)) return false;
    text = reinterpret_cast<const uint8_t *>(transformed.data());
    count = transformed.size();
  }
  if (!clean(text, count)) return false;
  if (rules.options.clean_whitespace) out.size = start + pkm_collapse_white(out.start + start, out.size - start, isLines);
  return segment(sentences.get(), start) && segment(words.get(), start);
}

void pkm_normalizer::reset() {
  out.clear();
  segmented.clear();
  removed = unassigned = 0;
}

template <class Segmenter>
bool pkm_normalizer::segment(Segmenter *segmenter, size_t start) {
  if (!segmenter) return true;
  segmented.size = 0;
  if (!segmenter->append(out.start + start, out.size - start, segmented)) return false;
  out.size = start;
  out.append(segmented.start, segmented.size);
  return true;
}

bool pkm_normalizer::clean(const uint8_t *in, size_t count) {
  const pkm_normalizer_options &options = rules.options;
  const pkm_copy_rules copy = {uint8_t(options.clean_controls ? 0xff : 0),
                          uint8_t(options.letter_case != PKM_CASE_NONE ? 0xff : 0), rules.ownCapitals};
  const size_t floor = out.size;
  // The start of the current word in the input and output. It is computed only when needed, by looking back through the
  // bytes since `same`, which were copied unchanged.
  struct {
    size_t in, out, removed, unassigned;
  } word = {0, out.size, removed, unassigned};
  size_t same = 0;
  size_t i = 0;
  auto lookBack = [&] {
    size_t start = pkm_after_last_white(in, same, i);
    if (start != SIZE_MAX) word = {start, out.size - (i - start), removed, unassigned};
  };
  uint32_t lastClass = 0;
  out.reserve(count);
  for (uint32_t round = 1; i < count; round++) {
    if (round % 4096 == 0 && isInterrupted()) return false;
    bool isComplex = !options.has_fast_path;
    if (isComplex) {
      while (i < count && pkm_is_white(in[i])) out.append(in + i++, 1);
      if (i == count) break;
      word = {i, out.size, removed, unassigned};
    } else if (in[i] < 0x80) {
      out.reserve(count - i);
      size_t copied = pkm_copy_plain(in + i, count - i, out.end(), copy);
      if (copied > 0) {
        out.size += copied;
        i += copied;
        lastClass = 0;
        continue;
      }
      isComplex = in[i] - 'I' >= 0 && in[i] - 'I' < rules.ownCapitals;
      if (!isComplex) {
        lookBack();
        removed++;
        same = ++i;
        continue;
      }
    }
    uint32_t entry = 0;
    size_t length = 1;
    if (!isComplex) {
      size_t from = i;
      entry = skipPlain(in, i, count, lastClass, length);
      out.append(in + from, i - from);
      if (i == count || in[i] < 0x80) continue;
    }
    switch (entry & 7) {
      case mapped: {
        lookBack();
        const uint8_t *replacement = replacements.data() + (entry >> 11);
        out.append(replacement + 1, replacement[0]);
        same = i += length;
        lastClass = entry >> 3 & 0xff;
        break;
      }
      case dropped:
        lookBack();
        removed++;
        same = i += length;
        break;
      case joiner:
        lookBack();
        if (takesJoiner(lastCharacter(floor))) {
          out.append(in + i, length);
          lastClass = 0;
        } else {
          removed++;
        }
        same = i += length;
        break;
      case notAssigned:
        lookBack();
        out.append(in + i, length);
        unassigned++;
        lastClass = 0;
        same = i += length;
        break;
      default: isComplex = true;
    }
    if (!isComplex) continue;

    if (options.has_fast_path) lookBack();
    if (i - word.in > longestWord) {
      // Too long to repeat as a whole: start at the last plain character instead.
      size_t from = i;
      while (from > same) {
        from = startOfCharacter(in, from - 1);
        if (in[from] < 0x80 || (classOf(decode(in + from, length)) & 7) == plain) break;
      }
      word = {from, out.size - (i - from), removed, unassigned};
    }
    size_t end = endOfWord(in, i, count);
    out.size = word.out;
    removed = word.removed;
    unassigned = word.unassigned;
    if (!appendWord(in + word.in, end - word.in)) return false;
    same = i = end;
    word = {i, out.size, removed, unassigned};
    lastClass = 0;
  }
  return true;
}

uint32_t pkm_normalizer::skipPlain(const uint8_t *in, size_t &at, size_t count, uint32_t &lastClass, size_t &length) {
  const uint32_t *classes = table.get();
  size_t i = at, bytes = 1;
  uint32_t last = lastClass, entry = 0;
  while (i < count) {
    if (in[i] < 0x80) {
      // A few ASCII characters between others are not worth a vector.
      uint64_t next = 0x80;
      if (count - i >= sizeof next) memcpy(&next, in + i, sizeof next);
      if (!(next & 0x8080808080808080) || !staysASCII[in[i]]) break;
      last = 0;
      i++;
      continue;
    }
    UChar32 c = decode(in + i, bytes);
    entry = classes[c];
    if (entry == unknown) entry = classOf(c);
    if ((entry & 7) == plain) {
      last = 0;
    } else if ((entry & 7) == mark && last <= entry >> 3) {
      last = entry >> 3;
    } else {
      break;
    }
    i += bytes;
  }
  at = i;
  length = bytes;
  lastClass = last;
  return entry;
}

bool pkm_normalizer::appendWord(const uint8_t *bytes, size_t count) {
  if (count > longestTransformed && isInterrupted()) return false;
  word.assign(reinterpret_cast<const char *>(bytes), count);
  if (!rules.apply(word, removed)) return false;
  out.append(word.data(), word.size());
  auto *result = reinterpret_cast<const uint8_t *>(word.data());
  for (size_t i = 0, length; i < word.size(); i += length) unassigned += !u_isdefined(decode(result + i, length));
  return true;
}

size_t pkm_normalizer::endOfWord(const uint8_t *in, size_t from, size_t count) {
  size_t limit = count - from > longestWord ? from + longestWord : count;
  size_t end = from;
  while (end < limit && !pkm_is_white(in[end])) end++;
  if (end == count || pkm_is_white(in[end])) return end;
  for (size_t at = startOfCharacter(in, end), length; at > from; at = startOfCharacter(in, at - 1)) {
    if (in[at] < 0x80 || (classOf(decode(in + at, length)) & 7) == plain) return at;
  }
  // A run of marks, which must stay whole.
  end = startOfCharacter(in, end);
  const size_t hardLimit = count - from > size_t(1) << 30 ? from + (size_t(1) << 30) : count;
  for (size_t length; end < hardLimit; end += length) {
    if (in[end] < 0x80) break;
    if ((classOf(decode(in + end, length)) & 7) == plain) break;
  }
  return end;
}

UChar32 pkm_normalizer::lastCharacter(size_t floor) const {
  if (out.size == floor) return 0;
  size_t length;
  return decode(out.start + startOfCharacter(out.start, out.size - 1), length);
}

bool pkm_normalizer::transform(const uint8_t *in, size_t count, std::string &result) {
  for (size_t from = 0, end; from < count; from = end) {
    end = endOfWord(in, from, count);
    if (isInterrupted()) return false;
    while (end < count && end - from < longestTransformed) {
      size_t next = endOfWord(in, end + (pkm_is_white(in[end]) ? 1 : 0), count);
      if (next - from > longestTransformed) break;
      end = next;
    }
    icu::UnicodeString text = icu::UnicodeString::fromUTF8(
        icu::StringPiece(reinterpret_cast<const char *>(in) + from, int32_t(end - from)));
    if (text.isBogus()) return false;
    pkm::GapText changing(text);
    transliterator->transliterate(changing);
    changing.appendUTF8(result);
    if (end == from) return false;
  }
  return true;
}

const char *pkm_normalizer::prepare(UErrorCode &error) {
  const pkm_normalizer_options &options = rules.options;
  error = rules.error;
  if (!table || U_FAILURE(error)) return "ICU could not load its normalization data";
  const icu::Locale &locale = rules.locale;
  if (locale.isBogus() || (*options.locale && !*locale.getISO3Language())) {
    return error = U_ILLEGAL_ARGUMENT_ERROR, "ICU does not know this locale";
  }
  if (options.split_sentences) {
    icu::Locale abbreviating = locale;
    char given[8];
    if (*options.locale && locale.getKeywordValue("ss", given, sizeof given, error) == 0) {
      abbreviating.setKeywordValue("ss", "standard", error);
    }
    sentences = std::make_unique<SentenceSegmenter>(abbreviating, options.has_fast_path, error);
    if (U_FAILURE(error)) return "ICU has no sentence boundaries for this locale";
  }
  if (options.tokenize) {
    words = std::make_unique<WordSegmenter>(locale, options.has_fast_path, error);
    if (U_FAILURE(error)) return "ICU has no word boundaries for this locale";
  }
  if (!options.transform) return nullptr;
  UParseError parse = {};
  icu::UnicodeString text = icu::UnicodeString::fromUTF8(options.transform);
  transliterator.reset(icu::Transliterator::createInstance(text, UTRANS_FORWARD, parse, error));
  if (U_FAILURE(error)) {
    error = U_ZERO_ERROR;
    transliterator.reset(icu::Transliterator::createFromRules("pkm", text, UTRANS_FORWARD, parse, error));
  }
  if (U_SUCCESS(error)) return nullptr;
  errorLocation = "before \"";
  icu::UnicodeString(parse.postContext).toUTF8String(errorLocation);
  errorLocation += '"';
  return "ICU does not know this transform";
}

pkm_normalizer *pkm_normalizer_create(const pkm_normalizer_options *options, char *message, size_t capacity) {
  auto normalizer = std::make_unique<pkm_normalizer>(*options);
  UErrorCode error = U_ZERO_ERROR;
  const char *problem = normalizer->prepare(error);
  if (!problem) return normalizer.release();
  const char *comma = normalizer->errorLocation.empty() ? "" : ", ";
  snprintf(message, capacity, "%s (%s%s%s)", problem, u_errorName(error), comma, normalizer->errorLocation.c_str());
  return nullptr;
}

void pkm_normalizer_destroy(pkm_normalizer *normalizer) { delete normalizer; }

void pkm_normalizer_reset(pkm_normalizer *normalizer) { normalizer->reset(); }

bool pkm_normalizer_append(pkm_normalizer *normalizer, const uint8_t *text, size_t length, bool is_lines) {
  return length == 0 || normalizer->append(text, length, is_lines);
}

pkm_normalizer_output pkm_normalizer_result(const pkm_normalizer *normalizer) {
  return {normalizer->out.start, normalizer->out.size, normalizer->removed, normalizer->unassigned};
}

const char *pkm_icu_version(void) {
  static const auto text = [] {
    UVersionInfo version;
    u_getVersion(version);
    struct { char text[U_MAX_VERSION_STRING_LENGTH]; } string;
    u_versionToString(version, string.text);
    return string;
  }();
  return text.text;
}

const char *pkm_unicode_version(void) {
  static const auto text = [] {
    UVersionInfo version;
    u_getUnicodeVersion(version);
    struct { char text[U_MAX_VERSION_STRING_LENGTH]; } string;
    u_versionToString(version, string.text);
    return string;
  }();
  return text.text;
}

bool pkm_unicode_is_assigned(uint32_t character) { return u_isdefined(UChar32(character)); }
