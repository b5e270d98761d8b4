// Escapes JSON strings: control characters, the quote and the backslash, nothing else.
#include "CBytes.h"
#include "blocks.h"

static inline uint8_t *escape(uint8_t byte, uint8_t *out) {
  *out++ = '\\';
  switch (byte) {
    case '"': case '\\': *out++ = byte; return out;
    case '\n': *out++ = 'n'; return out;
    case '\r': *out++ = 'r'; return out;
    case '\t': *out++ = 't'; return out;
  }
  memcpy(out, "u00", 3);
  out[3] = "01"[byte >> 4];
  out[4] = "0123456789abcdef"[byte & 15];
  return out + 5;
}

// Copies 64 bytes at once; the bytes behind the first one that needs an escape are copied again in the next round.
MULTIVERSIONED
size_t pkm_json_escape(const uint8_t *text, size_t count, uint8_t *out) {
  uint8_t *start = out;
  for (size_t at = 0; at < count;) {
    size_t length = count - at < 64 ? count - at : 64;
    Block block = ' ';
    if (length == 64) {
      memcpy(&block, text + at, 64);
    } else {
      memcpy(&block, text + at, length);
    }
    memcpy(out, &block, 64);
    uint64_t found = BITS((block < 0x20) | (block == '"') | (block == '\\'));
    if (found == 0) {
      at += length;
      out += length;
      continue;
    }
    size_t plain = (size_t)__builtin_ctzll(found);
    at += plain;
    out = escape(text[at++], out + plain);
  }
  return (size_t)(out - start);
}
