import CBytes
import Support
import Testing

@testable import Corpus

@Suite(.timeLimit(.minutes(60))) struct BytesTests {
  @Test func whiteSpaceIsThatOfUnicode() {
    func isBlank(_ text: String) -> Bool { Array(text.utf8).withUnsafeBytes { Bytes.isBlank($0[...]) } }
    for value in UInt32(0)...0x10ffff {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let text = String(Character(scalar))
      #expect(isBlank(text) == scalar.properties.isWhitespace, "U+\(String(value, radix: 16))")
    }
    #expect(isBlank("") && isBlank(" \u{3000}\u{a0}\n") && !isBlank("\u{3000}a") && !isBlank("\u{200b}"))
    for (text, end) in [("a\u{3000}\u{a0} \n", 1), ("\u{3000}", 0), ("漢\u{2009}", 3), ("漢", 3), ("", 0)] {
      let found = Array(text.utf8).withUnsafeBytes { Bytes.endWithoutWhiteSpace($0[...]) }
      #expect(found == end, "\(text)")
    }
    // Ill-formed bytes are no white space.
    for bytes in [[0xe3, 0x80], [0xc2], [0x80], [0xe3, 0x80, 0x20]] as [[UInt8]] {
      #expect(!bytes.withUnsafeBytes { Bytes.isBlank($0[...]) })
    }
  }

  @Test func linesAgreeWithASimpleLoop() {
    var random = RandomGenerator(seed: 3)
    for length in 1..<300 {
      let bytes = (0..<length).map { _ in [UInt8(ascii: "a"), 0x0a, 0x0d, 0x0a][random.below(4)] }
      let sparse = bytes.map { random.below(20) == 0 ? $0 : 0x61 }
      for text in [bytes, sparse] {
        var expected = text.split(separator: 0x0a, omittingEmptySubsequences: false).map { line in
          let hasReturn = line.last == 0x0d && line.endIndex < text.count
          return line.startIndex..<(hasReturn ? line.endIndex - 1 : line.endIndex)
        }
        if expected.last?.isEmpty == true { expected.removeLast() }
        var lines = [pkm_byte_range](repeating: pkm_byte_range(), count: text.count + 1)
        let count = pkm_bytes_lines(text, text.count, &lines)
        #expect(lines[..<count].map { Int($0.start)..<Int($0.end) } == expected)
      }
    }
  }
}
