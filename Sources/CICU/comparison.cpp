// Folds text to the comparison key: its words without case, accents, width, punctuation and the values of digits, unless
// some of these are kept. Each character by a table, and the marks that belong to letters.
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/uscript.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include <CBytes.h>
#include <blocks.h>

#include <atomic>
#include <cstdlib>
#include <cstring>

#include "CICU.h"
#include "accents.h"

namespace {

// The folded form of each code point, filled when the code point first occurs (any thread computes the same value): up
// to seven bytes of UTF-8, the first in the lowest byte, and flags with their number in the highest byte. Pages of
// characters that never occur are never touched. There is a table for each choice of what is kept.
//
// The entry of a mark holds its UTF-8 in four bytes, then `isSpacing` and `standsAlone`, then its combining class. A
// long form stands elsewhere: its entry holds the address (of 48 bits), or 0 for what is computed each time.
constexpr uint64_t known = 0x80, isLong = 0x40, keepsMarks = 0x20, isMark = 0x10, endsInMark = 0x08, lengthMask = 0x07;
constexpr uint64_t isSpacing = 1, standsAlone = 2, isIotaBelow = 4;
typedef std::atomic<uint64_t> Entry;
constexpr size_t codePoints = 0x110000, choices = 8;
Entry plainTable[codePoints];
std::atomic<Entry *> tables[choices] = {plainTable};

// More than seven bytes, such as `が`, or several marks: the entries of the marks at its beginning, which belong to the
// letter before it (as of the Thai vowel am and the Bengali vowel o), and the text that follows.
struct LongForm {
  uint64_t marks[4];
  size_t markCount;
  size_t count;
  uint8_t text[48];
};

constexpr uint64_t addressMask = (uint64_t(1) << 48) - 1;

Entry *tableOf(unsigned keep) {
  keep &= choices - 1;
  Entry *table = tables[keep].load(std::memory_order_acquire);
  if (table) return table;
  Entry *fresh = static_cast<Entry *>(calloc(codePoints, sizeof(Entry)));
  if (!fresh) abort();
  if (tables[keep].compare_exchange_strong(table, fresh)) return fresh;
  free(fresh);
  return table;
}

// Scripts that do not separate words: each character counts as a word.
bool isWordOfItself(UChar32 c) {
  if (u_getIntPropertyValue(c, UCHAR_LINE_BREAK) == U_LB_COMPLEX_CONTEXT) return true;
  UErrorCode error = U_ZERO_ERROR;
  switch (uscript_getScript(c, &error)) {
    case USCRIPT_HAN:
    case USCRIPT_HIRAGANA:
    case USCRIPT_KATAKANA: return true;
    default: return false;
  }
}

// Writes folded text, and places marks: those on letters that lose their accents, or on nothing, are dropped; others
// follow their letter in canonical order (UAX #15), so that canonically equivalent texts have the same key.
struct Writer {
  uint8_t *const start;
  uint8_t *out;
  // Whether the last letter keeps its marks.
  bool keeps = false;
  // The combining class of the last mark after it; 255 if it is unknown.
  uint8_t lastClass = 0;

  explicit Writer(uint8_t *out) : start(out), out(out) {}

  void append(const uint8_t *bytes, size_t count) {
    memcpy(out, bytes, count);
    out += count;
  }

  void appendAlone(const uint8_t *bytes, size_t count) {
    *out++ = ' ';
    append(bytes, count);
    *out++ = ' ';
  }

