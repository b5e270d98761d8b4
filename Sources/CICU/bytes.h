// Loops over bytes that need no knowledge of Unicode.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace pkm {

inline bool isWhite(uint8_t byte) { return byte == 0x20 || uint8_t(byte - 9) < 5; }

// Bytes that grow, with room behind them for whole-vector stores.
class Buffer {
 public:
  static constexpr size_t slack = 64;

  ~Buffer() { free(start); }
  Buffer() = default;
  Buffer(const Buffer &) = delete;
  Buffer &operator=(const Buffer &) = delete;

  uint8_t *start = nullptr;
  size_t size = 0;

  uint8_t *end() { return start + size; }

  // Makes room for `extra` bytes and the slack.
  void reserve(size_t extra) {
    if (size + extra + slack <= capacity) return;
    capacity = (size + extra + slack) * 3 / 2;
    start = static_cast<uint8_t *>(realloc(start, capacity));
    if (!start) abort();
  }

  // Empty again; memory for an unusually long text is given back.
  void clear() {
    size = 0;
    if (capacity <= size_t(16) << 20) return;
    free(start);
    start = nullptr;
    capacity = 0;
  }

  void append(const void *bytes, size_t count) {
    reserve(count);
    memcpy(end(), bytes, count);
    size += count;
  }

 private:
  size_t capacity = 0;
};

struct CopyRules {
  // 0xff or 0: stop at control characters; make A-Z small.
  uint8_t stopAtControls, lower;
  // Stop at so many capitals from I on: I is no i in Turkish.
  uint8_t capitals;
};

// Copies ASCII up to the first byte that needs attention and returns how many bytes that were. Writes up to 64 bytes
// more than it returns.
size_t copyPlain(const uint8_t *in, size_t count, uint8_t *out, CopyRules rules);

// Where the last run of text without ASCII white space begins: the position after the last white space of
// bytes[from..<to], or SIZE_MAX where there is none.
size_t afterLastWhite(const uint8_t *bytes, size_t from, size_t to);

// Collapses white space in place and returns the new length. A run of white space becomes a space, a line end where it
// holds one, two line ends where it holds more; at both ends of the text it goes. With `isLines` every LF stays,
// other line ends are spaces, and each line is trimmed. Up to 64 bytes behind the text are read.
size_t collapse(uint8_t *text, size_t count, bool isLines);

}  // namespace pkm
