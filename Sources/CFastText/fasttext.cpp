#include "CFastText.h"

#if !__has_include(<fasttext/fasttext.h>)
#error "fasttext/fasttext.h is missing. Install it with: sudo apt-get install libfasttext-dev"
#endif
#include <fasttext/fasttext.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <istream>
#include <memory>
#include <streambuf>
#include <string>
#include <vector>

namespace {

class Model : public fasttext::FastText {
 public:
  // Reads the magic number and the version.
  using FastText::checkModel;
};

// A stream over bytes, without a copy.
class Memory : public std::streambuf {
 public:
  Memory(char *start, size_t length) { setg(start, start, start + length); }
};

}  // namespace

struct pkm_fasttext {
  Model model;
  std::vector<std::string> labels;
};

namespace {

void load(pkm_fasttext &loaded, const char *path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot be opened");
  if (!loaded.model.checkModel(file) || !file) throw std::runtime_error("is not a fastText model");
  // A truncated file must not leave values unset.
  file.exceptions(std::ios::failbit | std::ios::badbit | std::ios::eofbit);
  try {
    loaded.model.loadModel(file);
  } catch (const std::ios_base::failure &) {
    throw std::runtime_error("is truncated");
  }
  if (loaded.model.getArgs().model != fasttext::model_name::sup) {
    throw std::runtime_error("contains word vectors, not a classifier");
  }
  auto dictionary = loaded.model.getDictionary();
  for (int32_t label = 0; label < dictionary->nlabels(); label++) {
    loaded.labels.push_back(dictionary->getLabel(label));
  }
}

}  // namespace

pkm_fasttext *pkm_fasttext_load(const char *path, char *message, size_t capacity) {
  auto loaded = std::make_unique<pkm_fasttext>();
  try {
    load(*loaded, path);
  } catch (const std::exception &error) {
    snprintf(message, capacity, "%s", error.what());
    return nullptr;
  }
  return loaded.release();
}

void pkm_fasttext_destroy(pkm_fasttext *model) { delete model; }

size_t pkm_fasttext_label_count(const pkm_fasttext *model) { return model->labels.size(); }

const char *pkm_fasttext_label(const pkm_fasttext *model, size_t label) { return model->labels[label].c_str(); }

size_t pkm_fasttext_predict(
    const pkm_fasttext *model, const uint8_t *text, size_t length, pkm_fasttext_prediction *best, size_t count) {
  thread_local std::string line;
  thread_local std::vector<int32_t> words, labels;
  thread_local fasttext::Predictions predictions;
  line.assign(reinterpret_cast<const char *>(text), length);
  for (char *at = line.data(); (at = static_cast<char *>(memchr(at, '\n', size_t(line.data() + length - at))));) {
    *at = ' ';
  }
  // The model treats the line feed as a word.
  line.push_back('\n');
  Memory memory(line.data(), line.size());
  std::istream stream(&memory);
  model->model.getDictionary()->getLine(stream, words, labels);
  predictions.clear();
  try {
    model->model.predict(int32_t(count), words, predictions, 0);
  } catch (const std::exception &) {
    // Weights that are no numbers: such a model knows no word.
    return 0;
  }
  size_t found = 0;
  for (const auto &[logarithm, label] : predictions) {
    if (found == count) break;
    // The library adds 1e-5 before it takes the logarithm.
    best[found++] = {label, std::fmin(std::exp(logarithm), 1.0f)};
  }
  return found;
}