  // Places a mark, of which the entry is given.
  inline __attribute__((always_inline)) void mark(uint64_t entry) {
    size_t count = entry >> 56 & lengthMask;
    if (!count) return;
    uint32_t bytes = uint32_t(entry);
    uint64_t kind = entry >> 32 & 0xff;
    uint8_t markClass = uint8_t(entry >> 40);
    if (!keeps) {
      // The iota below a Greek letter is a letter: folding case writes it so.
      if (kind & isIotaBelow) append(reinterpret_cast<const uint8_t *>("\xce\xb9"), 2);
      // A spacing mark is part of a word by itself, unless it is one that could stand before or after others.
      if (!(kind & isSpacing) || markClass) return;
      if (kind & standsAlone) {
        appendAlone(reinterpret_cast<const uint8_t *>(&bytes), count);
      } else {
        append(reinterpret_cast<const uint8_t *>(&bytes), count);
      }
      return;
    }
    // A letter that is a word takes its marks with it.
    bool isAlone = out > start && out[-1] == ' ';
    if (isAlone) out--;
    uint8_t *place = out;
    if (markClass != 0 && markClass < lastClass) {
      place = placeOf(markClass);
      memmove(place + count, place, size_t(out - place));
    } else {
      lastClass = markClass;
    }
    memcpy(place, &bytes, count);
    out += count;
    if (isAlone) *out++ = ' ';
  }

 private:
  // Where a mark of this class belongs among the last marks. The order of more than 32 marks on one letter, which no
  // writing system needs (UAX #15, section 13), is left as it is.
  uint8_t *placeOf(uint8_t markClass) {
    uint8_t *place = out;
    for (int passed = 0; passed < 32 && place > start; passed++) {
      uint8_t *before = place - 1;
      while (before > start && (*before & 0xc0) == 0x80) before--;
      UChar32 c = 0;
      int32_t at = 0;
      U8_NEXT(before, at, int32_t(place - before), c);
      if (c < 0 || u_getCombiningClass(c) <= markClass) return place;
      place = before;
    }
    return place;
  }
};

uint64_t markEntry(UChar32 mark);

// Writes one character of a compatibility decomposition.
void writePart(UChar32 part, unsigned keep, Writer &writer) {
  uint8_t bytes[4] = {0};
  int32_t count = 0;
  U8_APPEND_UNSAFE(bytes, count, part);
  uint8_t digit = '0';
  switch (u_charType(part)) {
    case U_NON_SPACING_MARK:
    case U_COMBINING_SPACING_MARK: writer.mark(markEntry(part)); break;
    case U_ENCLOSING_MARK:
    case U_FORMAT_CHAR: break;
    case U_DECIMAL_DIGIT_NUMBER:
      if (keep & PKM_KEEP_DIGITS) digit = uint8_t('0' + u_charDigitValue(part));
      writer.append(&digit, 1);
      writer.keeps = false;
      break;
    case U_UPPERCASE_LETTER:
    case U_LOWERCASE_LETTER:
    case U_TITLECASE_LETTER:
    case U_MODIFIER_LETTER:
    case U_OTHER_LETTER:
    case U_LETTER_NUMBER:
    case U_OTHER_NUMBER:
      if (u_hasBinaryProperty(part, UCHAR_DEFAULT_IGNORABLE_CODE_POINT)) break;
      if (isWordOfItself(part)) {
        writer.appendAlone(bytes, size_t(count));
      } else {
        writer.append(bytes, size_t(count));
      }
      writer.keeps = u_isalpha(part) && !pkm::losesAccents(part);
      writer.lastClass = 0;
      break;
    default:
      if (keep & PKM_KEEP_PUNCTUATION && (U_GET_GC_MASK(part) & (U_GC_P_MASK | U_GC_S_MASK))) {
        writer.appendAlone(bytes, size_t(count));
      } else {
        *writer.out++ = ' ';
      }
      writer.keeps = false;
  }
}

// The folding rule for one character: slow, but its result is stored.
icu::UnicodeString decompose(UChar32 c, unsigned keep) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2 *fold = keep & PKM_KEEP_CASE ? icu::Normalizer2::getNFKCInstance(error)
                                                      : icu::Normalizer2::getNFKCCasefoldInstance(error);
  const icu::Normalizer2 *decompose = icu::Normalizer2::getNFKDInstance(error);
  if (U_FAILURE(error)) return icu::UnicodeString();
  return decompose->normalize(fold->normalize(icu::UnicodeString(c), error), error);
}

