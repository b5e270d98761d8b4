import Corpus
import Foundation
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct NormalizerTests {
  private func normalized(_ text: String, _ change: (inout NormalizationOptions) -> Void = { _ in }) throws
    -> String
  {
    var options = NormalizationOptions()
    change(&options)
    return String(decoding: try Normalizer(options).normalize(Array(text.utf8)), as: UTF8.self)
  }

  /// Every combination of settings except the transform.
  static let allOptions: [NormalizationOptions] = {
    var all: [NormalizationOptions] = []
    for form in NormalizationOptions.Form.allCases {
      for letterCase in NormalizationOptions.LetterCase.allCases {
        for bits in 0..<16 {
          all.append(
            NormalizationOptions(
              form: form, letterCase: letterCase, stripsAccents: bits & 1 != 0,
              plainsPunctuation: bits & 2 != 0,
              cleansWhitespace: bits & 4 != 0, cleansControls: bits & 8 != 0))
        }
      }
    }
    return all
  }()

  @Test func isIdempotentAndAgreesWithICU() throws {
    for (number, options) in Self.allOptions.enumerated() {
      var slowOptions = options
      slowOptions.usesFastPath = false
      let (fast, slow) = (try Normalizer(options), try Normalizer(slowOptions))
      var texts = RandomText(seed: UInt64(number))
      for _ in 0..<120 {
        let text = texts.text(upTo: 40)
        let once = try fast.normalize(text)
        try #require(
          try fast.normalize(once) == once, "twice: \(options) \(describe(text)) \(describe(once))")
        let judge = try slow.normalize(text)
        try #require(judge == once, "slow: \(options) \(describe(text)) \(describe(judge)) \(describe(once))")
      }
    }
  }

  @Test func isIdempotentAndAgreesWithICUInEveryLocale() throws {
    var texts = RandomText(seed: 21)
    for locale in ["tr", "lt", "el", "nl"] {
      for letterCase in [NormalizationOptions.LetterCase.lower, .fold] {
        for form in NormalizationOptions.Form.allCases {
          for tokenizes in [false, true] {
            var options = NormalizationOptions(
              form: form, letterCase: letterCase, stripsAccents: form == .nfd, tokenizes: tokenizes,
              locale: locale)
            let fast = try Normalizer(options)
            options.usesFastPath = false
            let slow = try Normalizer(options)
            for _ in 0..<60 {
              var text =
                texts.text(upTo: 20) + [UInt8](text: [0x49, 0x307, 0x4a, 0x300]) + texts.text(upTo: 20)
              text += Array("IIiJ I".utf8)
              text.removeAll { (0x0a...0x0d).contains($0) }
              let (batch, judge) = (
                try fast.normalize(DocumentBatch(line: text)), try slow.normalize(DocumentBatch(line: text))
              )
              let once = Array(batch.bytes[batch.ranges[0]])
              try #require(once == Array(judge.bytes[judge.ranges[0]]), "\(options) \(describe(text))")
              try #require(batch.counts.json == judge.counts.json, "\(options) \(describe(text))")
              try #require(try fast.normalize(once) == once, "\(options) \(describe(text))")
            }
          }
        }
      }
    }
  }

  @Test(.long) func everyCharacterIsStable() throws {
    var text: [UInt8] = []
    for value in UInt32(0)...0x10ffff where Unicode.Scalar(value) != nil {
      text += [UInt8](text: [value]) + [0x61, 0x20]
    }
    for letterCase in NormalizationOptions.LetterCase.allCases {
      var options = NormalizationOptions(letterCase: letterCase, plainsPunctuation: true)
      let once = try Normalizer(options).normalize(text)
      #expect(try Normalizer(options).normalize(once) == once)
      options.usesFastPath = false
      #expect(try Normalizer(options).normalize(text) == once)
    }
  }

  @Test func textCanBeSplitAtWhiteSpace() throws {
    // Only the last step looks across white space, so normalizing the chunks separately gives the same
    // result.
    let keeping = NormalizationOptions(letterCase: .lower, stripsAccents: true, cleansWhitespace: false)
    let normalizer = try Normalizer(keeping)
    var texts = RandomText(seed: 99)
    for _ in 0..<300 {
      let pieces = (0..<4).map { _ in texts.text(upTo: 12) }
      let whole = try normalizer.normalize(Array(pieces.joined(separator: [0x20])))
      #expect(try Array(pieces.map(normalizer.normalize).joined(separator: [0x20])) == whole)
    }
  }

  @Test func cleansControls() throws {
    #expect(
      try normalized("a\u{0}b\u{7}c\u{ad}d\u{200b}e\u{feff}f\u{202e}g\u{fffe}h\u{85}i") == "abcdefgh\ni")
    #expect(try normalized("a\u{0}b", { $0.cleansControls = false }) == "a\u{0}b")
    // Dropping a character lets the next one compose.
    #expect(try normalized("e\u{ad}\u{301}") == "é")
  }

  @Test func keepsJoinersThatShapeText() throws {
    for text in ["می\u{200c}خواهم", "क्\u{200d}ष", "👩\u{200d}🚀", "❤\u{fe0f}\u{200d}🔥"] {
      #expect(try normalized(text) == text)
    }
    #expect(try normalized("a\u{200d}b \u{200c}ک") == "ab ک")
    #expect(try normalized("e\u{200d}\u{301}") == "é")
  }

  @Test func collapsesWhiteSpace() throws {
    #expect(
      try normalized("  a \t b\u{a0}\u{3000}c \r\n d\n\n\n\ne\n \r\n\u{2028}f\u{b}g  \n")
        == "a b c\nd\n\ne\n\nf\ng")
    #expect(try normalized(" \n\t") == "")
    #expect(try normalized(" a  b ", { $0.cleansWhitespace = false }) == " a  b ")
  }

  /// Runs of white space at every position within the 64-byte blocks, compared with a simple loop.
  @Test func collapsesWhiteSpaceInLongTexts() throws {
    let normalizer = try Normalizer()
    var random = RandomGenerator(seed: 5)
    for round in 0..<2000 {
      var text: [UInt8] = []
      let share = [2, 5, 30, 200][round % 4]
      for _ in 0..<random.below(400) {
        text.append(random.below(share) == 0 ? Array("  \n\n\r\t\u{b}".utf8)[random.below(7)] : 0x61)
      }
      var expected: [UInt8] = []
      var (lineEnds, isRun) = (0, false)
      for (index, byte) in text.enumerated() {
        guard byte != 0x61 else {
          if isRun && !expected.isEmpty {
            expected += lineEnds == 0 ? [0x20] : lineEnds == 1 ? [0x0a] : [0x0a, 0x0a]
          }
          (lineEnds, isRun) = (0, false)
          expected.append(byte)
          continue
        }
        isRun = true
        let isBeforeLF = byte == 0x0d && index + 1 < text.count && text[index + 1] == 0x0a
        if byte != 0x20 && byte != 0x09 && !isBeforeLF { lineEnds += 1 }
      }
      #expect(try normalizer.normalize(text) == expected, "\(text)")
      // The same as documents of one line each.
      let lines = text.split(separator: 0x0a, omittingEmptySubsequences: false)
      let batch = DocumentBatch(
        source: DocumentSource(index: 0, path: "", format: .text, splitting: .line), bytes: text + [0x0a],
        ranges: lines.map { $0.startIndex..<$0.endIndex }, lines: Array(1...lines.count))
      var found: [[UInt8]] = []
      try normalizer.normalize(batch).forEachDocument { found.append(Array($1)) }
      let words = lines.map { $0.split { $0 != 0x61 }.joined(separator: [0x20]) }
      #expect(found == words.map { Array($0) }, "\(text)")
    }
  }

  @Test func changesCase() throws {
    #expect(
      try normalized("ΟΔΟΣ ΟΔΟΣ.Α ÀB STRASSE İ", { $0.letterCase = .lower }) == "οδος οδοσ.α àb strasse i̇")
    #expect(try normalized("Straße ΟΔΟΣ Ꭰ", { $0.letterCase = .fold }) == "strasse οδοσ Ꭰ")
  }

  @Test func changesCaseByLocale() throws {
    for (locale, letterCase, text, result) in [
      ("tr", NormalizationOptions.LetterCase.lower, "DIŞ IŞIK İZ ILI\u{307}", "dış ışık iz ıli"),
      ("az_AZ", .lower, "Iİ", "ıi"), ("tr", .fold, "DIŞ İZ Ⅰ", "dış iz ı"),
      ("de", .lower, "DIŞ İZ", "diş i\u{307}z"),
      ("lt", .lower, "Ì Į\u{301} J\u{303} I", "i\u{307}\u{300} į\u{307}\u{301} j\u{307}\u{303} i"),
      ("lt", .fold, "Ì I", "ì i"), ("", .lower, "IJ", "ij"),
    ] {
      let lower = try normalized(text) {
        $0.letterCase = letterCase
        $0.locale = locale
      }
      #expect(lower.unicodeScalars.elementsEqual(result.unicodeScalars), "\(locale) \(lower)")
    }
  }

  @Test func keepsAndCountsUnassignedCharacters() throws {
    let text = "a\u{378}b\u{378}\u{301} ﬁ\u{ad}\u{e0080}\u{301}x\u{10ffff}"
    for fast in [true, false] {
      var options = NormalizationOptions()
      options.usesFastPath = fast
      let batch = try Normalizer(options).normalize(DocumentBatch(lines: [text, "plain"]))
      #expect(batch.texts == ["a\u{378}b\u{378}\u{301} fi\u{e0080}\u{301}x", "plain"])
      #expect(batch.counts.count(.unassignedCharacters) == 3 && batch.counts.count(.controlsRemoved) == 2)
    }
  }

  @Test func stripsAccentsOfThreeScripts() throws {
    #expect(try normalized("Élève ñandú ά й ῼ", { $0.stripsAccents = true }) == "Eleve nandu α и Ω")
    for text in ["かがみ", "สวัสดี", "हिन्दी", "مُحَمَّد", "한글", "שָׁלוֹם", "ᠮᠣᠩ᠋", "தமிழ்"] {
      #expect(try normalized(text, { $0.stripsAccents = true }) == text.precomposed)
    }
  }

  @Test func plainsPunctuation() throws {
    let text = "“Don’t”—he said… «no»，「是」。"
    #expect(try normalized(text, { $0.plainsPunctuation = true }) == "\"Don't\" - he said... \"no\",\"是\".")
    #expect(
      try normalized(
        "！（１）：＜＝＞",
        {
          $0.plainsPunctuation = true
          $0.form = .nfc
        }) == "!(１):＜＝＞")
  }

  @Test func appliesTransforms() throws {
    #expect(try normalized("Ünïcödé Ω", { $0.transform = "Any-Latin; Latin-ASCII" }) == "Unicode O")
    #expect(try normalized("äöü", { $0.transform = "ä > ae; ö > oe;" }) == "aeoeü")
    #expect(throws: Failure.self) { try normalized("", { $0.transform = "No-Such-Thing; >>" }) }
  }

  @Test func splitsLongWordsSafely() throws {
    // A word that is longer than one call to ICU can be (64 MB), with characters that need ICU.
    let pattern = Array("e\u{301}中文字가".utf8)
    var text: [UInt8] = []
    while text.count < 70 << 20 { text += pattern }
    var options = NormalizationOptions(form: .nfc)
    options.cleansControls = false
    let result = try Normalizer(options).normalize(text)
    #expect(result.count == text.count / pattern.count * Array("é中文字가".precomposed.utf8).count)
  }

  @Test func keepsLines() throws {
    let lines = ["  a\u{2028}b ", "", "\tc\r", "e\u{301}", " ", "x  y\u{85}", ""]
    let batch = DocumentBatch(lines: lines)
    let result = try Normalizer().normalize(batch)
    #expect(result.texts == ["a b", "", "c", "é", "", "x y", ""])
    // The same with one document removed, which takes the other code path.
    var holed = batch
    holed.keep { $0 != 2 }
    #expect(try Normalizer().normalize(holed).texts == ["a b", "", "é", "", "x y", ""])
  }

  @Test func batchesEqualTheirDocuments() throws {
    var texts = RandomText(seed: 7)
    let normalizer = try Normalizer(NormalizationOptions(letterCase: .fold))
    for _ in 0..<50 {
      let lines = (0..<20).map { _ in
        String(decoding: texts.text(upTo: 15).filter { $0 != 0x0a && $0 != 0x0d }, as: UTF8.self)
      }
      let together = try normalizer.normalize(DocumentBatch(lines: lines)).texts
      #expect(try together == lines.map { try normalizer.normalize(DocumentBatch(lines: [$0])).texts[0] })
    }
  }

  private func describe(_ text: [UInt8]) -> String {
    String(decoding: text, as: UTF8.self).unicodeScalars.map { String($0.value, radix: 16) }.joined(
      separator: " ")
  }
}

extension String {
  /// NFC by the tables of the standard library.
  var precomposed: String { precomposedStringWithCanonicalMapping }
}

extension DocumentBatch {
  /// Lines of a text file.
  init(lines: [String], source: Int = 0) {
    self.init(source: DocumentSource(index: source, path: "lines", format: .text, splitting: .line))
    for (index, line) in lines.enumerated() {
      ranges.append(bytes.count..<(bytes.count + line.utf8.count))
      bytes += Array(line.utf8) + [0x0a]
      self.lines.append(index + 1)
    }
  }

  /// The text as one line of a text file.
  init(line: [UInt8]) {
    self.init(
      source: DocumentSource(index: 0, path: "line", format: .text, splitting: .line), bytes: line + [0x0a],
      ranges: [0..<line.count], lines: [1])
  }

  var texts: [String] { ranges.map { String(decoding: bytes[$0], as: UTF8.self) } }
}
