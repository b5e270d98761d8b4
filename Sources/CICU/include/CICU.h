// The Unicode normalizer: ICU behind a fast path over bytes. Plain C, because ICU's headers clash with Foundation.
#pragma once

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
  /// Whose letters and sentences they are, as ICU names it: "tr", "en@ss=standard"; "" for the root.
  const char *locale;
  /// A line end between sentences.
  bool split_sentences;
  /// A space between words and punctuation.
  bool tokenize;
  /// Off, everything goes through ICU: the judge of the fast path.
  bool has_fast_path;
} pkm_normalizer_options;

/// Not thread-safe: one for each thread.
typedef struct pkm_normalizer pkm_normalizer;

/// NULL when ICU refuses; `message` then says why.
pkm_normalizer *pkm_normalizer_create(const pkm_normalizer_options *options, char *message, size_t capacity);
void pkm_normalizer_destroy(pkm_normalizer *normalizer);

/// Forgets the output so far.
void pkm_normalizer_reset(pkm_normalizer *normalizer);

/// Appends the normalized form of one document, valid UTF-8. With `is_lines` the bytes are documents of one line
/// each, and every LF stays. False when ICU failed.
bool pkm_normalizer_append(pkm_normalizer *normalizer, const uint8_t *text, size_t length, bool is_lines);

typedef struct {
  const uint8_t *bytes;
  size_t length;
  /// Control characters and joiners dropped since the reset.
  size_t controls_removed;
  /// Code points among the output that this version of Unicode does not assign.
  size_t unassigned;
} pkm_normalizer_output;

/// Valid until the next call.
pkm_normalizer_output pkm_normalizer_result(const pkm_normalizer *normalizer);

/// "72.1" and "15.0".
const char *pkm_icu_version(void);
const char *pkm_unicode_version(void);

/// Whether the character is assigned in this version of Unicode.
bool pkm_unicode_is_assigned(uint32_t character);

/// Sets `flag` for every code point of an ICU set such as `[:L:]` (ASCII, up to 255 characters) in `classes`, one byte
/// for each of the 0x110000. False when ICU refuses the pattern.
bool pkm_unicode_add_flag(const char *pattern, uint8_t flag, uint8_t *classes);

/// The small letter of a capital by Unicode's simple mapping; any other character itself.
uint32_t pkm_unicode_lower(uint32_t character);

/// How often a byte occurs.
size_t pkm_bytes_count(const uint8_t *bytes, size_t length, uint8_t byte);

// Character sets.

/// A conversion to UTF-8 under way. Not thread-safe.
typedef struct pkm_charset pkm_charset;

/// NULL where ICU knows no character set of that name.
pkm_charset *pkm_charset_open(const char *name);
void pkm_charset_close(pkm_charset *charset);

/// Converts from `*source`, which advances, as much as fits: room for less than 64 characters is left. Each sequence of
/// bytes that means nothing becomes one byte 0xff, which is never part of UTF-8. Characters may be cut anywhere between
/// two calls. Returns the bytes written.
size_t pkm_charset_convert(pkm_charset *charset, const uint8_t **source, const uint8_t *end, bool is_last, uint8_t *out,
                           size_t capacity);

/// The name that MIME or IANA prefers, NULL for an unknown one.
const char *pkm_charset_name(const char *name);

/// The preferred names of all character sets.
size_t pkm_charset_count(void);
const char *pkm_charset_at(size_t index);

typedef struct {
  const char *name;
  /// 0 to 100.
  int confidence;
} pkm_charset_guess;

/// What the bytes may be, the most probable first. Returns the number of guesses.
size_t pkm_charset_detect(const uint8_t *bytes, size_t length, pkm_charset_guess *guesses, size_t capacity);

typedef struct {
  size_t start, end;
} pkm_byte_range;

/// The lines, each without its LF and one CR before it; what follows the last LF is a line unless it is empty. Returns
/// how many there are: at most one more than there are LF.
size_t pkm_bytes_lines(const uint8_t *bytes, size_t length, pkm_byte_range *lines);

// The comparison key, which decides whether two texts say the same: see ComparisonKey.swift for the rules.

/// The most bytes that a byte of text becomes.
#define PKM_COMPARISON_GROWTH 12
/// Bytes behind a buffer of folded text that are written or read but do not count.
#define PKM_COMPARISON_SLACK 64

/// Folds valid UTF-8: words, and one or more spaces between them. Returns the length; `out` has room for `count` times
/// the growth, and the slack.
size_t pkm_comparison_fold(const uint8_t *text, size_t count, uint8_t *out);

/// Hashes of the words in folded text, at most (count + 1) / 2, and where each ends, unless `ends` is NULL.
size_t pkm_comparison_words(const uint8_t *folded, size_t count, uint64_t seed, uint64_t *hashes, uint32_t *ends);

/// Hashes of the characters, the spaces between two words counting as one. `is_in_text` is 0 at the start of a document
/// and carried from piece to piece.
size_t pkm_comparison_characters(const uint8_t *folded, size_t count, uint64_t seed, int *is_in_text, uint64_t *hashes);

/// Leaves one space between two words and none around them, in `out`, which has room for `count` and the slack. Returns
/// the length.
size_t pkm_comparison_collapse_into(const uint8_t *folded, size_t count, uint8_t *out);

/// The key of valid UTF-8: folded and collapsed. Returns its length; both buffers have room for `count` times the
/// growth, and the slack.
size_t pkm_comparison_key(const uint8_t *text, size_t count, uint8_t *scratch, uint8_t *out);

#ifdef __cplusplus
}
#endif
