// The text that a transliterator changes.
#pragma once

#include <unicode/rep.h>
#include <unicode/unistr.h>
#include <unicode/utf16.h>

#include <algorithm>
#include <string>
#include <vector>

namespace pkm {

// UTF-16 with a gap where it was changed last.
//
// A transliterator replaces a few characters at a time, from the beginning to the end. A plain string would move all that
// follows at each of them, which takes time with the square of the length; here only what lies between two changes moves.
// ICU builds replacements that repeat a part of the match at the end of the text, and moves them from there: what is behind
// the end is a string of its own, so that the gap stays where it is.
class GapText : public icu::Replaceable {
 public:
  explicit GapText(const icu::UnicodeString &text)
      : units(text.getBuffer(), text.getBuffer() + text.length()), gap(units.size()) {}

  void appendUTF8(std::string &result) {
    joinEnd();
    closeGap();
    icu::UnicodeString(false, units.data(), int32_t(units.size())).toUTF8String(result);
  }

  void extractBetween(int32_t start, int32_t limit, icu::UnicodeString &target) const override {
    target.remove();
    const int32_t length = bodyLength(), last = std::min(limit, length);
    if (start < last) {
      const int32_t border = std::clamp(int32_t(gap), start, last);
      target.append(units.data() + start, border - start);
      target.append(units.data() + border + gapLength, last - border);
    }
    const int32_t first = std::max(start, length);
    if (first < limit) target.append(end.data() + (first - length), limit - first);
  }

  void handleReplaceBetween(int32_t start, int32_t limit, const icu::UnicodeString &text) override {
    const size_t length = size_t(text.length());
    if (start >= bodyLength()) {
      end.replace(size_t(start - bodyLength()), size_t(limit - start), text.getBuffer(), length);
      return;
    }
    if (limit > bodyLength()) joinEnd();
    moveGap(size_t(start));
    gapLength += size_t(limit - start);
    if (gapLength < length) grow(length);
    std::copy_n(text.getBuffer(), length, units.begin() + gap);
    gap += length;
    gapLength -= length;
  }

  void copy(int32_t start, int32_t limit, int32_t destination) override {
    icu::UnicodeString text;
    extractBetween(start, limit, text);
    handleReplaceBetween(destination, destination, text);
  }

  UBool hasMetaData() const override { return false; }

 protected:
  int32_t getLength() const override { return bodyLength() + int32_t(end.size()); }

  char16_t getCharAt(int32_t offset) const override {
    if (offset < 0 || offset >= getLength()) return 0xffff;
    if (offset >= bodyLength()) return end[size_t(offset - bodyLength())];
    return units[size_t(offset) < gap ? size_t(offset) : size_t(offset) + gapLength];
  }

  UChar32 getChar32At(int32_t offset) const override {
    const char16_t unit = getCharAt(offset);
    if (U16_IS_LEAD(unit) && offset + 1 < getLength()) {
      const char16_t next = getCharAt(offset + 1);
      if (U16_IS_TRAIL(next)) return U16_GET_SUPPLEMENTARY(unit, next);
    } else if (U16_IS_TRAIL(unit) && offset > 0) {
      const char16_t before = getCharAt(offset - 1);
      if (U16_IS_LEAD(before)) return U16_GET_SUPPLEMENTARY(before, unit);
    }
    return unit;
  }

 private:
  std::vector<char16_t> units;
  // The gap begins before the unit `gap` of the text.
  size_t gap;
  size_t gapLength = 0;
  // What follows the units.
  std::u16string end;

  int32_t bodyLength() const { return int32_t(units.size() - gapLength); }

  void joinEnd() {
    if (end.empty()) return;
    moveGap(size_t(bodyLength()));
    if (gapLength < end.size()) grow(end.size());
    std::copy(end.begin(), end.end(), units.begin() + gap);
    gap += end.size();
    gapLength -= end.size();
    end.clear();
  }

  void moveGap(size_t to) {
    const auto begin = units.begin();
    if (to < gap) {
      std::copy_backward(begin + to, begin + gap, begin + gap + gapLength);
    } else {
      std::copy(begin + gap + gapLength, begin + to + gapLength, begin + gap);
    }
    gap = to;
  }

  // Widens the gap to hold `length` units, and an eighth of the text more.
  void grow(size_t length) {
    const size_t more = length - gapLength + units.size() / 8 + 64;
    units.insert(units.begin() + gap + gapLength, more, 0);
    gapLength += more;
  }

  void closeGap() {
    units.erase(units.begin() + gap, units.begin() + gap + gapLength);
    gap = units.size();
    gapLength = 0;
  }
};

}  // namespace pkm
