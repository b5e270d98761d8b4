// The C interface to ICU: a Unicode normalizer with a fast path over bytes, character sets, and comparison keys. Plain
// C, because ICU's headers clash with Foundation.
#pragma once

#include <CBytes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { PKM_FORM_NONE, PKM_FORM_NFC, PKM_FORM_NFD, PKM_FORM_NFKC, PKM_FORM_NFKD } pkm_form;
typedef enum { PKM_CASE_NONE, PKM_CASE_LOWER, PKM_CASE_FOLD } pkm_case;

typedef struct {
  pkm_form form;
  pkm_case letter_case;
  bool strip_accents;
  bool plain_punctuation;
  bool clean_whitespace;
  bool clean_controls;
  /// An ICU transliterator: its name or its rules; NULL for none.
  const char *transform;
  /// The locale for case, words and sentences, by ICU's name: "tr", "en@ss=standard"; "" for the root locale.
  const char *locale;
  /// Put a line end between sentences.
  bool split_sentences;
  /// Put a space between words and punctuation.
  bool tokenize;
  /// If false, all text goes through ICU: a reference for testing the fast path.
  bool has_fast_path;
  /// Asked now and then; true ends the work with a failure. May be NULL.
  bool (*is_interrupted)(void);
} pkm_normalizer_options;

/// Not thread-safe. Use one per thread.
typedef struct pkm_normalizer pkm_normalizer;

/// Returns NULL if ICU rejects the options; `message` then says why.
pkm_normalizer *pkm_normalizer_create(const pkm_normalizer_options *options, char *message, size_t capacity);
void pkm_normalizer_destroy(pkm_normalizer *normalizer);

/// Discards the output so far.
void pkm_normalizer_reset(pkm_normalizer *normalizer);

/// Appends the normalized form of one document of valid UTF-8. With `is_lines` each line is a document, and every LF is
/// kept. Returns false if ICU failed or the work was interrupted. The time is linear in the length, also in that of runs
/// of combining marks.
bool pkm_normalizer_append(pkm_normalizer *normalizer, const uint8_t *text, size_t length, bool is_lines);

typedef struct {
  const uint8_t *bytes;
  size_t length;
  /// The number of control characters and joiners dropped since the reset.
  size_t controls_removed;
  /// The number of code points in the output that are unassigned in this version of Unicode.
  size_t unassigned;
} pkm_normalizer_output;

/// Valid until the next call.
pkm_normalizer_output pkm_normalizer_result(const pkm_normalizer *normalizer);

/// Versions such as "72.1" and "15.0".
const char *pkm_icu_version(void);
const char *pkm_unicode_version(void);

/// Whether the character is assigned in this version of Unicode.
bool pkm_unicode_is_assigned(uint32_t character);

/// Sets `flag` in `classes`, which has one byte per code point (0x110000), for every code point of an ICU set such as
/// `[:L:]` (ASCII, up to 255 characters). Returns false if ICU rejects the pattern.
bool pkm_unicode_add_flag(const char *pattern, uint8_t flag, uint8_t *classes);

/// The lower case of a character by Unicode's simple mapping.
uint32_t pkm_unicode_lower(uint32_t character);

// Regular expressions in ICU's syntax.

/// A compiled expression with the state of one search. Not thread-safe: each thread needs a clone.
typedef struct pkm_pattern pkm_pattern;

/// Returns NULL if ICU rejects the pattern (UTF-8, ends in 0); `message` then says why.
pkm_pattern *pkm_pattern_compile(const char *pattern, char *message, size_t capacity);
pkm_pattern *pkm_pattern_clone(const pkm_pattern *pattern);
void pkm_pattern_destroy(pkm_pattern *pattern);

/// Sets the UTF-16 text to search, which must stay in place. It has fewer than 2^31 units.
bool pkm_pattern_set_text(pkm_pattern *pattern, const uint16_t *units, size_t count);

/// Finds all matches in a range of the text as if the range were the whole text. Points `matches` to the starts and ends
/// in turn, valid until the next call, and returns the number of matches; -1 if ICU runs out of memory.
int32_t pkm_pattern_find(pkm_pattern *pattern, int32_t start, int32_t end, const int32_t **matches);

/// Converts UTF-8 to UTF-16, at most one unit for each byte, and returns the number of units. A byte that is not part of
/// well-formed UTF-8 becomes U+FFFD.
size_t pkm_utf16_from_utf8(const uint8_t *text, size_t count, uint16_t *units);

/// The offsets in the text of ascending offsets in the UTF-16 that pkm_utf16_from_utf8 makes of it.
void pkm_utf8_offsets(const uint8_t *text, size_t count, const int32_t *units, size_t unit_count, size_t *offsets);

// Character sets.

/// A conversion to UTF-8 in progress. Not thread-safe.
typedef struct pkm_charset pkm_charset;

/// NULL if ICU knows no character set of that name.
pkm_charset *pkm_charset_open(const char *name);
void pkm_charset_close(pkm_charset *charset);

/// Converts from `*source`, which is advanced, until the input ends or fewer than 64 characters fit into `out`. Each
/// invalid byte sequence becomes one byte 0xff, which never occurs in UTF-8. Characters may be split between two calls.
/// Returns the number of bytes written.
size_t pkm_charset_convert(pkm_charset *charset, const uint8_t **source, const uint8_t *end, bool is_last, uint8_t *out,
                           size_t capacity);

/// The name that MIME or IANA prefers; NULL for an unknown name.
const char *pkm_charset_name(const char *name);

/// The preferred names of all character sets.
size_t pkm_charset_count(void);
const char *pkm_charset_at(size_t index);

typedef struct {
  const char *name;
  /// 0 to 100.
  int confidence;
} pkm_charset_guess;

/// What ``pkm_charset_detect`` returns if memory runs out.
#define PKM_CHARSET_NO_MEMORY ((size_t)INT64_MAX)

/// Guesses the character set of the bytes, the most probable first. Returns the number of guesses.
size_t pkm_charset_detect(const uint8_t *bytes, size_t length, pkm_charset_guess *guesses, size_t capacity);

// The comparison key, which decides whether two texts count as equal: see ComparisonKey.swift for the rules.
// Only folding needs ICU; the rest is in CBytes.

/// The maximum number of bytes that one byte of text becomes.
#define PKM_COMPARISON_GROWTH 12

/// Folds valid UTF-8 to words with one or more spaces between them. `keep` is a sum of flags. Returns the length. `out`
/// must hold `count` times PKM_COMPARISON_GROWTH bytes, and the slack.
size_t pkm_comparison_fold(const uint8_t *text, size_t count, unsigned keep, uint8_t *out);

/// Computes the key of valid UTF-8: folded and collapsed. Returns its length. Both buffers must hold `count` times
/// PKM_COMPARISON_GROWTH bytes, and the slack.
size_t pkm_comparison_key(const uint8_t *text, size_t count, unsigned keep, uint8_t *scratch, uint8_t *out);

/// Whether the character, in valid UTF-8, is a mark that belongs to the one before it.
bool pkm_comparison_is_mark(const uint8_t *character);

#ifdef __cplusplus
}
#endif
