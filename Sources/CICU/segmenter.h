// Words and sentences of UTF-8 by ICU's boundaries: UAX 29 as ICU tailors it, with ICU's dictionaries for scripts that
// write no spaces. ICU works on UTF-16, so text is converted once for each piece that goes to it, and ASCII goes to it
// only where its answer is not known beforehand.
#pragma once

#include <unicode/brkiter.h>
#include <unicode/utext.h>

#include <memory>
#include <vector>

#include "bytes.h"

namespace pkm {

// A break iterator and the text it is at.
class Boundaries {
 public:
  explicit Boundaries(std::unique_ptr<icu::BreakIterator> iterator) : iterator(std::move(iterator)) {}
  ~Boundaries() { utext_close(&source); }

  // Calls body(from, to) for the segments of valid UTF-8 in order. Returns false when ICU failed.
  template <class Body>
  bool forEachSegment(const uint8_t *text, size_t count, Body body);

 private:
  std::unique_ptr<icu::BreakIterator> iterator;
  UText source = UTEXT_INITIALIZER;
  std::vector<char16_t> units;
};

// Puts a space between words. White space between words becomes that space, but for line ends, which stay.
class WordSegmenter {
 public:
  WordSegmenter(const icu::Locale &locale, bool hasFastPath, UErrorCode &error);
  bool append(const uint8_t *text, size_t count, Buffer &out);

 private:
  // Whether ICU breaks ASCII between two characters depends on them and one more on each side: up to 15 classes of
  // characters that ICU treats alike, 0 for white space and the ends of the text, and the answer for every four.
  bool learn();
  void appendPlain(const uint8_t *text, size_t from, size_t to, size_t count, Buffer &out);
  bool appendByICU(const uint8_t *text, size_t count, Buffer &out);
  void appendWord(const uint8_t *word, size_t count, Buffer &out);

  Boundaries boundaries;
  bool hasFastPath;
  bool isAtLineStart = true;
  uint8_t classes[0x80] = {};
  std::vector<uint8_t> breaks;
};

// Puts a line end between sentences, in place of the white space there. A line end ends a sentence.
class SentenceSegmenter {
 public:
  // A locale with the keyword ss=standard has abbreviations that end no sentence.
  SentenceSegmenter(const icu::Locale &locale, bool hasFastPath, UErrorCode &error);
  bool append(const uint8_t *text, size_t count, Buffer &out);

 private:
  Boundaries boundaries;
  bool hasFastPath;
  // ASCII characters that may end a sentence. A line of other ASCII is one.
  bool isTerminator[0x80] = {};
};

}  // namespace pkm
