#include "bytes.h"

#include "CICU.h"
#include "vectors.h"

namespace pkm {

MULTIVERSIONED
size_t copyPlain(const uint8_t *in, size_t count, uint8_t *out, CopyRules rules) {
  for (size_t i = 0; i < count; i += sizeof(Vector)) {
    const uint8_t *from = in + i;
    uint8_t tail[sizeof(Vector)];
    if (count - i < sizeof tail) {
      memset(tail, ' ', sizeof tail);
      memcpy(tail, from, count - i);
      from = tail;
    }
    Vector bytes;
    memcpy(&bytes, from, sizeof bytes);
    auto isControl = ((bytes < 0x20) & (bytes - 9 > 4)) | (bytes == 0x7f);
    auto stop = (bytes > 0x7f) | (isControl & (Vector(0) != rules.stopAtControls)) |
                ((Vector)(bytes - 'I') < Vector(rules.capitals));
    uint64_t stops = BITS(stop);
    Vector isCapital = (Vector)(bytes - 'A' < 26);
    bytes |= isCapital & (uint8_t)(rules.lower & 0x20);
    memcpy(out + i, &bytes, sizeof bytes);
    if (stops) return i + size_t(__builtin_ctzll(stops));
  }
  return count;
}

MULTIVERSIONED
size_t afterLastWhite(const uint8_t *bytes, size_t from, size_t to) {
  // Most ranges are short, so the vector may begin before the range.
  while (to > from && to >= sizeof(Vector)) {
    Vector block;
    memcpy(&block, bytes + to - sizeof block, sizeof block);
    uint64_t whites = BITS((block == 0x20) | (block - 9 < 5));
    if (to - from < sizeof block) whites &= ~uint64_t(0) << (sizeof block - (to - from));
    if (whites) return to - size_t(__builtin_clzll(whites));
    if (to - from <= sizeof block) return SIZE_MAX;
    to -= sizeof block;
  }
  for (; to > from; to--) {
    if (isWhite(bytes[to - 1])) return to;
  }
  return SIZE_MAX;
}

MULTIVERSIONED
size_t collapse(uint8_t *text, size_t count, bool isLines) {
  size_t from = 0, to = 0;
  bool isAtStart = true;
  while (true) {
    // A run of white space begins at `from`, or the text does.
    size_t lineEnds = 0;
    size_t runStart = from;
    while (from < count && isWhite(text[from])) {
      uint8_t byte = text[from++];
      if (byte == '\n') {
        lineEnds++;
      } else if (!isLines && byte >= 0x0b && byte <= 0x0d) {
        // CRLF counts as one line end.
        if (!(byte == '\r' && from < count && text[from] == '\n')) lineEnds++;
      }
    }
    if (isLines) {
      for (size_t i = 0; i < lineEnds; i++) text[to++] = '\n';
      if (lineEnds == 0 && from > runStart && !isAtStart) text[to++] = ' ';
    } else if (from > runStart && !isAtStart) {
      text[to++] = lineEnds == 0 ? ' ' : '\n';
      if (lineEnds > 1) text[to++] = '\n';
    }
    isAtStart = false;
    // Copy up to white space that follows white space, or that is neither a space nor a line feed. The text at `from`
    // is not white space.
    bool hasRun = false;
    uint64_t wasWhite = 0, wasLineEnd = 0;
    while (from < count) {
      Vector bytes;
      memcpy(&bytes, text + from, sizeof bytes);
      uint64_t lineEnds = BITS(bytes == 0x0a);
      uint64_t plain = lineEnds | BITS(bytes == 0x20);
      uint64_t whites = plain | BITS(bytes - 9 < 5);
      uint64_t doubles = whites & (whites << 1 | wasWhite);
      if (isLines) doubles &= ~(lineEnds & (lineEnds << 1 | wasLineEnd));
      uint64_t stops = doubles | (whites & ~plain);
      size_t left = count - from;
      if (left < 64) stops |= ~uint64_t(0) << left;
      if (!stops) {
        if (to < from) memcpy(text + to, &bytes, sizeof bytes);
        from += 64;
        to += 64;
        wasWhite = whites >> 63;
        wasLineEnd = lineEnds >> 63;
        continue;
      }
      size_t length = size_t(__builtin_ctzll(stops));
      if (to < from) memmove(text + to, text + from, length);
      from += length;
      to += length;
      // The run may have begun earlier, in bytes that were already copied.
      hasRun = from < count;
      break;
    }
    if (!hasRun) break;
    while (from > 0 && to > 0 && isWhite(text[to - 1])) {
      from--;
      to--;
      text[from] = text[to];
    }
    isAtStart = to == 0;
  }
  if (isLines) {
    if (to > 0 && text[to - 1] == ' ') to--;
  } else {
    while (to > 0 && isWhite(text[to - 1])) to--;
  }
  return to;
}

}  // namespace pkm

using pkm::Vector;

MULTIVERSIONED
size_t pkm_bytes_count(const uint8_t *bytes, size_t length, uint8_t byte) {
  size_t total = 0, from = 0;
  while (length - from >= sizeof(Vector)) {
    // A lane is one byte, so it can count to 255.
    size_t vectors = (length - from) / sizeof(Vector);
    if (vectors > 255) vectors = 255;
    Vector counts = 0;
    for (; vectors > 0; vectors--, from += sizeof(Vector)) {
      Vector block;
      memcpy(&block, bytes + from, sizeof block);
      counts -= (Vector)(block == byte);
    }
    for (size_t lane = 0; lane < sizeof(Vector); lane++) total += counts[lane];
  }
  for (; from < length; from++) total += bytes[from] == byte;
  return total;
}

MULTIVERSIONED
size_t pkm_bytes_lines(const uint8_t *bytes, size_t length, pkm_byte_range *lines) {
  size_t start = 0, count = 0, at = 0;
  for (; length - at >= sizeof(Vector); at += sizeof(Vector)) {
    Vector block;
    memcpy(&block, bytes + at, sizeof block);
    uint64_t ends = BITS(block == '\n');
    // The number of line ends in 64 bytes is hard to predict, so two lines are always written, but counted only if they
    // exist.
    for (int i = 0; i < 2; i++, ends &= ends - 1) {
      size_t end = at + size_t(__builtin_ctzll(ends | uint64_t(1) << 63));
      lines[count] = {start, end - (bytes[end - (end > start)] == '\r')};
      count += ends != 0;
      start = ends ? end + 1 : start;
    }
    for (; ends; ends &= ends - 1) {
      size_t end = at + size_t(__builtin_ctzll(ends));
      lines[count++] = {start, end - (end > start && bytes[end - 1] == '\r')};
      start = end + 1;
    }
  }
  for (; at < length; at++) {
    if (bytes[at] != '\n') continue;
    lines[count++] = {start, at - (at > start && bytes[at - 1] == '\r')};
    start = at + 1;
  }
  if (start < length) lines[count++] = {start, length};
  return count;
}
