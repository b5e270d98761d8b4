import Corpus
import Foundation
import Support
import TestSupport
import Testing

/// Runs of combining marks take linear time, and their forms stay those of Unicode.
@Suite(.timeLimit(.minutes(60))) struct NormalizerGrowthTests {
  private static let marks: [Unicode.Scalar] = [
    "\u{301}", "\u{316}", "\u{345}", "\u{5b0}", "\u{327}", "\u{344}", "\u{f73}", "\u{f71}", "\u{340}",
    "\u{1d165}", "\u{308}", "\u{34f}",
  ]

  /// Decomposed and ordered as the Unicode Standard says (section 3.11), one character at a time.
  private func decomposed(_ text: String.UnicodeScalarView) -> [Unicode.Scalar] {
    var parts = text.flatMap { Array(String($0).decomposedStringWithCanonicalMapping.unicodeScalars) }
    var at = 0
    while at < parts.count {
      let end =
        parts[at...].firstIndex { $0.properties.canonicalCombiningClass == .notReordered } ?? parts.count
      let run = parts[at..<end].enumerated().sorted { a, b in
        let first = a.element.properties.canonicalCombiningClass.rawValue
        let second = b.element.properties.canonicalCombiningClass.rawValue
        return (Int(first), a.offset) < (Int(second), b.offset)
      }
      parts.replaceSubrange(at..<end, with: run.map(\.element))
      at = end + 1
    }
    return parts
  }

  @Test func ordersLongRunsAsUnicodeDoes() throws {
    var random = RandomGenerator(seed: 5)
    func normalizer(_ form: NormalizationOptions.Form) throws -> Normalizer {
      var options = NormalizationOptions(form: form)
      (options.cleansControls, options.cleansWhitespace) = (false, false)
      return try Normalizer(options)
    }
    let (nfd, nfc) = (try normalizer(.nfd), try normalizer(.nfc))
    for _ in 0..<300 {
      var text = String.UnicodeScalarView()
      for _ in 0..<(1 + random.below(4)) {
        text.append(["a", "e", "\u{3b1}", "\u{f40}", "\u{1112}"][random.below(5)])
        for _ in 0..<random.below(80) { text.append(Self.marks[random.below(Self.marks.count)]) }
      }
      var ordered = String.UnicodeScalarView()
      ordered.append(contentsOf: decomposed(text))
      let expected = Array(String(ordered).utf8)
      let (bytes, composed) = (Array(String(text).utf8), try nfc.normalize(expected))
      #expect(try nfd.normalize(bytes) == expected)
      #expect(try nfc.normalize(bytes) == composed)
      #expect(try nfd.normalize(composed) == expected && nfc.normalize(composed) == composed)
    }
  }

  /// Replacements far into a long text, shorter, longer and moved, are those of a short text.
  @Test func transformsLongTextsAsShortOnes() throws {
    for rules in ["Any-Latin; Latin-ASCII", "æ > aeae; œ > ; ш > s;", "([a-c])x > x $1 y; d > | e; e > f;"] {
      var options = NormalizationOptions(form: .none)
      (options.transform, options.cleansWhitespace) = (rules, false)
      let normalizer = try Normalizer(options)
      let part = "æшœ 𝄞щcx 漢字 dé\u{301}ж bxdax. "
      let one = try normalizer.normalize(Array(part.utf8))
      let many = try normalizer.normalize(Array(String(repeating: part, count: 500).utf8))
      #expect(many == Array([[UInt8]](repeating: one, count: 500).joined()), "\(rules)")
    }
  }

  @Test(.long, arguments: ["Any-Latin", "ш > sh; щ > ; ж > zh;", "([шщ]) > $1 'x';"])
  func growsLinearlyInReplacements(rules: String) throws {
    var options = NormalizationOptions()
    options.transform = rules
    let normalizer = try Normalizer(options)
    var seconds: [Double] = []
    for count in [3000, 30_000, 150_000] {
      let bytes = Array(String(repeating: "шщж", count: count / 3).utf8)
      let started = Progress.now()
      _ = try normalizer.normalize(bytes)
      seconds.append(Progress.now() - started)
    }
    #expect(seconds[2] < 15 * max(seconds[1], 0.05), "\(seconds)")
  }

  @Test(
    .long,
    arguments: [
      [0x301, 0x316], [0x316, 0x301], [0x344, 0x316], [0xf73, 0x316], [0x301], [0x3c3, 0x301],
      [0x200d, 0x301],
    ])
  func growsLinearlyInMarks(pattern: [UInt32]) throws {
    let halves = pattern.map { Unicode.Scalar($0)! }
    for form in [NormalizationOptions.Form.nfc, .nfkc, .nfd] {
      for isFolded in [false, true] {
        var options = NormalizationOptions(form: form)
        if isFolded { (options.letterCase, options.stripsAccents) = (.fold, true) }
        let normalizer = try Normalizer(options)
        var seconds: [Double] = []
        for count in [2000, 20_000, 200_000] {
          var text = String.UnicodeScalarView("a".unicodeScalars)
          for half in halves { text.append(contentsOf: repeatElement(half, count: count / halves.count)) }
          let bytes = Array(String(text).utf8)
          let started = Progress.now()
          _ = try normalizer.normalize(bytes)
          seconds.append(Progress.now() - started)
        }
        #expect(seconds[2] < 30 * max(seconds[1], 0.02), "\(pattern) \(form) \(seconds)")
      }
    }
  }
}
