import Corpus
import Support
import Tokenization

/// How well a tokenizer fits texts: words, bytes and tokens, by script.
///
/// A word is a run of characters between white space; its script is that of its first letter of a known script. A token
/// counts for the word that holds its last byte, so the space before a word belongs to it.
package struct Fertility: Sendable {
  package struct Totals: Sendable {
    package var words = 0
    package var bytes = 0
    package var tokens = 0
    /// Words that are one token.
    package var wholeWords = 0

    package var summary: Summary {
      var summary = Summary()
      summary[.words] = .count(words)
      summary[.textBytes] = .count(bytes)
      summary[.tokens] = .count(tokens)
      summary[.tokensPerWord] = .number(Double(tokens) / Double(max(1, words)))
      summary[.bytesPerToken] = .number(Double(bytes) / Double(max(1, tokens)))
      summary[.oneTokenWords] = .number(Double(wholeWords) / Double(max(1, words)))
      return summary
    }
  }

  package private(set) var scripts: [String: Totals] = [:]

  package var all: Totals {
    scripts.values.reduce(into: Totals()) {
      $0.words += $1.words
      $0.bytes += $1.bytes
      $0.tokens += $1.tokens
      $0.wholeWords += $1.wholeWords
    }
  }

  mutating func merge(_ other: Fertility) {
    for (script, totals) in other.scripts {
      scripts[script, default: Totals()].words += totals.words
      scripts[script, default: Totals()].bytes += totals.bytes
      scripts[script, default: Totals()].tokens += totals.tokens
      scripts[script, default: Totals()].wholeWords += totals.wholeWords
    }
  }

  /// Adds a document.
  mutating func add(_ text: UnsafeRawBufferPointer, _ encoder: BPEEncoder) {
    let bytes = Array(text)
    let tokens = encoder.tokenEnds(of: bytes)
    var token = 0
    var start = 0
    while start < bytes.count {
      // White space belongs to the word after it, at the end of the text to the word before it.
      var end = start
      while end < bytes.count && Self.isSpace(bytes[end]) { end += 1 }
      let word = end
      while end < bytes.count && !Self.isSpace(bytes[end]) { end += 1 }
      var last = end
      while last < bytes.count && Self.isSpace(bytes[last]) { last += 1 }
      if last == bytes.count { end = last }
      let first = token
      while token < tokens.count && tokens[token] <= end { token += 1 }
      let script = Self.script(of: bytes[word..<end])
      scripts[script, default: Totals()].words += word < bytes.count ? 1 : 0
      scripts[script, default: Totals()].bytes += end - start
      scripts[script, default: Totals()].tokens += token - first
      scripts[script, default: Totals()].wholeWords += word < bytes.count && token - first == 1 ? 1 : 0
      start = end
    }
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte &- 9 < 5 }

  /// First code points and names; `-` where there are no letters of one script.
  private static let blocks: [(first: UInt32, name: String)] = [
    (0, "-"), (0x41, "Latin"), (0x5b, "-"), (0x61, "Latin"), (0x7b, "-"), (0xaa, "Latin"), (0xab, "-"),
    (0xb5, "-"), (0xba, "Latin"), (0xbb, "-"), (0xc0, "Latin"), (0x2b9, "-"), (0x370, "Greek"),
    (0x400, "Cyrillic"),
    (0x530, "Armenian"), (0x590, "Hebrew"), (0x600, "Arabic"), (0x700, "Syriac"), (0x750, "Arabic"),
    (0x780, "other"),
    (0x8a0, "Arabic"), (0x900, "Devanagari"), (0x980, "Bengali"), (0xa00, "Gurmukhi"), (0xa80, "Gujarati"),
    (0xb00, "other"), (0xb80, "Tamil"), (0xc00, "Telugu"), (0xc80, "Kannada"), (0xd00, "Malayalam"),
    (0xd80, "other"),
    (0xe00, "Thai"), (0xe80, "Lao"), (0xf00, "Tibetan"), (0x1000, "Myanmar"), (0x10a0, "Georgian"),
    (0x1100, "Hangul"),
    (0x1200, "Ethiopic"), (0x13a0, "other"), (0x1780, "Khmer"), (0x1800, "other"), (0x1e00, "Latin"),
    (0x1f00, "Greek"),
    (0x2000, "-"), (0x2c00, "other"), (0x2e00, "-"), (0x2e80, "Han"), (0x3000, "-"), (0x3005, "Han"),
    (0x3008, "-"),
    (0x3040, "Kana"), (0x3100, "other"), (0x3130, "Hangul"), (0x3190, "other"), (0x31f0, "Kana"),
    (0x3200, "-"),
    (0x3400, "Han"), (0xa000, "other"), (0xac00, "Hangul"), (0xd7fc, "-"), (0xf900, "Han"), (0xfb00, "Latin"),
    (0xfb1d, "Hebrew"), (0xfb50, "Arabic"), (0xfe00, "-"), (0xfe70, "Arabic"), (0xfeff, "-"),
    (0xff21, "Latin"),
    (0xff3b, "-"), (0xff41, "Latin"), (0xff5b, "-"), (0xff66, "Kana"), (0xffa0, "-"), (0x10000, "other"),
    (0x1b000, "Kana"),
    (0x1b200, "other"), (0x1d000, "-"), (0x1e000, "other"), (0x1f000, "-"), (0x20000, "Han"), (0x32000, "-"),
  ]

  private static func script(of word: ArraySlice<UInt8>) -> String {
    for scalar in String(decoding: word, as: UTF8.self).unicodeScalars {
      let name = blocks.last { $0.first <= scalar.value }!.name
      if name != "-" { return name }
    }
    return "-"
  }
}