void writeParts(const icu::UnicodeString &parts, unsigned keep, Writer &writer) {
  for (int32_t i = 0; i < parts.length(); i = parts.moveIndex32(i, 1)) writePart(parts.char32At(i), keep, writer);
}

bool isMarkType(UChar32 c) { return (U_GET_GC_MASK(c) & (U_GC_MN_MASK | U_GC_MC_MASK)) != 0; }

uint64_t markEntry(UChar32 mark) {
  if (u_hasBinaryProperty(mark, UCHAR_DEFAULT_IGNORABLE_CODE_POINT)) return known << 56;
  uint8_t bytes[4] = {0};
  int32_t count = 0;
  U8_APPEND_UNSAFE(bytes, count, mark);
  uint32_t value;
  memcpy(&value, bytes, sizeof value);
  uint64_t kind = u_charType(mark) == U_COMBINING_SPACING_MARK ? isSpacing : 0;
  if (isWordOfItself(mark)) kind |= standsAlone;
  if (mark == 0x345) kind |= isIotaBelow;
  return value | kind << 32 | uint64_t(u_getCombiningClass(mark)) << 40 | (known | isMark | uint64_t(count)) << 56;
}

uint64_t entryOf(UChar32 c, unsigned keep, Entry *table) {
  constexpr UChar32 iotaBelow = 0x345;
  icu::UnicodeString parts = c == iotaBelow ? icu::UnicodeString(c) : decompose(c, keep);
  uint64_t entry = 0;
  LongForm found = {};
  while (found.markCount < 4 && !parts.isEmpty() && isMarkType(parts.char32At(0))) {
    found.marks[found.markCount++] = markEntry(parts.char32At(0));
    parts.remove(0, parts.moveIndex32(0, 1));
  }
  if (found.markCount == 1 && parts.isEmpty()) {
    entry = found.marks[0];
  } else {
    uint8_t text[256];
    Writer writer(text);
    writeParts(parts, keep, writer);
    size_t count = size_t(writer.out - text);
    uint64_t flags = known | (writer.keeps ? keepsMarks : 0);
    if (!parts.isEmpty() && isMarkType(parts.char32At(parts.length() - 1))) flags |= endsInMark;
    if (count <= 7 && !found.markCount) {
      memcpy(&entry, text, count);
      entry |= (flags | count) << 56;
    } else {
      // With marks alone the last letter stays what it was.
      if (!count && found.markCount) flags |= isMark;
      LongForm *form = static_cast<LongForm *>(malloc(sizeof(LongForm)));
      // Never freed: the tables live as long as the program.
      if (form && count <= sizeof form->text && reinterpret_cast<uint64_t>(form) <= addressMask) {
        *form = found;
        form->count = count;
        memcpy(form->text, text, count);
        entry = reinterpret_cast<uint64_t>(form);
      } else {
        free(form);
      }
      entry |= (flags | isLong) << 56;
    }
  }
  table[c].store(entry, std::memory_order_release);
  return entry;
}

// Hangul syllables are decomposed by arithmetic (Unicode Standard, section 3.12): they are many, and their jamo do not
// fit in an entry.
size_t decomposeHangul(UChar32 c, uint8_t *out) {
  int index = c - 0xac00;
  UChar32 jamo[3] = {0x1100 + index / 588, 0x1161 + index % 588 / 28, 0x11a7 + index % 28};
  size_t count = index % 28 ? 3 : 2;
  for (size_t i = 0; i < count; i++) {
    out[3 * i] = uint8_t(0xe0 | jamo[i] >> 12);
    out[3 * i + 1] = uint8_t(0x80 | (jamo[i] >> 6 & 0x3f));
    out[3 * i + 2] = uint8_t(0x80 | (jamo[i] & 0x3f));
  }
  return 3 * count;
}

inline bool isASCIIPunctuation(uint8_t byte) {
  return uint8_t(byte - 0x21) < 0x5e && uint8_t((byte | 0x20) - 'a') >= 26 && uint8_t(byte - '0') >= 10;
}

}  // namespace

