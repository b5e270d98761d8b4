// The buffer that the normalizer fills.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace pkm {

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

}  // namespace pkm
