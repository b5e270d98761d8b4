// Normalization in two implementations: `Rules` applies the steps to any piece of text through ICU, slowly;
// `pkm_normalizer` does the same fast, by asking the rules once per character and again for words whose characters
// affect each other.
#pragma once

#if !__has_include(<unicode/normalizer2.h>)
#error "ICU's headers are missing. Install them with: sudo apt-get install libicu-dev"
#endif
#include <unicode/normalizer2.h>
#include <unicode/translit.h>

#include <memory>
#include <string>
#include <vector>

#include "CICU.h"
#include "buffer.h"
#include "segmenter.h"

namespace pkm {

// The steps of normalization, in order, for text surrounded by white space or nothing.
class Rules {
 public:
  explicit Rules(const pkm_normalizer_options &options);

  // Replaces the text by its normalized form, before white space is collapsed. Returns false if ICU failed.
  bool apply(std::string &text, size_t &removed);

  // Whether the result for the character depends on its neighbors, apart from composition and the order of marks.
  bool dependsOnNeighbors(UChar32 c) const;

  // nullptr for the form "none".
  const icu::Normalizer2 *form = nullptr;
  const pkm_normalizer_options options;
  const icu::Locale locale;
  // The number of capitals from I on with special lower case: I in Turkish and Azerbaijani, I and J before accents in
  // Lithuanian.
  uint8_t ownCapitals = 0;
  UErrorCode error = U_ZERO_ERROR;

 private:
  // Applies every step once. Returns whether stray joiners were dropped.
  bool once(std::string &text, size_t &removed);
  void normalize(const icu::Normalizer2 *form, std::string &text);
  void orderMarks(std::string &text);
  bool isDecomposed(UChar32 c, icu::UnicodeString &parts) const;
  void changeCase(std::string &text);
  void stripAccents(std::string &text);
  void dropControls(std::string &text, size_t &removed);
  bool dropStrayJoiners(std::string &text, size_t &removed);
  void mapCharacters(std::string &text);

  std::string scratch;
  const icu::Normalizer2 *decomposition = nullptr;
  const icu::Normalizer2 *composition = nullptr;
};

inline bool isJoiner(UChar32 c) { return c == 0x200c || c == 0x200d; }

// Whether a joiner after this character shapes the text: in scripts whose letters join, and in emoji sequences.
bool takesJoiner(UChar32 c);

// Decodes valid UTF-8.
inline UChar32 decode(const uint8_t *bytes, size_t &length) {
  uint8_t lead = bytes[0];
  if (lead < 0x80) return length = 1, lead;
  if (lead < 0xe0) return length = 2, (lead & 0x1f) << 6 | (bytes[1] & 0x3f);
  if (lead < 0xf0) return length = 3, (lead & 0x0f) << 12 | (bytes[1] & 0x3f) << 6 | (bytes[2] & 0x3f);
  length = 4;
  return (lead & 0x07) << 18 | (bytes[1] & 0x3f) << 12 | (bytes[2] & 0x3f) << 6 | (bytes[3] & 0x3f);
}

}  // namespace pkm

struct pkm_normalizer {
  explicit pkm_normalizer(const pkm_normalizer_options &options);

  // Creates the ICU objects that the options need. Returns what is wrong with the options, or nullptr; `errorLocation`
  // then says where.
  const char *prepare(UErrorCode &error);
  bool append(const uint8_t *text, size_t count, bool isLines);
  void reset();

  pkm::Rules rules;
  std::unique_ptr<icu::Transliterator> transliterator;
  std::unique_ptr<pkm::SentenceSegmenter> sentences;
  std::unique_ptr<pkm::WordSegmenter> words;
  pkm::Buffer out;
  size_t removed = 0, unassigned = 0;
  std::string errorLocation;

 private:
  // What happens to a character if its neighbors do not matter.
  enum Kind : uint32_t {
    unknown,
    // It is kept, and nothing before it can change because of it.
    plain,
    // It is kept after any character whose combining class is not greater.
    mark,
    // It becomes a string of plain characters, possibly with marks.
    mapped,
    dropped,
    // It is kept if the script uses it.
    joiner,
    // It depends on the rest of its word.
    complex,
    // It is kept and counted.
    notAssigned,
  };

  // The kind in the lowest 3 bits, then 8 bits of combining class (of the last character if mapped), then the offset of
  // the replacement, which begins with its length.
  uint32_t classify(UChar32 c);
  uint32_t classOf(UChar32 c) { return table[c] ? table[c] : table[c] = classify(c); }

  bool clean(const uint8_t *in, size_t count);
  // Moves `at` past characters that are kept unchanged. Returns the class of the character at which it stops, unless
  // that is ASCII, and its length.
  uint32_t skipPlain(const uint8_t *in, size_t &at, size_t count, uint32_t &lastClass, size_t &length);
  bool appendWord(const uint8_t *word, size_t count);
  size_t endOfWord(const uint8_t *in, size_t from, size_t count);
  UChar32 lastCharacter(size_t floor) const;
  template <class Segmenter>
  bool segment(Segmenter *segmenter, size_t start);
  bool transform(const uint8_t *in, size_t count, std::string &result);
  bool isInterrupted() const { return rules.options.is_interrupted && rules.options.is_interrupted(); }

  // The class of each code point, computed when it first occurs. Pages of characters that never occur are never
  // touched.
  std::unique_ptr<uint32_t[], decltype(&free)> table;
  bool staysASCII[0x80];
  std::vector<uint8_t> replacements;
  std::string word;
  pkm::Buffer segmented;
};
