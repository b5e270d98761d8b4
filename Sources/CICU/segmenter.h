// Splits UTF-8 into words and sentences at ICU's boundaries: UAX 29 as ICU tailors it, with ICU's dictionaries for
// scripts without spaces. ICU works on UTF-16, so text is converted once before it is passed to ICU, and ASCII is
// passed to it only if the answer is not known in advance.
#pragma once

#include <unicode/brkiter.h>
#include <unicode/utext.h>

#include <memory>
#include <vector>

#include "buffer.h"

namespace pkm {

// A break iterator and its text.
class Boundaries {
 public:
  explicit Boundaries(std::unique_ptr<icu::BreakIterator> iterator) : iterator(std::move(iterator)) {}
  ~Boundaries() { utext_close(&source); }

  // Calls body(from, to) for the segments of valid UTF-8 in order. Returns false if ICU failed.
  template <class Body>
  bool forEachSegment(const uint8_t *text, size_t count, Body body);

 private:
  std::unique_ptr<icu::BreakIterator> iterator;
  UText source = UTEXT_INITIALIZER;
  std::vector<char16_t> units;
};

// Puts a space between words, in place of any white space there except line ends, which are kept.
class WordSegmenter {
 public:
  WordSegmenter(const icu::Locale &locale, bool hasFastPath, UErrorCode &error);
  bool append(const uint8_t *text, size_t count, Buffer &out);

 private:
  // Whether ICU breaks between two ASCII characters depends only on them and on one more character on each side. This
  // learns up to 15 classes of characters that ICU treats alike, with class 0 for white space and the ends of the text,
  // and the answer for every combination of four classes. Returns false if that is not possible.
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

// Replaces the white space between sentences by a line end. A line end in the text also ends a sentence.
class SentenceSegmenter {
 public:
  // With the locale keyword ss=standard, abbreviations do not end a sentence.
  SentenceSegmenter(const icu::Locale &locale, bool hasFastPath, UErrorCode &error);
  bool append(const uint8_t *text, size_t count, Buffer &out);

 private:
  Boundaries boundaries;
  bool hasFastPath;
  // ASCII characters that may end a sentence. A line of other ASCII characters is one sentence.
  bool isTerminator[0x80] = {};
};

}  // namespace pkm
