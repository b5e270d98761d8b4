import Foundation
import Support
import TestSupport
import Testing

@testable import Corpus

/// Damages the structure of JSON lines and text: every document comes out, or is counted as lost.
///
/// `PKM_STRUCTURE_RUNS` sets the number of inputs (default: a few thousand), and `PKM_FUZZ_SEED` the seed of the first.
@Suite(.long, .timeLimit(.minutes(60))) struct StructureFuzzTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// Parts that writers put between, before, after or instead of objects.
  private static let separators = [
    "\n", "\r\n", "\r", ",\n", "", " ", "\n\n", "\n#x\n", "\n\u{feff}", "\u{1e}", "\n,", "\t",
  ]
  private static let openings = [
    "", "", "", "[", "[\n", "\u{feff}", "# header\n", "\n\n", "{}\n", "//\n", "\u{feff}[", "null\n",
  ]
  private static let closings = ["", "\n", "]", "\n]\n", ",]", "\r\n", "]\n]", "\u{0}"]
  private static let values = [
    "null", "1", "-0.5e9", "NaN", "-Infinity", "true", "\"s\"", "[]", "{}", "[[{\"text\":\"x\"}]]",
    "{\"a\":{\"b\":[1,\"}\"]}}", "\"\\ud800\"",
    "\"\\\"{\"", "123456789012345678901234567890",
  ]

  private static func object(_ number: Int, _ random: inout RandomGenerator) -> String {
    let space = ["", " ", "\n", "\n  ", "\r\n"][random.below(10) < 6 ? 0 : random.below(5)]
    var fields = ["\"text\":\"<\(number)>\""]
    for field in 0..<random.below(4) {
      fields.insert("\"k\(field)\":\(values[random.below(values.count)])", at: random.below(fields.count + 1))
    }
    return "{" + space + fields.joined(separator: "," + space) + space + "}"
  }

  private static func mutate(_ bytes: inout [UInt8], _ random: inout RandomGenerator) {
    for _ in 0..<random.below(4) where !bytes.isEmpty {
      let at = random.below(bytes.count)
      switch random.below(7) {
      case 0: bytes.remove(at: at)
      case 1: bytes.insert(Array("{}[]\",:\\\n\r\u{0} #".utf8)[random.below(13)], at: at)
      case 2: bytes.removeLast(bytes.count - at)
      case 3: bytes.removeFirst(at)
      case 4: bytes[at] = UInt8(random.below(256))
      case 5: bytes.insert(contentsOf: bytes[at...].prefix(random.below(40)), at: random.below(bytes.count))
      default:
        bytes.insert(contentsOf: Array(repeating: UInt8(ascii: "["), count: random.below(2000)), at: at)
      }
    }
  }

  @Test func everyDocumentIsReadOrCounted() throws {
    let environment = ProcessInfo.processInfo.environment
    let runs = environment["PKM_STRUCTURE_RUNS"].flatMap { Int($0) } ?? 3000
    let seed = environment["PKM_FUZZ_SEED"].flatMap { UInt64($0) } ?? 1
    for run in 0..<runs {
      var random = RandomGenerator(seed: seed &+ UInt64(run))
      let count = 1 + random.below(8)
      var text = Self.openings[random.below(Self.openings.count)]
      let separator = Self.separators[random.below(Self.separators.count)]
      for number in 0..<count {
        text += Self.object(number, &random)
        if number + 1 < count {
          text += random.below(8) == 0 ? Self.separators[random.below(Self.separators.count)] : separator
        }
      }
      text += Self.closings[random.below(Self.closings.count)]
      var bytes = Array(text.utf8)
      let isDamaged = random.below(3) > 0
      if isDamaged { Self.mutate(&bytes, &random) }
      let path = try scratch.write(["a.jsonl", "a.json"][random.below(2)], bytes)
      let options = ReaderOptions(
        encoding: random.below(4) == 0 ? .automatic : .utf8, batchBytes: [1, 5, 64, 1 << 20][random.below(4)])
      let started = Progress.now()
      do {
        let found = try ReadDocuments([path], options)
        // A comment to the end of a line costs what stands in it.
        let lost =
          found.counts.count(.jsonLinesBroken) + found.counts.count(.jsonTextsMissing)
          + found.counts.count(.jsonCommentsSkipped)
        // Text in a wide encoding, and lines of CR alone, have other line ends.
        let isPlain =
          options.encoding == .utf8 && !bytes.starts(with: [0xff, 0xfe]) && !bytes.starts(with: [0xfe, 0xff])
        if isPlain && found.counts.count(.inputsWithJSONValues) == 0 && found.isOfLines && bytes.count > 3 {
          let text = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? bytes.dropFirst(3) : bytes[...]
          let lines = text.split(separator: 0x0a, omittingEmptySubsequences: false).count
          #expect(
            found.accountsForJSONLines(lines - (text.last == 0x0a || text.isEmpty ? 1 : 0)),
            "input \(seed &+ UInt64(run)): \(String(decoding: bytes, as: UTF8.self)) \(found.counts.line)")
        }
        // Every object is there, in order; where layouts are mixed, those that are not are counted.
        if !isDamaged {
          let read = found.texts.filter { $0.hasPrefix("<") && $0.hasSuffix(">") }
          let isWhole = read == (0..<count).map { "<\($0)>" }
          #expect(isWhole || lost > 0, "input \(seed &+ UInt64(run)): \(text)")
        } else {
          let kept = (0..<count).count { bytes.contains("\"<\($0)>\"") && !found.texts.contains("<\($0)>") }
          #expect(
            kept == 0 || lost > 0,
            "input \(seed &+ UInt64(run)): \(String(decoding: bytes, as: UTF8.self)) \(found.counts.line)")
        }
      } catch let failure as Failure {
        #expect(failure.kind == .badInput && failure.message.contains("not text"), "input \(run): \(failure)")
      }
      #expect(Progress.now() - started < 10, "input \(run)")
    }
  }
}

extension ReadDocuments {
  /// Whether the file was taken for JSON, whose lines are the file's.
  fileprivate var isOfLines: Bool {
    counts.count(.inputsDamaged) == 0 && counts.count(.inputsWithCRLineEnds) == 0
  }
}

extension [UInt8] {
  fileprivate func contains(_ text: String) -> Bool {
    withUnsafeBytes { ByteSearch.first(Array(text.utf8), in: $0) != nil }
  }
}
