#include "segmenter.h"

#include <unicode/locid.h>
#include <unicode/uchar.h>

#include <algorithm>
#include <string>

#include "normalizer.h"

namespace pkm {

namespace {

// ICU uses 32-bit lengths. A longer text is split at the last known boundary.
constexpr size_t longestChunk = size_t(1) << 28;

bool isWhiteSpace(UChar32 c) { return c < 0x80 ? pkm_is_white(uint8_t(c)) : u_isUWhiteSpace(c); }

size_t startOfCharacter(const uint8_t *text, size_t at) {
  while (at > 0 && (text[at] & 0xc0) == 0x80) at--;
  return at;
}

struct Range {
  size_t from, to;
};

// text[from..<to] without the white space at its ends.
Range trimmed(const uint8_t *text, size_t from, size_t to) {
  size_t length;
  while (from < to && isWhiteSpace(decode(text + from, length))) from += length;
  while (to > from) {
    size_t last = startOfCharacter(text, to - 1);
    if (!isWhiteSpace(decode(text + last, length))) break;
    to = last;
  }
  return {from, to};
}

size_t lengthOfASCII(const uint8_t *text, size_t count) {
  size_t i = 0;
  for (uint64_t eight; i + sizeof eight <= count; i += sizeof eight) {
    memcpy(&eight, text + i, sizeof eight);
    if (eight & 0x8080808080808080) break;
  }
  while (i < count && text[i] < 0x80) i++;
  return i;
}

using Create = icu::BreakIterator *(*)(const icu::Locale &, UErrorCode &);

std::unique_ptr<icu::BreakIterator> create(Create create, const icu::Locale &locale, UErrorCode &error) {
  return std::unique_ptr<icu::BreakIterator>(create(locale, error));
}

}  // namespace

template <class Body>
bool Boundaries::forEachSegment(const uint8_t *text, size_t count, Body body) {
  size_t at = 0;
  while (at < count) {
    size_t end = count - at > longestChunk ? startOfCharacter(text, at + longestChunk) : count;
    if (units.size() < end - at) units.resize(end - at);
    char16_t *unit = units.data();
    for (size_t i = at, length; i < end; i += length) {
      UChar32 c = decode(text + i, length);
      if (c > 0xffff) {
        *unit++ = U16_LEAD(c);
        c = U16_TRAIL(c);
      }
      *unit++ = char16_t(c);
    }
    UErrorCode error = U_ZERO_ERROR;
    utext_openUChars(&source, units.data(), unit - units.data(), &error);
    iterator->setText(&source, error);
    if (U_FAILURE(error)) return false;
    iterator->first();
    size_t start = at;
    int32_t passed = 0;
    for (int32_t boundary; (boundary = iterator->next()) != icu::BreakIterator::DONE;) {
      size_t to = at;
      for (size_t length; passed < boundary; to += length) passed += decode(text + to, length) > 0xffff ? 2 : 1;
      // The last segment of a chunk may continue in the next chunk.
      if (to == end && end < count && at > start) break;
      body(at, to);
      at = to;
    }
  }
  return true;
}

// MARK: Words

WordSegmenter::WordSegmenter(const icu::Locale &locale, bool hasFastPath, UErrorCode &error)
    : boundaries(create(icu::BreakIterator::createWordInstance, locale, error)), hasFastPath(false) {
  if (U_SUCCESS(error) && hasFastPath) this->hasFastPath = learn();
}

bool WordSegmenter::learn() {
  // A line end also ends a word, so ICU can be asked about many short texts at once, one per line.
  std::string questions;
  std::vector<bool> isBoundary;
  auto ask = [&] {
    isBoundary.assign(questions.size() + 1, false);
    auto text = reinterpret_cast<const uint8_t *>(questions.data());
    return boundaries.forEachSegment(text, questions.size(), [&](size_t, size_t to) { isBoundary[to] = true; });
  };

  // Characters belong to one class if ICU breaks alike beside them and between them, for every other character.
  std::vector<uint8_t> characters;
  for (uint8_t c = 0; c < 0x80; c++) {
    if (!pkm_is_white(c)) characters.push_back(c);
  }
  for (char c : characters) {
    for (char d : characters) questions.append({c, d, '\n', c, d, c, '\n', d, c, d, '\n'});
  }
  if (!ask()) return false;
  const size_t answers = characters.size() * 11;
  std::vector<size_t> leaders;
  for (size_t i = 0; i < characters.size(); i++) {
    size_t known = 0;
    auto answersOf = [&](size_t character) { return isBoundary.begin() + ptrdiff_t(character * answers); };
    while (known < leaders.size() &&
           !std::equal(answersOf(i), answersOf(i) + ptrdiff_t(answers), answersOf(leaders[known]))) {
      known++;
    }
    if (known == leaders.size()) leaders.push_back(i);
    classes[characters[i]] = uint8_t(known + 1);
  }
  if (leaders.size() > 15) return false;

  questions = "\n";
  std::vector<std::pair<size_t, size_t>> offsets;
  for (size_t window = 0; window < 1 << 16; window++) {
    const size_t four[] = {window >> 12, window >> 8 & 15, window >> 4 & 15, window & 15};
    if (four[1] == 0 || four[2] == 0) continue;
    if (std::any_of(four, four + 4, [&](size_t one) { return one > leaders.size(); })) continue;
    offsets.push_back({window, questions.size() + 2});
    for (size_t one : four) questions += one ? char(characters[leaders[one - 1]]) : '\n';
    questions += '\n';
  }
  if (!ask()) return false;
  breaks.assign(1 << 16, 1);
  for (auto [window, offset] : offsets) breaks[window] = isBoundary[offset];
  return true;
}

bool WordSegmenter::append(const uint8_t *text, size_t count, Buffer &out) {
  isAtLineStart = true;
  if (!hasFastPath) return appendByICU(text, count, out);
  for (size_t at = 0; at < count;) {
    size_t other = at + lengthOfASCII(text + at, count - at);
    if (other == count) {
      appendPlain(text, at, count, count, out);
      break;
    }
    // Pass characters other than ASCII to ICU, together with the words that contain them or touch them. No rule looks
    // from ASCII across white space. A combining mark after white space belongs to it, so that white space is passed on
    // as well.
    size_t word = pkm_after_last_white(text, at, other);
    size_t from = word == SIZE_MAX ? at : word - 1;
    appendPlain(text, at, from, count, out);
    size_t to = other;
    while (to < count && !(pkm_is_white(text[to]) && (to + 1 == count || text[to + 1] < 0x80))) to++;
    if (!appendByICU(text + from, to - from, out)) return false;
    at = to;
  }
  return true;
}

void WordSegmenter::appendPlain(const uint8_t *text, size_t from, size_t to, size_t count, Buffer &out) {
  if (from == to) return;
  out.reserve(2 * (to - from));
  uint8_t *end = out.end();
  bool isAfterWhite = false;
  size_t window = classes[text[from]];
  for (size_t i = from; i < to; i++) {
    uint8_t byte = text[i], next = i + 1 < count ? text[i + 1] : uint8_t(' ');
    window = (window << 4 | (next < 0x80 ? classes[next] : 0)) & 0xffff;
    if (pkm_is_white(byte)) {
      isAfterWhite = true;
      if (byte == '\n') {
        *end++ = '\n';
        isAtLineStart = true;
      }
      continue;
    }
    *end = ' ';
    end += (isAfterWhite | breaks[window]) & !isAtLineStart;
    *end++ = byte;
    isAfterWhite = isAtLineStart = false;
  }
  out.size = size_t(end - out.start);
}

bool WordSegmenter::appendByICU(const uint8_t *text, size_t count, Buffer &out) {
  return boundaries.forEachSegment(text, count, [&](size_t from, size_t to) {
    Range word = trimmed(text, from, to);
    if (word.from < word.to) {
      appendWord(text + word.from, word.to - word.from, out);
    } else if (memchr(text + from, '\n', to - from)) {
      out.append("\n", 1);
      isAtLineStart = true;
    }
  });
}

void WordSegmenter::appendWord(const uint8_t *word, size_t count, Buffer &out) {
  if (!isAtLineStart) out.append(" ", 1);
  out.append(word, count);
  isAtLineStart = false;
}

// MARK: Sentences

SentenceSegmenter::SentenceSegmenter(const icu::Locale &locale, bool hasFastPath, UErrorCode &error)
    : boundaries(create(icu::BreakIterator::createSentenceInstance, locale, error)), hasFastPath(hasFastPath) {
  if (U_FAILURE(error) || !hasFastPath) return;
  Boundaries plain(create(icu::BreakIterator::createSentenceInstance, icu::Locale(locale.getBaseName()), error));
  if (U_FAILURE(error)) return;
  for (uint8_t c = 0; c < 0x80; c++) {
    const uint8_t question[] = {'A', c, ' ', 'B'};
    bool isKnown = plain.forEachSegment(question, 4, [&](size_t, size_t to) { isTerminator[c] |= to < 4; });
    if (!isKnown) isTerminator[c] = true;
  }
}

bool SentenceSegmenter::append(const uint8_t *text, size_t count, Buffer &out) {
  for (size_t at = 0, end; at < count; at = end + 1) {
    auto lineFeed = static_cast<const uint8_t *>(memchr(text + at, '\n', count - at));
    end = lineFeed ? size_t(lineFeed - text) : count;
    bool isOneSentence = hasFastPath;
    for (size_t i = at; i < end && isOneSentence; i++) isOneSentence = text[i] < 0x80 && !isTerminator[text[i]];
    if (isOneSentence) {
      Range sentence = trimmed(text, at, end);
      out.append(text + sentence.from, sentence.to - sentence.from);
    } else {
      bool isFirst = true;
      auto append = [&](size_t from, size_t to) {
        Range sentence = trimmed(text, at + from, at + to);
        if (sentence.from == sentence.to) return;
        if (!isFirst) out.append("\n", 1);
        out.append(text + sentence.from, sentence.to - sentence.from);
        isFirst = false;
      };
      if (!boundaries.forEachSegment(text + at, end - at, append)) return false;
    }
    if (lineFeed) out.append("\n", 1);
  }
  return true;
}

}  // namespace pkm
