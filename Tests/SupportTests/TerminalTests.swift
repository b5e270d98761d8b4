import Support
import Testing

@Suite(.timeLimit(.minutes(60))) struct TerminalTests {
  @Test func whatActsOnATerminalIsMasked() {
    #expect(Terminal.masked("a\u{1b}[31mb\u{7}\u{7f}\r") == "a\u{fffd}[31mb\u{fffd}\u{fffd}\u{fffd}")
    #expect(Terminal.masked("x\u{9b}31m\u{202e}y\u{2066}") == "x\u{fffd}31m\u{fffd}y\u{fffd}")
    #expect(Terminal.masked("line\n\tkept é 漢 👍🏽") == "line\n\tkept é 漢 👍🏽")
    #expect(Terminal.maskedLine("a\nb") == "a\u{fffd}b")
  }

  @Test func aFailureDoesNotPassOnTheNameOfAFileAsItIs() {
    let failure = Failure(.badInput, "is damaged", file: "a\u{1b}]0;title\u{7}\n.txt")
    #expect(!failure.description.unicodeScalars.contains { $0.properties.generalCategory == .control })
  }

  /// A token may be a part of a character, so every split of a text is masked like the whole.
  @Test(arguments: [1, 2, 3, 100]) func piecesAreMaskedLikeTheWhole(size: Int) {
    let texts: [(String, [UInt8])] = [
      ("a\u{1b}[0m\n\t\u{7f}", Array("a?[0m\n\t?".utf8)),
      ("x\u{9b}31m", [0x78, 0xc2, 0x3f] + Array("31m".utf8)),
      ("x\u{202e}y\u{2066}z", [0x78, 0xe2, 0x80, 0x3f, 0x79, 0xe2, 0x81, 0x3f, 0x7a]),
      ("é ¡ € 漢 “👍🏽”", Array("é ¡ € 漢 “👍🏽”".utf8)),
    ]
    for (text, expected) in texts {
      var mask = Terminal.ByteMask()
      let bytes = Array(text.utf8)
      let pieces = stride(from: 0, to: bytes.count, by: size).map {
        Array(bytes[$0..<min($0 + size, bytes.count)])
      }
      #expect(pieces.flatMap { mask.masked($0) } == expected, "\(text.debugDescription)")
    }
  }
}
