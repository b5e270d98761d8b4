// Loops over bytes that need no Unicode tables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace pkm {

inline bool isWhite(uint8_t byte) { return byte == 0x20 || uint8_t(byte - 9) < 5; }

// A growing array of bytes, followed by free space so that whole vectors can be stored at its end.
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

  // Reserves space for `extra` bytes and the slack.
  void reserve(size_t extra) {
    if (size + extra + slack <= capacity) return;
    capacity = (size + extra + slack) * 3 / 2;
    start = static_cast<uint8_t *>(realloc(start, capacity));
    if (!start) abort();
  }

  // Empties the buffer. The memory of an unusually long text is freed.
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
  // 0xff or 0: whether to stop at control characters, and whether to change A-Z to lower case.
  uint8_t stopAtControls, lower;
  // Stop at this many capitals from I on: in Turkish the lower case of I is not i.
  uint8_t capitals;
};

// Copies ASCII up to the first byte that needs other treatment, and returns the number of bytes copied. May write up to
// 64 bytes more.
size_t copyPlain(const uint8_t *in, size_t count, uint8_t *out, CopyRules rules);

// Returns the start of the last run without ASCII white space: the position after the last white space in
// bytes[from..<to], or SIZE_MAX if there is none.
size_t afterLastWhite(const uint8_t *bytes, size_t from, size_t to);

// Collapses white space in place and returns the new length. A run of white space becomes a space, or one line end if
// it contains one, or two line ends if it contains more; at both ends of the text it is removed. With `isLines` every
// LF is kept, other line ends become spaces, and each line is trimmed. Reads up to 64 bytes after the text.
size_t collapse(uint8_t *text, size_t count, bool isLines);

}  // namespace pkm
