#include "CSimdjson.h"

#if !__has_include(<simdjson.h>)
#error "simdjson.h is missing. Install it with: sudo apt-get install libsimdjson-dev"
#endif
#include <simdjson.h>

#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace {

namespace dom = simdjson::dom;
namespace ondemand = simdjson::ondemand;

// The tree parser validates and decodes; the on-demand parser knows the position of a value in the line.
struct Parsers {
  dom::parser tree;
  ondemand::parser lazy;
  std::string repaired;
};

// One set per thread.
thread_local std::unique_ptr<Parsers> parsers;

Parsers &parsersOfThread() {
  if (!parsers) parsers = std::make_unique<Parsers>();
  return *parsers;
}

int hexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// The code unit of the escape \uXXXX at `at`, or -1.
int escapedUnit(const std::string &line, size_t at, size_t end) {
  if (at + 6 > end || line[at] != '\\' || line[at + 1] != 'u') return -1;
  int unit = 0;
  for (size_t i = at + 2; i < at + 6; i++) {
    int digit = hexDigit(line[i]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

// Overwrites lone escaped surrogates in [from, to) with \ufffd. The length stays the same.
size_t replaceLoneSurrogates(std::string &line, size_t from, size_t to) {
  size_t replaced = 0;
  for (size_t i = from; i < to;) {
    if (line[i] != '\\') {
      i++;
      continue;
    }
    int unit = escapedUnit(line, i, to);
    if (unit < 0) {
      i += 2;
    } else if (unit >= 0xd800 && unit < 0xdc00) {
      int next = escapedUnit(line, i + 6, to);
      if (next >= 0xdc00 && next < 0xe000) {
        i += 12;
      } else {
        line.replace(i, 6, "\\ufffd");
        replaced++;
        i += 6;
      }
    } else {
      if (unit >= 0xdc00 && unit < 0xe000) {
        line.replace(i, 6, "\\ufffd");
        replaced++;
      }
      i += 6;
    }
  }
  return replaced;
}

// The length of the number at `at` by JSON's grammar; 0 if there is none.
size_t numberLength(const std::string &line, size_t at) {
  const auto digits = [&](size_t from) {
    size_t to = from;
    while (to < line.size() && line[to] >= '0' && line[to] <= '9') to++;
    return to;
  };
  size_t start = line[at] == '-' ? at + 1 : at;
  size_t end = digits(start);
  if (end == start || (line[start] == '0' && end > start + 1)) return 0;
  if (end < line.size() && line[end] == '.') {
    start = end + 1;
    end = digits(start);
    if (end == start) return 0;
  }
  if (end < line.size() && (line[end] | 0x20) == 'e') {
    start = end + 1;
    if (start < line.size() && (line[start] == '+' || line[start] == '-')) start++;
    end = digits(start);
    if (end == start) return 0;
  }
  return end - at;
}

// The length of NaN, Infinity or -Infinity at `at`, which Python writes for numbers that JSON lacks; 0 if there is none.
size_t notANumberLength(const std::string &line, size_t at) {
  for (const char *word : {"NaN", "Infinity", "-Infinity"}) {
    if (line.compare(at, strlen(word), word) == 0) return strlen(word);
  }
  return 0;
}

// Overwrites all numbers before the first ill-formed one with 0, and NaN and infinities as well. The length stays the
// same.
size_t replaceNumbers(std::string &line) {
  size_t replaced = 0;
  bool isInString = false;
  for (size_t i = 0; i < line.size(); i++) {
    const char c = line[i];
    if (c == '"') {
      isInString = !isInString;
    } else if (isInString) {
      if (c == '\\') i++;
    } else if (c == '-' || c == 'N' || c == 'I' || (c >= '0' && c <= '9')) {
      const size_t word = notANumberLength(line, i);
      const size_t length = word ? word : c == 'N' || c == 'I' ? 0 : numberLength(line, i);
      if (length == 0) break;
      line.replace(i, length, length, ' ');
      line[i] = '0';
      replaced++;
      i += length - 1;
    }
  }
  return replaced;
}

// Parses a line. If simdjson rejects what JSON allows, parses a repaired copy instead, to which `line` then points:
// real corpora contain lone surrogates, numbers beyond 64 bits, and NaN.
simdjson::error_code parseLine(Parsers &parsers, const char *&line, size_t length, dom::element &element) {
  const auto error = parsers.tree.parse(line, length, false).get(element);
  if (!error) return error;
  parsers.repaired.assign(line, length);
  if (replaceLoneSurrogates(parsers.repaired, 0, length) + replaceNumbers(parsers.repaired) == 0) return error;
  parsers.repaired.append(simdjson::SIMDJSON_PADDING, ' ');
  line = parsers.repaired.data();
  return parsers.tree.parse(line, length, false).get(element);
}

// Finds the value of a top-level field from the positions of brackets, commas, colons and values that the tree parser
// has recorded. Also returns false if an earlier name contains an escape, because it would have to be decoded.
bool locateField(const simdjson::internal::dom_parser_implementation &parser, const char *line, std::string_view name,
                 size_t &start, size_t &end) {
  const uint32_t *positions = parser.structural_indexes.get();
  const uint32_t count = parser.n_structural_indexes;
  if (count == 0 || line[positions[0]] != '{' || name.find_first_of("\"\\") != std::string_view::npos) return false;
  for (uint32_t i = 1; i + 3 < count; i++) {
    const char *key = line + positions[i];
    const size_t space = positions[i + 1] - positions[i];
    if (*key != '"' || memchr(key, '\\', space)) return false;
    i += 2;
    if (space >= name.size() + 2 && key[name.size() + 1] == '"' && !memcmp(key + 1, name.data(), name.size())) {
      if (line[positions[i]] != '"') return false;
      start = positions[i];
      end = positions[i + 1];
      while (line[end - 1] != '"') end--;
      return true;
    }
    // Skip the value and the comma after it.
    for (size_t depth = 0;; i++) {
      if (i >= count) return false;
      const char c = line[positions[i]];
      if (c == '{' || c == '[') depth++;
      if (c == '}' || c == ']') {
        if (depth == 0) return false;
        depth--;
      }
      if (c == ',' && depth == 0) break;
    }
  }
  return false;
}

// Finds the last of several top-level fields of that name: the value that Python, JavaScript and jq keep. Returns false
// if there are none behind `from`, where the first one ends, or if its value is no string.
bool findLastField(Parsers &parsers, const char *line, size_t length, size_t from, std::string_view name,
                   std::string_view &text, size_t &start, size_t &end, bool &isText) {
  const std::string quoted = '"' + std::string(name) + '"';
  if (from >= length || !memmem(line + from, length - from, quoted.data(), quoted.size())) return false;
  dom::object object;
  if (parsers.tree.doc.root().get_object().get(object)) return false;
  size_t count = 0;
  dom::element last;
  for (auto field : object) {
    if (field.key == name) {
      last = field.value;
      count++;
    }
  }
  if (count < 2) return false;
  isText = !last.get_string().get(text);
  if (!isText) return true;
  ondemand::document document;
  ondemand::object fields;
  if (parsers.lazy.iterate(line, length, length + simdjson::SIMDJSON_PADDING).get(document) ||
      document.get_object().get(fields)) {
    return false;
  }
  for (auto field : fields) {
    std::string_view key;
    ondemand::value value;
    if (field.unescaped_key().get(key)) return false;
    const bool isWanted = key == name;
    if (field.value().get(value)) return false;
    if (!isWanted) continue;
    std::string_view token = value.raw_json_token();
    start = size_t(token.data() - line);
    end = start + token.rfind('"') + 1;
  }
  return true;
}

// Finds the first field of that name, which may contain escapes.
bool findField(ondemand::object &object, std::string_view name, ondemand::value &value) {
  for (auto field : object) {
    std::string_view key;
    if (field.unescaped_key().get(key)) return false;
    if (key == name) return !field.value().get(value);
  }
  return false;
}

// Finds the value at `path`, or of the field of that name if `isLiteral`. The line is known to be valid.
bool locate(ondemand::parser &parser, const char *line, size_t length, std::string_view path, bool isLiteral,
            size_t &start, size_t &end) {
  ondemand::document document;
  if (parser.iterate(line, length, length + simdjson::SIMDJSON_PADDING).get(document)) return false;
  ondemand::object object;
  if (document.get_object().get(object)) return false;
  while (true) {
    size_t dot = isLiteral ? std::string_view::npos : path.find('.');
    ondemand::value value;
    if (!findField(object, path.substr(0, dot), value)) return false;
    if (dot == std::string_view::npos) {
      std::string_view token = value.raw_json_token();
      start = size_t(token.data() - line);
      end = start + token.rfind('"') + 1;
      return true;
    }
    if (value.get_object().get(object)) return false;
    path.remove_prefix(dot + 1);
  }
}

}  // namespace

size_t pkm_json_padding(void) { return simdjson::SIMDJSON_PADDING; }

int pkm_json_find_text(const char *line, size_t length, const char *path, pkm_json_text *result,
                       const char **message) {
  Parsers &parsers = parsersOfThread();
  dom::element element;
  const char *original = line;
  const auto error = parseLine(parsers, line, length, element);
  if (error) {
    *message = simdjson::error_message(error);
    return PKM_JSON_BROKEN;
  }
  if (!element.is_object()) {
    *message = "The line is not a JSON object.";
    return PKM_JSON_BROKEN;
  }
  std::string_view rest = path;
  dom::element literal;
  bool isLiteral = !element.at_key(rest).get(literal);
  if (isLiteral) element = literal;
  while (!isLiteral) {
    size_t dot = rest.find('.');
    if (!element.is_object()) return PKM_JSON_MISSING;
    if (element.at_key(rest.substr(0, dot)).get(element)) return PKM_JSON_MISSING;
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  std::string_view text;
  if (element.get_string().get(text)) return PKM_JSON_NOT_TEXT;
  if (!(isLiteral && locateField(*parsers.tree.implementation, line, path, result->start, result->end)) &&
      !locate(parsers.lazy, line, length, path, isLiteral, result->start, result->end)) {
    return PKM_JSON_MISSING;
  }
  bool isText = true;
  if (isLiteral &&
      findLastField(parsers, line, length, result->end, path, text, result->start, result->end, isText) && !isText) {
    return PKM_JSON_NOT_TEXT;
  }
  result->text = text.data();
  result->length = text.size();
  result->lone_surrogates = 0;
  if (line != original) {
    std::string value(original + result->start, result->end - result->start);
    result->lone_surrogates = replaceLoneSurrogates(value, 0, value.size());
  }
  return PKM_JSON_OK;
}

bool pkm_json_is_object(const char *line, size_t length) {
  dom::element element;
  return !parseLine(parsersOfThread(), line, length, element) && element.is_object();
}

void pkm_json_free_buffers(void) { parsers.reset(); }

bool pkm_utf8_is_valid(const char *bytes, size_t length) { return simdjson::validate_utf8(bytes, length); }
