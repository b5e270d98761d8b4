// Collapses folded text to the comparison key, one vector at a time.
#include <cstring>

#include "CICU.h"
#include "vectors.h"

using pkm::Vector;

extern "C" MULTIVERSIONED
size_t pkm_comparison_collapse(const uint8_t *folded, size_t count, uint8_t *out) {
  uint8_t *start = out;
  // Spaces before the first word are dropped as well.
  uint64_t wasSpace = 1;
  for (size_t at = 0; at < count; at += 64) {
    size_t left = count - at;
    Vector bytes;
    memcpy(&bytes, folded + at, sizeof bytes);
    uint64_t spaces = BITS(bytes == ' ');
    uint64_t keep = ~(spaces & (spaces << 1 | wasSpace));
    wasSpace = spaces >> 63;
    if (left < 64) {
      keep &= (uint64_t(1) << left) - 1;
    } else if (keep == ~uint64_t(0)) {
      memcpy(out, &bytes, sizeof bytes);
      out += 64;
      continue;
    }
    // Copy runs of kept bytes. Each store also writes the bytes that follow the run.
    while (keep) {
      size_t from = size_t(__builtin_ctzll(keep));
      uint64_t rest = ~(keep >> from);
      size_t length = rest ? size_t(__builtin_ctzll(rest)) : 64;
      memcpy(out, folded + at + from, 64);
      out += length;
      if (from + length >= 64) break;
      keep &= ~uint64_t(0) << (from + length);
    }
  }
  if (out > start && out[-1] == ' ') out--;
  return size_t(out - start);
}
