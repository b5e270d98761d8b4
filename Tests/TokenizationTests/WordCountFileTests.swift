import Foundation
import Support
import TestSupport
import Testing
import Tokenization

@Suite(.timeLimit(.minutes(60))) struct WordCountFileTests {
  private func read(_ bytes: [UInt8]) throws -> (words: [[UInt8]: Int], preTokenizer: PreTokenizer?) {
    let reader = try WordCountReader(Scratch.lasting.write("counts-\(UUID().uuidString)", bytes))
    var words: [[UInt8]: Int] = [:]
    while try reader.advance() { words[reader.word, default: 0] += reader.count }
    return (words, reader.preTokenizer)
  }

  private func line(_ word: [UInt8], _ count: Int, isPlain: Bool) -> [UInt8] {
    var out: [UInt8] = []
    word.withUnsafeBufferPointer { WordCountFile.append($0, count: count, isPlain: isPlain, to: &out) }
    return out
  }

  @Test func everyByteStringRoundTrips() throws {
    var random = RandomGenerator(seed: 3)
    let awkward: [UInt8] = [
      0, 9, 10, 13, 0x20, 0x30, 0x5c, 0x6e, 0x78, 0x7f, 0x80, 0xc2, 0xe3, 0xed, 0xf4, 0xff,
    ]
    var expected: [[UInt8]: Int] = [:]
    for byte in UInt8.min...255 { expected[[byte]] = Int(byte) + 1 }
    for _ in 0..<5000 {
      let word = (0...random.below(6)).map { _ in awkward[random.below(awkward.count)] }
      expected[word] = 1 + random.below(1000)
    }
    expected[Array("日本語 é\u{2028}".utf8)] = Int.max
    expected[Array("#pre-tokenizer".utf8)] = 7
    var file = WordCountFile.header(.o200k)
    for (word, count) in expected { file += line(word, count, isPlain: false) }
    #expect(String(validating: file, as: UTF8.self) != nil, "the file is valid UTF-8")
    let (words, preTokenizer) = try read(file)
    #expect(words == expected && preTokenizer == .o200k)
  }

  @Test func plainLinesNeedNoEscapes() throws {
    var expected: [[UInt8]: Int] = [:]
    for word in ["a", "a\tb", "a\\n", "tab\t7", "\\", "#pre-tokenizer\tgpt2", "é", "\u{a0}"] {
      expected[Array(word.utf8)] = 1 << 33
    }
    expected[[0xff, 0x00]] = 3
    let (words, preTokenizer) = try read(expected.flatMap { line($0.key, $0.value, isPlain: true) })
    #expect(words == expected && preTokenizer == nil)
  }

  @Test func readsCountsOfOtherPrograms() throws {
    // No line end after the last line, CR LF, blank lines, a word twice, and a count of more than 32 bits.
    let (words, _) = try read(Array("the 4294967296\r\n\nthe 1\n the\t5".utf8))
    #expect(words == [Array("the".utf8): 4_294_967_297, Array(" the".utf8): 5])
    #expect(try read([]).words.isEmpty)
  }

  @Test(arguments: [
    "word", "word ", " 5", "\t5", "a\t5x", "a 0", "a -1", "a 9223372036854775808", "a\\q\t5", "a\\x4\t5",
  ])
  func refusesLinesOfAnyOtherForm(line: String) throws {
    let file = try Scratch.lasting.write("bad-\(UUID().uuidString)", Array("good 1\n\(line)\n".utf8))
    let reader = try WordCountReader(file)
    #expect(try reader.advance())
    let error = #expect(throws: Failure.self) { try reader.advance() }
    #expect(error?.line == 2 && error?.file == file && error?.kind == .badInput)
  }
}

extension Scratch {
  /// For files that a test reads immediately.
  static var lasting: Scratch {
    get throws { try shared.get() }
  }
  private static let shared = Result { try Scratch() }
}
