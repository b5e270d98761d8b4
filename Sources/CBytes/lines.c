// Counts bytes and finds lines.
#include "CBytes.h"
#include "blocks.h"

MULTIVERSIONED
size_t pkm_bytes_count(const uint8_t *bytes, size_t length, uint8_t byte) {
  size_t total = 0, from = 0;
  while (length - from >= sizeof(Block)) {
    // A lane is one byte, so it can count to 255.
    size_t blocks = (length - from) / sizeof(Block);
    if (blocks > 255) blocks = 255;
    Block counts = 0;
    for (; blocks > 0; blocks--, from += sizeof(Block)) {
      Block block;
      memcpy(&block, bytes + from, sizeof block);
      counts -= (Block)(block == byte);
    }
    for (size_t lane = 0; lane < sizeof(Block); lane++) total += counts[lane];
  }
  for (; from < length; from++) total += bytes[from] == byte;
  return total;
}

MULTIVERSIONED
size_t pkm_bytes_lines(const uint8_t *bytes, size_t length, pkm_byte_range *lines) {
  size_t start = 0, count = 0, at = 0;
  for (; length - at >= sizeof(Block); at += sizeof(Block)) {
    Block block;
    memcpy(&block, bytes + at, sizeof block);
    uint64_t ends = BITS(block == '\n');
    // The number of line ends in 64 bytes is hard to predict, so two lines are always written, but counted only if they
    // exist.
    for (int i = 0; i < 2; i++, ends &= ends - 1) {
      size_t end = at + (size_t)__builtin_ctzll(ends | (uint64_t)1 << 63);
      lines[count] = (pkm_byte_range){start, end - (bytes[end - (end > start)] == '\r')};
      count += ends != 0;
      start = ends ? end + 1 : start;
    }
    for (; ends; ends &= ends - 1) {
      size_t end = at + (size_t)__builtin_ctzll(ends);
      lines[count++] = (pkm_byte_range){start, end - (end > start && bytes[end - 1] == '\r')};
      start = end + 1;
    }
  }
  for (; at < length; at++) {
    if (bytes[at] != '\n') continue;
    lines[count++] = (pkm_byte_range){start, at - (at > start && bytes[at - 1] == '\r')};
    start = at + 1;
  }
  if (start < length) lines[count++] = (pkm_byte_range){start, length};
  return count;
}
