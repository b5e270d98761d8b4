import Corpus
import Foundation
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct NormalizerSegmentationTests {
  private func normalized(_ text: String, _ change: (inout NormalizationOptions) -> Void) throws -> String {
    var options = NormalizationOptions()
    change(&options)
    return String(decoding: try Normalizer(options).normalize(Array(text.utf8)), as: UTF8.self)
  }

  private func tokenized(_ text: String) throws -> String { try normalized(text) { $0.tokenizes = true } }

  /// Ten languages in seven scripts.
  private let multilingual = Repository.path("Tests/TokenizationTests/Fixtures/multilingual.txt.zst")

  @Test func separatesPunctuation() throws {
    #expect(
      try tokenized("\"Don't,\" he said (3.5 x_y).\nU.S. 1,000!\n\n")
        == "\" Don't , \" he said ( 3.5 x_y ) .\nU.S . 1,000 !")
    #expect(try tokenized("été,naïve; l’été") == "été , naïve ; l’été")
    #expect(try tokenized("👩\u{200d}🚀👍🏽🇩🇪🇫🇷") == "👩\u{200d}🚀 👍🏽 🇩🇪 🇫🇷")
    #expect(
      try normalized("a,  b\r\nc\u{a0}\u{308}d ") {
        $0.tokenizes = true
        $0.cleansWhitespace = false
        $0.form = .none
      } == "a , b\nc \u{308} d")
  }

  @Test func dictionariesFindWords() throws {
    #expect(try tokenized("我爱北京天安门。") == "我 爱 北京 天安门 。")
    #expect(try tokenized("日本語の文章です。") == "日本語 の 文章 です 。")
    #expect(try tokenized("สวัสดีครับ") == "สวัสดี ครับ")
    for text in ["ສະບາຍດີຊາວໂລກ", "សួស្តីពិភពលោក", "မင်္ဂလာပါကမ္ဘာလောက"] {
      #expect(try tokenized(text).contains(" "), "\(text)")
    }
  }

  @Test func splitsSentences() throws {
    let text = "Mr. Fox ran. Why? \"No!\" he said. 3.5 is a number.\nA line\nends one. 你好。再见！"
    #expect(
      try normalized(text) { $0.splitsSentences = true }
        == "Mr.\nFox ran.\nWhy?\n\"No!\"\nhe said.\n3.5 is a number.\nA line\nends one.\n你好。\n再见!")
    for locale in ["en", "en@ss=standard", "en_GB"] {
      let result = try normalized("Mr. Fox ran. Why?") {
        $0.splitsSentences = true
        $0.locale = locale
      }
      #expect(result == "Mr. Fox ran.\nWhy?")
    }
    let without = try normalized("Mr. Fox ran. Why?") {
      $0.splitsSentences = true
      $0.locale = "en@ss=none"
    }
    #expect(without == "Mr.\nFox ran.\nWhy?")
    // The Greek question mark is a semicolon.
    let greek = try normalized("Πού είσαι; Εδώ. Yes; No.") {
      $0.splitsSentences = true
      $0.locale = "el"
    }
    #expect(greek == "Πού είσαι;\nΕδώ.\nYes;\nNo.")
  }

  /// Random ASCII words, numbers and punctuation, so that all combinations occur.
  private func plainText(_ random: inout RandomGenerator) -> [UInt8] {
    let common = Array("aZ19_.,'\":;!?-()/@ \t\n".utf8)
    return (0..<random.below(60)).map { _ in
      random.below(8) == 0 ? UInt8(random.below(128)) : common[random.below(common.count)]
    }
  }

  /// Random letters of scripts without spaces, some of which form words.
  private func dictionaryText(_ random: inout RandomGenerator) -> [UInt8] {
    let scripts: [[ClosedRange<UInt32>]] = [
      [0xe01...0xe3a, 0xe40...0xe4e], [0xe81...0xe84, 0xe94...0xeb9, 0xec0...0xec4], [0x1780...0x17d3],
      [0x1000...0x103e], [0x4e00...0x4e8f, 0x5929...0x5929, 0x6211...0x6211],
      [0x3041...0x3096, 0x30a1...0x30fa],
    ]
    let ranges = scripts[random.below(scripts.count)] + [0x20...0x22]
    return Array(
      text: (0..<random.below(60)).map { _ in
        let range = ranges[random.below(ranges.count)]
        return range.lowerBound + UInt32(random.below(Int(range.upperBound - range.lowerBound) + 1))
      })
  }

  @Test(arguments: ["", "en", "el", "sv", "ja", "en_US_POSIX"]) func fastPathAgreesWithICU(locale: String)
    throws
  {
    var texts = RandomText(seed: 5)
    var random = RandomGenerator(seed: 6)
    for (sentences, words) in [(false, true), (true, false), (true, true)] {
      var options = NormalizationOptions(
        form: .none, cleansWhitespace: false, cleansControls: false, splitsSentences: sentences,
        tokenizes: words,
        locale: locale)
      let fast = try Normalizer(options)
      options.usesFastPath = false
      let slow = try Normalizer(options)
      for round in 0..<1500 {
        var text = plainText(&random)
        if round % 4 == 1 { text += dictionaryText(&random) + text }
        if round % 2 == 0 { text = texts.text(upTo: 12) + text + texts.text(upTo: 12) + text }
        let result = try fast.normalize(text)
        let judge = try slow.normalize(text)
        try #require(result == judge, "\(options) \(describe(text)) \(describe(result)) \(describe(judge))")
      }
    }
  }

  /// A mark after white space belongs to it.
  @Test func fastPathAgreesWithICUAboutEveryMarkAfterWhiteSpace() throws {
    let marks = (0x80...0x10ffff).compactMap { Unicode.Scalar($0) }.filter {
      [.nonspacingMark, .spacingMark, .enclosingMark, .format].contains($0.properties.generalCategory)
    }
    #expect(marks.count > 2000)
    var options = NormalizationOptions(
      form: .none, cleansWhitespace: false, cleansControls: false, tokenizes: true)
    let fast = try Normalizer(options)
    options.usesFastPath = false
    let slow = try Normalizer(options)
    for mark in marks {
      let text = Array(
        """
        a \(mark)b .\(mark) \t\(mark)\(mark)1, \(mark)\u{1f680}
        \(mark)'s\r
        \(mark) \(mark)\u{e01}
        """.utf8)
      let (result, judge) = (try fast.normalize(text), try slow.normalize(text))
      try #require(result == judge, "\(describe(text)) \(describe(result)) \(describe(judge))")
    }
  }

  @Test func fastPathAgreesWithICUOnRealText() throws {
    let text = try Fixtures.bytes(at: multilingual)
    for (sentences, words) in [(false, true), (true, false)] {
      var options = NormalizationOptions(splitsSentences: sentences, tokenizes: words)
      let result = try Normalizer(options).normalize(text)
      options.usesFastPath = false
      #expect(try Normalizer(options).normalize(text) == result)
    }
  }

  @Test func normalizingTwiceChangesNothing() throws {
    var texts = RandomText(seed: 11)
    var random = RandomGenerator(seed: 12)
    for (sentences, words) in [(false, true), (true, false)] {
      for locale in ["", "en", "ja"] {
        let options = NormalizationOptions(splitsSentences: sentences, tokenizes: words, locale: locale)
        let normalizer = try Normalizer(options)
        for round in 0..<1500 {
          let text =
            round % 3 == 0
            ? texts.text(upTo: 40) : round % 3 == 1 ? plainText(&random) : dictionaryText(&random)
          let once = try normalizer.normalize(text)
          try #require(
            try normalizer.normalize(once) == once, "\(options) \(describe(text)) \(describe(once))")
        }
      }
    }
    let real = try Fixtures.bytes(at: multilingual)
    for (sentences, words) in [(false, true), (true, false)] {
      let normalizer = try Normalizer(NormalizationOptions(splitsSentences: sentences, tokenizes: words))
      let once = try normalizer.normalize(real)
      #expect(try normalizer.normalize(once) == once)
    }
  }

  @Test func sentencesOfLinesBecomeDocuments() throws {
    let batch = DocumentBatch(lines: ["One. Two.", "", "Three"])
    let normalizer = try Normalizer(NormalizationOptions(splitsSentences: true, tokenizes: true))
    let split = try normalizer.normalize(batch, sentencesAreDocuments: true)
    #expect(split.texts == ["One .", "Two .", "", "Three"] && split.lines == [1, 1, 2, 3])
    let whole = try normalizer.normalize(batch)
    #expect(whole.texts == ["One .\nTwo .", "", "Three"] && whole.lines == [1, 2, 3])
  }

  @Test func rejectsUnknownLocales() {
    for locale in ["xq", "tr;", "-"] {
      #expect(throws: Failure.self) { try Normalizer(NormalizationOptions(locale: locale)) }
    }
  }

  private func describe(_ text: [UInt8]) -> String {
    String(decoding: text, as: UTF8.self).unicodeScalars.map { String($0.value, radix: 16) }.joined(
      separator: " ")
  }
}
