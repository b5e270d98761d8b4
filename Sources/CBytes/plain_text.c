// Copies and tidies text that needs no Unicode tables: ASCII, and white space in any UTF-8.
#include "CBytes.h"
#include "blocks.h"

MULTIVERSIONED
size_t pkm_copy_plain(const uint8_t *in, size_t count, uint8_t *out, pkm_copy_rules rules) {
  for (size_t i = 0; i < count; i += sizeof(Block)) {
    const uint8_t *from = in + i;
    uint8_t tail[sizeof(Block)];
    if (count - i < sizeof tail) {
      memset(tail, ' ', sizeof tail);
      memcpy(tail, from, count - i);
      from = tail;
    }
    Block bytes;
    memcpy(&bytes, from, sizeof bytes);
    Block is_control = (Block)(((bytes < 0x20) & ((Block)(bytes - 9) > 4)) | (bytes == 0x7f));
    Block stop = (Block)(bytes > 0x7f) | (is_control & (Block)rules.stop_at_controls) |
                 (Block)((Block)(bytes - 'I') < (Block)rules.capitals);
    uint64_t stops = BITS(stop);
    Block is_capital = (Block)((Block)(bytes - 'A') < 26);
    bytes |= is_capital & (Block)(uint8_t)(rules.lower & 0x20);
    memcpy(out + i, &bytes, sizeof bytes);
    if (stops) return i + (size_t)__builtin_ctzll(stops);
  }
  return count;
}

MULTIVERSIONED
size_t pkm_after_last_white(const uint8_t *bytes, size_t from, size_t to) {
  // Most ranges are short, so the vector may begin before the range.
  while (to > from && to >= sizeof(Block)) {
    Block block;
    memcpy(&block, bytes + to - sizeof block, sizeof block);
    uint64_t whites = BITS((block == 0x20) | ((Block)(block - 9) < 5));
    if (to - from < sizeof block) whites &= ~(uint64_t)0 << (sizeof block - (to - from));
    if (whites) return to - (size_t)__builtin_clzll(whites);
    if (to - from <= sizeof block) return SIZE_MAX;
    to -= sizeof block;
  }
  for (; to > from; to--) {
    if (pkm_is_white(bytes[to - 1])) return to;
  }
  return SIZE_MAX;
}

MULTIVERSIONED
size_t pkm_collapse_white(uint8_t *text, size_t count, bool is_lines) {
  size_t from = 0, to = 0;
  bool is_at_start = true;
  while (true) {
    // A run of white space begins at `from`, or the text does.
    size_t line_ends = 0;
    size_t run_start = from;
    while (from < count && pkm_is_white(text[from])) {
      uint8_t byte = text[from++];
      if (byte == '\n') {
        line_ends++;
      } else if (!is_lines && byte >= 0x0b && byte <= 0x0d) {
        // CRLF counts as one line end.
        if (!(byte == '\r' && from < count && text[from] == '\n')) line_ends++;
      }
    }
    if (is_lines) {
      for (size_t i = 0; i < line_ends; i++) text[to++] = '\n';
      if (line_ends == 0 && from > run_start && !is_at_start) text[to++] = ' ';
    } else if (from > run_start && !is_at_start) {
      text[to++] = line_ends == 0 ? ' ' : '\n';
      if (line_ends > 1) text[to++] = '\n';
    }
    is_at_start = false;
    // Copy up to white space that follows white space, or that is neither a space nor a line feed. The text at `from`
    // is not white space.
    bool has_run = false;
    uint64_t was_white = 0, was_line_end = 0;
    while (from < count) {
      Block bytes;
      memcpy(&bytes, text + from, sizeof bytes);
      uint64_t line_ends = BITS(bytes == 0x0a);
      uint64_t plain = line_ends | BITS(bytes == 0x20);
      uint64_t whites = plain | BITS((Block)(bytes - 9) < 5);
      uint64_t doubles = whites & (whites << 1 | was_white);
      if (is_lines) doubles &= ~(line_ends & (line_ends << 1 | was_line_end));
      uint64_t stops = doubles | (whites & ~plain);
      size_t left = count - from;
      if (left < 64) stops |= ~(uint64_t)0 << left;
      if (!stops) {
        if (to < from) memcpy(text + to, &bytes, sizeof bytes);
        from += 64;
        to += 64;
        was_white = whites >> 63;
        was_line_end = line_ends >> 63;
        continue;
      }
      size_t length = (size_t)__builtin_ctzll(stops);
      if (to < from) memmove(text + to, text + from, length);
      from += length;
      to += length;
      // The run may have begun earlier, in bytes that were already copied.
      has_run = from < count;
      break;
    }
    if (!has_run) break;
    while (from > 0 && to > 0 && pkm_is_white(text[to - 1])) {
      from--;
      to--;
      text[from] = text[to];
    }
    is_at_start = to == 0;
  }
  if (is_lines) {
    if (to > 0 && text[to - 1] == ' ') to--;
  } else {
    while (to > 0 && pkm_is_white(text[to - 1])) to--;
  }
  return to;
}
