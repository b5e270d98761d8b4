#include "bytes.h"

#include "CICU.h"

#if defined(__x86_64__)
#define MULTIVERSIONED __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define MULTIVERSIONED
#endif

namespace pkm {

namespace {

typedef uint8_t Vector __attribute__((ext_vector_type(32)));
typedef bool Flags __attribute__((ext_vector_type(32)));

inline __attribute__((always_inline)) void load(const uint8_t *bytes, Vector &vector) {
  memcpy(&vector, bytes, sizeof(Vector));
}

// One bit a lane, the first lane lowest.
#define BITS(lanes)                                          \
  ({                                                         \
    Flags flags = __builtin_convertvector((lanes), Flags);   \
    uint32_t bits;                                           \
    memcpy(&bits, &flags, sizeof bits);                      \
    bits;                                                    \
  })

}  // namespace

MULTIVERSIONED
size_t copyPlain(const uint8_t *in, size_t count, uint8_t *out, CopyRules rules) {
  for (size_t i = 0; i < count; i += 32) {
    const uint8_t *from = in + i;
    uint8_t tail[32];
    if (count - i < 32) {
      memset(tail, ' ', sizeof tail);
      memcpy(tail, from, count - i);
      from = tail;
    }
    Vector bytes;
    load(from, bytes);
    auto isControl = ((bytes < 0x20) & (bytes - 9 > 4)) | (bytes == 0x7f);
    auto stop = (bytes > 0x7f) | (isControl & (Vector(0) != rules.stopAtControls)) |
                ((Vector)(bytes - 'I') < Vector(rules.capitals));
    uint32_t stops = BITS(stop);
    Vector isCapital = (Vector)(bytes - 'A' < 26);
    bytes |= isCapital & (uint8_t)(rules.lower & 0x20);
    memcpy(out + i, &bytes, sizeof bytes);
    if (stops) return i + size_t(__builtin_ctz(stops));
  }
  return count;
}

MULTIVERSIONED
size_t afterLastWhite(const uint8_t *bytes, size_t from, size_t to) {
  while (to >= from + 32) {
    Vector block;
    load(bytes + to - 32, block);
    uint32_t whites = BITS((block == 0x20) | (block - 9 < 5));
    if (whites) return to - size_t(__builtin_clz(whites));
    to -= 32;
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
        // CR before LF is counted with the LF.
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
    // Copy until white space follows white space, or is none of the two plain kinds.
    bool hasRun = false;
    while (from < count) {
      uint32_t stops;
      if (from > 0 && count - from >= 32) {
        Vector bytes, before;
        load(text + from, bytes);
        load(text + from - 1, before);
        auto isWhite = (bytes == 0x20) | (bytes - 9 < 5);
        auto wasWhite = (before == 0x20) | (before - 9 < 5);
        auto isLineEnd = bytes == 0x0a;
        auto isOther = isWhite & (bytes != 0x20) & ~isLineEnd;
        auto lines = isLineEnd & (before == 0x0a) & (Vector(0) != uint8_t(isLines));
        stops = BITS(isOther | (isWhite & wasWhite & ~lines));
        if (!stops) {
          memmove(text + to, &bytes, 32);
          from += 32;
          to += 32;
          continue;
        }
      } else {
        uint8_t byte = text[from];
        bool isOther = isWhite(byte) && byte != ' ' && byte != '\n';
        bool isDouble = from > 0 && isWhite(byte) && isWhite(text[from - 1]) &&
                        !(isLines && byte == '\n' && text[from - 1] == '\n');
        stops = isOther || isDouble;
        if (!stops) {
          text[to++] = byte;
          from++;
          continue;
        }
      }
      size_t plain = size_t(__builtin_ctz(stops));
      memmove(text + to, text + from, plain);
      from += plain;
      to += plain;
      // The run may have begun one byte earlier, with a byte already copied.
      hasRun = true;
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

using pkm::Flags;
using pkm::Vector;

MULTIVERSIONED
size_t pkm_bytes_count(const uint8_t *bytes, size_t length, uint8_t byte) {
  size_t total = 0, from = 0;
  while (length - from >= sizeof(Vector)) {
    // Counted in bytes, at most 255 to a lane.
    size_t vectors = (length - from) / sizeof(Vector);
    if (vectors > 255) vectors = 255;
    Vector counts = 0;
    for (; vectors > 0; vectors--, from += sizeof(Vector)) {
      Vector block;
      pkm::load(bytes + from, block);
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
    pkm::load(bytes + at, block);
    for (uint32_t ends = BITS(block == '\n'); ends; ends &= ends - 1) {
      size_t end = at + size_t(__builtin_ctz(ends));
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
