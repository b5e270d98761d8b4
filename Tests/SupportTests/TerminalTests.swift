import Support
import Testing

@Suite struct TerminalTests {
  @Test func whatActsOnATerminalIsMasked() {
    #expect(Terminal.masked("a\u{1b}[31mb\u{7}\u{7f}\r") == "a\u{fffd}[31mb\u{fffd}\u{fffd}\u{fffd}")
    #expect(Terminal.masked("x\u{9b}31m\u{202e}y\u{2066}") == "x\u{fffd}31m\u{fffd}y\u{fffd}")
    #expect(Terminal.masked("line\n\tkept é 漢 👍🏽") == "line\n\tkept é 漢 👍🏽")
    #expect(Terminal.maskedLine("a\nb") == "a\u{fffd}b")
    #expect(Terminal.masked(Array("a\u{1b}[0m\n".utf8)) == Array("a?[0m\n".utf8))
  }

  @Test func aFailureDoesNotPassOnTheNameOfAFileAsItIs() {
    let failure = Failure(.badInput, "is damaged", file: "a\u{1b}]0;title\u{7}\n.txt")
    #expect(!failure.description.unicodeScalars.contains { $0.properties.generalCategory == .control })
  }
}
