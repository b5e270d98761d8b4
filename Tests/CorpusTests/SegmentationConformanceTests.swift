import CICU
import Corpus
import TestSupport
import Testing

/// The conformance tests of UAX 29 for words and sentences, applied to the spaces and line ends that the
/// normalizer inserts.
@Suite(.timeLimit(.minutes(60))) struct SegmentationConformanceTests {
  private struct Line {
    let number: Int
    let segments: [[UInt32]]
  }

  private static func lines(_ file: String) throws -> [Line] {
    let text = String(decoding: try fixtures.bytes(file), as: UTF8.self)
    return text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().compactMap {
      index, line in
      let rule = line.prefix { $0 != "#" }
      guard rule.contains("÷") else { return nil }
      let segments = rule.split(separator: "÷").map { segment in
        segment.split { $0 == "×" || $0 == " " || $0 == "\t" }.map { UInt32($0, radix: 16)! }
      }
      return Line(number: index + 1, segments: segments.filter { !$0.isEmpty })
    }
  }

  private func isWhiteSpace(_ character: UInt32) -> Bool {
    Unicode.Scalar(character)!.properties.isWhitespace
  }

  private func trimmed(_ segment: [UInt32]) -> [UInt32] {
    let rest = segment.drop(while: isWhiteSpace)
    return Array(rest.reversed().drop(while: isWhiteSpace).reversed())
  }

  /// ICU's root locale differs from UAX 29 in one rule: in CLDR the colon does not join letters (MidLetter),
  /// so a colon and its marks are a separate word.
  private func separatingColons(_ segments: [[UInt32]]) -> [[UInt32]] {
    segments.flatMap { segment in
      var parts: [[UInt32]] = [[]]
      for character in segment {
        let isLetter = Unicode.Scalar(character)!.properties.isAlphabetic
        if character == 0x3a || parts.last?.first == 0x3a && isLetter { parts.append([]) }
        parts[parts.count - 1].append(character)
      }
      return parts.filter { !$0.isEmpty }
    }
  }

  private func options(fast: Bool) -> NormalizationOptions {
    var options = NormalizationOptions(form: .none, cleansWhitespace: false, cleansControls: false)
    options.usesFastPath = fast
    return options
  }

  @Test(arguments: [true, false]) func words(fast: Bool) throws {
    var options = options(fast: fast)
    options.tokenizes = true
    let normalizer = try Normalizer(options)
    let lines = try Self.lines("WordBreakTest.txt.zst")
    #expect(lines.count > 1_800)
    for line in lines where line.segments.joined().allSatisfy(pkm_unicode_is_assigned) {
      var expected: [UInt32] = []
      for segment in separatingColons(line.segments) {
        let word = trimmed(segment)
        if !word.isEmpty {
          if let last = expected.last, last != 0x0a { expected.append(0x20) }
          expected += word
        } else if segment.contains(0x0a) {
          expected.append(0x0a)
        }
      }
      let result = try normalizer.normalize(Array(text: Array(line.segments.joined())))
      #expect(result == Array(text: expected), "line \(line.number)")
    }
  }

  @Test(arguments: [true, false]) func sentences(fast: Bool) throws {
    var options = options(fast: fast)
    options.splitsSentences = true
    let normalizer = try Normalizer(options)
    let lines = try Self.lines("SentenceBreakTest.txt.zst")
    #expect(lines.count > 500)
    for line in lines where line.segments.joined().allSatisfy(pkm_unicode_is_assigned) {
      // A line end in the text is kept, also at the end and if nothing comes before it.
      var expected: [UInt32] = []
      var isOpen = false
      for segment in line.segments {
        let sentence = trimmed(segment)
        if !sentence.isEmpty {
          if isOpen { expected.append(0x0a) }
          expected += sentence
          isOpen = true
        }
        if segment.last == 0x0a {
          expected.append(0x0a)
          isOpen = false
        }
      }
      let result = try normalizer.normalize(Array(text: Array(line.segments.joined())))
      #expect(result == Array(text: expected), "line \(line.number)")
    }
  }
}
