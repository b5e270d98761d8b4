import CBytes
import Support
import Testing

@Suite struct BytesTests {
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
