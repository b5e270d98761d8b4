// fastText's classifiers. Plain C: the headers of the library stay behind this door.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// A supervised model (.bin, or quantized: .ftz). Immutable: any number of threads may predict with one.
typedef struct pkm_fasttext pkm_fasttext;

/// NULL when the file cannot be read or is no such model; `message` then says why.
pkm_fasttext *pkm_fasttext_load(const char *path, char *message, size_t capacity);
void pkm_fasttext_destroy(pkm_fasttext *model);

size_t pkm_fasttext_label_count(const pkm_fasttext *model);

/// With its prefix `__label__`; valid as long as the model lives.
const char *pkm_fasttext_label(const pkm_fasttext *model, size_t label);

typedef struct {
  int32_t label;
  /// 0 to 1.
  float score;
} pkm_fasttext_prediction;

/// The `count` best labels of a text in falling order of their scores; line feeds count as spaces. Returns how many
/// there are: 0 for a text in which the model knows nothing.
size_t pkm_fasttext_predict(
    const pkm_fasttext *model, const uint8_t *text, size_t length, pkm_fasttext_prediction *best, size_t count);

#ifdef __cplusplus
}
#endif