extern "C" {

MULTIVERSIONED
size_t pkm_comparison_fold(const uint8_t *text, size_t count, unsigned keep, uint8_t *out) {
  Entry *table = tableOf(keep);
  const uint8_t lower = keep & PKM_KEEP_CASE ? 0 : 0x20, value = keep & PKM_KEEP_DIGITS ? 0x0f : 0;
  const bool keepsPunctuation = keep & PKM_KEEP_PUNCTUATION;
  uint8_t *start = out;
  size_t at = 0;
  while (at < count) {
    size_t left = count - at;
    const uint8_t *from = text + at;
    uint8_t tail[64];
    if (left < 64) {
      memset(tail, ' ', sizeof tail);
      memcpy(tail, from, left);
      from = tail;
    }
    Block bytes;
    memcpy(&bytes, from, sizeof bytes);
    auto letter = (bytes | 0x20) - 'a' < 26;
    auto digit = bytes - '0' < 10;
    uint64_t stops = BITS(bytes > 0x7f);
    if (keepsPunctuation) stops |= BITS(bytes - 0x21 < 0x5e) & ~BITS(letter | digit);
    Block letters = (bytes | lower) & (Block)letter;
    Block digits = ('0' | (bytes & value)) & (Block)digit;
    Block folded = letters | digits | (' ' & (Block) ~(letter | digit));
    memcpy(out, &folded, sizeof folded);
    size_t plain = stops ? size_t(__builtin_ctzll(stops)) : 64;
    if (plain > left) plain = left;
    at += plain;
    out += plain;
    if (!stops || at >= count) continue;
    // Characters other than ASCII, one at a time, and punctuation that is kept. ASCII letters lose their accents, so a
    // mark right at the beginning is dropped.
    Writer writer(out);
    do {
      size_t length;
      UChar32 c = UChar32(pkm_decode_utf8(text + at, &length));
      uint64_t entry = table[c].load(std::memory_order_acquire);
      if (!entry) entry = entryOf(c, keep, table);
      uint64_t flags = entry >> 56;
      if (flags & isLong) {
        if (c >= 0xac00 && c <= 0xd7a3) {
          writer.out += decomposeHangul(c, writer.out);
          writer.keeps = true;
          writer.lastClass = 0;
        } else {
          const LongForm *form = reinterpret_cast<const LongForm *>(entry & addressMask);
          if (!form) {
            writeParts(decompose(c, keep), keep, writer);
          } else {
            for (size_t mark = 0; mark < form->markCount; mark++) writer.mark(form->marks[mark]);
            if (!(flags & isMark)) {
              memcpy(writer.out, form->text, sizeof form->text);
              writer.out += form->count;
              writer.keeps = flags & keepsMarks;
              writer.lastClass = 0;
            }
          }
          if (flags & endsInMark) writer.lastClass = 255;
        }
      } else if (flags & isMark) {
        writer.mark(entry);
      } else if (flags & lengthMask) {
        memcpy(writer.out, &entry, 8);
        writer.out += flags & lengthMask;
        writer.keeps = flags & keepsMarks;
        writer.lastClass = flags & endsInMark ? 255 : 0;
      }
      at += length;
    } while (at < count && (text[at] > 0x7f || (keepsPunctuation && isASCIIPunctuation(text[at]))));
    out = writer.out;
  }
  return size_t(out - start);
}

size_t pkm_comparison_key(const uint8_t *text, size_t count, unsigned keep, uint8_t *scratch, uint8_t *out) {
  size_t length = keep & PKM_KEEP_PUNCTUATION ? SIZE_MAX : pkm_comparison_key_of_ascii(text, count, keep, out);
  if (length != SIZE_MAX) return length;
  return pkm_comparison_collapse(scratch, pkm_comparison_fold(text, count, keep, scratch), out);
}

bool pkm_comparison_is_mark(const uint8_t *character) {
  size_t length;
  return character[0] > 0x7f && isMarkType(UChar32(pkm_decode_utf8(character, &length)));
}

}  // extern "C"
