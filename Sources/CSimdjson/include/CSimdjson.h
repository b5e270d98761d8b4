// JSON lines and UTF-8 checks through simdjson. Plain C: the header of the library stays behind this door.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  PKM_JSON_OK = 0,
  /// Not one whole JSON object.
  PKM_JSON_BROKEN = 1,
  /// The object has no such field.
  PKM_JSON_MISSING = 2,
  /// The field is there and holds no string.
  PKM_JSON_NOT_TEXT = 3,
};

typedef struct {
  /// The decoded string, in memory of the library: valid until the next call on the same thread.
  const char *text;
  size_t length;
  /// Where the string stands in the line, its quotes included.
  size_t start, end;
  /// Escapes such as \ud800 without their other half, decoded as U+FFFD.
  size_t lone_surrogates;
} pkm_json_text;

/// Bytes that must be readable behind every line given to the functions below.
size_t pkm_json_padding(void);

/// Finds the string at `path` in the object that is `line`: the field of that name or, where there is none, names joined
/// by dots. The whole line is validated.
/// `message` is set to a constant string when the line is broken.
int pkm_json_find_text(
    const char *line, size_t length, const char *path, pkm_json_text *result, const char **message);

bool pkm_json_is_object(const char *line, size_t length);

/// Gives back the memory that the thread keeps for lines of the length of those before.
void pkm_json_forget(void);

bool pkm_utf8_is_valid(const char *bytes, size_t length);

#ifdef __cplusplus
}
#endif
