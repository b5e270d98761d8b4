// Words, as Words.swift defines them: maximal runs of bytes other than ASCII white space.
#include "CBytes.h"
#include "blocks.h"

// A word begins at a byte other than white space that follows white space or the start of the text. One bit per byte,
// 64 bytes at a time.
MULTIVERSIONED
size_t pkm_count_words(const uint8_t *bytes, size_t count) {
  size_t words = 0;
  uint64_t before = 1;
  for (size_t start = 0; start < count; start += 64) {
    size_t length = count - start < 64 ? count - start : 64;
    Block block = ' ';  // Padding must not begin a word.
    if (length == 64) {
      memcpy(&block, bytes + start, 64);
    } else {
      memcpy(&block, bytes + start, length);
    }
    uint64_t spaces = BITS((block == ' ') | ((Block)(block - 9) < 5));
    words += (size_t)__builtin_popcountll(~spaces & (spaces << 1 | before));
    before = spaces >> 63;
  }
  return words;
}
