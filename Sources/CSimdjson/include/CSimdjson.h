// JSON lines and UTF-8 validation with simdjson. Plain C: the library's header is included only by the implementation.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  PKM_JSON_OK = 0,
  /// The line is not exactly one JSON object.
  PKM_JSON_BROKEN = 1,
  /// The object has no such field.
  PKM_JSON_MISSING = 2,
  /// The field exists but is not a string.
  PKM_JSON_NOT_TEXT = 3,
};

typedef struct {
  /// The decoded string, in the library's memory: valid until the next call on the same thread.
  const char *text;
  size_t length;
  /// The position of the string in the line, including its quotes.
  size_t start, end;
  /// The number of lone escaped surrogates such as \ud800, decoded as U+FFFD.
  size_t lone_surrogates;
} pkm_json_text;

/// The number of bytes that must be readable after every line given to the functions below.
size_t pkm_json_padding(void);

/// Finds the string at `path` in the object `line`: the last field of that name or, if there is none, names joined by dots.
/// The whole line is validated. If the line is broken, `message` is set to a constant string.
int pkm_json_find_text(
    const char *line, size_t length, const char *path, pkm_json_text *result, const char **message);

bool pkm_json_is_object(const char *line, size_t length);

/// Frees the buffers of this thread, which are as large as its longest line so far.
void pkm_json_free_buffers(void);

bool pkm_utf8_is_valid(const char *bytes, size_t length);

#ifdef __cplusplus
}
#endif
