import CICU
import Corpus
import TestSupport
import Testing

/// The conformance test of the Unicode Character Database (UAX 15), for the fast path and for ICU alone.
@Suite(.timeLimit(.minutes(60))) struct NormalizationConformanceTests {
  typealias Form = NormalizationOptions.Form

  private struct Line {
    let number: Int
    /// source; NFC; NFD; NFKC; NFKD.
    let columns: [[UInt8]]
    let scalars: [UInt32]
    let isPartOne: Bool
  }

  private static func lines() throws -> [Line] {
    let text = String(decoding: try fixtures.bytes("NormalizationTest.txt.zst"), as: UTF8.self)
    var isPartOne = false
    var lines: [Line] = []
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      if line.hasPrefix("@") { isPartOne = line.hasPrefix("@Part1") }
      guard let first = line.first, first.isHexDigit else { continue }
      let columns = line.split(separator: ";").prefix(5).map { column in
        column.split(separator: " ").map { UInt32($0, radix: 16)! }
      }
      // An older ICU does not know newer characters. A newer ICU agrees with the file, because its characters
      // are frozen.
      guard columns[0].allSatisfy(pkm_unicode_is_assigned) else { continue }
      lines.append(
        Line(
          number: index + 1, columns: columns.map { Array(text: $0) }, scalars: columns[0],
          isPartOne: isPartOne))
    }
    return lines
  }

  private static func normalizer(_ form: Form, fast: Bool) throws -> Normalizer {
    var options = NormalizationOptions(form: form, cleansWhitespace: false, cleansControls: false)
    options.usesFastPath = fast
    return try Normalizer(options)
  }

  @Test(.long, arguments: [Form.nfc, .nfd, .nfkc, .nfkd], [true, false])
  func conformsOnEveryLine(form: Form, fast: Bool) throws {
    let normalizer = try Self.normalizer(form, fast: fast)
    let lines = try Self.lines()
    #expect(lines.count > 18_000)
    let (expected, sources): (Int, [(from: Int, to: Int)]) =
      switch form {
      case .nfc: (1, [(0, 1), (1, 1), (2, 1), (3, 3), (4, 3)])
      case .nfd: (2, [(0, 2), (1, 2), (2, 2), (3, 4), (4, 4)])
      case .nfkc: (3, (0..<5).map { ($0, 3) })
      default: (4, (0..<5).map { ($0, 4) })
      }
    var failures: [Int] = []
    for line in lines {
      for (from, to) in sources
      where try normalizer.normalize(line.columns[from]) != line.columns[to] {
        failures.append(line.number)
      }
      // Also test inside a word, where the fast path looks at runs of letters and marks.
      let framed = Array("word ".utf8) + line.columns[0] + Array(" .".utf8)
      if try normalizer.normalize(framed) != Array("word ".utf8) + line.columns[expected] + Array(" .".utf8) {
        failures.append(line.number)
      }
    }
    #expect(failures.isEmpty, "lines \(failures.prefix(10))")
  }

  @Test(arguments: [Form.nfc, .nfd, .nfkc, .nfkd])
  func keepsCharactersThatAreNotListed(form: Form) throws {
    let normalizer = try Self.normalizer(form, fast: true)
    let listed = Set(try Self.lines().filter { $0.isPartOne && $0.scalars.count == 1 }.map { $0.scalars[0] })
    var text: [UInt8] = []
    for value in UInt32(0)...0x10ffff {
      guard !listed.contains(value), Unicode.Scalar(value) != nil, pkm_unicode_is_assigned(value) else {
        continue
      }
      text += Array(text: [value])
      text.append(0x20)
    }
    #expect(try normalizer.normalize(text) == text)
  }
}

extension [UInt8] {
  /// UTF-8 of code points.
  init(text scalars: [UInt32]) {
    self = scalars.flatMap { Array(String(Unicode.Scalar($0)!).utf8) }
  }
}
