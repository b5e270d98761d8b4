// fastText classifiers. Plain C: the library's headers are included only by the implementation.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A supervised model (.bin, or .ftz if quantized). It is immutable, so several threads can use it at once.
typedef struct pkm_fasttext pkm_fasttext;

/// NULL if the file cannot be read or is not such a model; `message` then says why.
pkm_fasttext *pkm_fasttext_load(const char *path, char *message, size_t capacity);
void pkm_fasttext_destroy(pkm_fasttext *model);

size_t pkm_fasttext_label_count(const pkm_fasttext *model);

/// The label with its prefix `__label__`; valid as long as the model exists.
const char *pkm_fasttext_label(const pkm_fasttext *model, size_t label);

typedef struct {
  int32_t label;
  /// 0 to 1.
  float score;
} pkm_fasttext_prediction;

/// Finds the `count` best labels of a text in descending order of their scores. Line feeds count as spaces. Returns the
/// number of labels: 0 for a text in which the model knows no word.
size_t pkm_fasttext_predict(
    const pkm_fasttext *model, const uint8_t *text, size_t length, pkm_fasttext_prediction *best, size_t count);

#ifdef __cplusplus
}
#endif
