import Testing
import Training

@Suite(.timeLimit(.minutes(60))) struct CharacterStreamTests {
  /// Cut in two at every place, and byte by byte: the characters that Swift's decoder finds in the whole, but for an
  /// unfinished one at the end.
  @Test(arguments: ["a", "Zürich, 東京 🙂!", "\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}"])
  func piecesGiveTheWhole(text: String) {
    let bytes = Array(text.utf8)
    for cut in 0...bytes.count {
      var stream = CharacterStream()
      let first = stream.add(Array(bytes[..<cut]))
      #expect(String(validating: first, as: UTF8.self) != nil)
      #expect(first + stream.add(Array(bytes[cut...])) == bytes)
    }
    var stream = CharacterStream()
    #expect(bytes.flatMap { stream.add([$0]) } == bytes)
  }

  /// Every pair of bytes and some longer sequences, byte by byte.
  @Test func whatIsNoCharacterIsReplaced() {
    var sequences: [[UInt8]] = (0...255).flatMap { a in (0...255).map { [UInt8(a), UInt8($0), 0x41] } }
    sequences += [
      [0xf0, 0x9f, 0x41], [0xf0, 0x9f, 0x99, 0x41], [0xe0, 0x80, 0x80, 0x41], [0xed, 0xa0, 0x80, 0x41],
      [0xf4, 0x90, 0x80, 0x80, 0x41], [0xf0, 0x80, 0x80, 0x80, 0x41], [0xff, 0x80, 0x80, 0x80, 0x80, 0x41],
    ]
    for bytes in sequences {
      var stream = CharacterStream()
      let pieces = bytes.flatMap { stream.add([$0]) }
      #expect(String(decoding: pieces, as: UTF8.self) == String(decoding: bytes, as: UTF8.self), "\(bytes)")
    }
  }

  @Test(arguments: [[0xc3], [0xe2, 0x82], [0xf0, 0x9f, 0x99]] as [[UInt8]])
  func anUnfinishedCharacterIsLeftOut(bytes: [UInt8]) {
    var stream = CharacterStream()
    #expect(stream.add([0x41] + bytes) == [0x41])
  }
}
