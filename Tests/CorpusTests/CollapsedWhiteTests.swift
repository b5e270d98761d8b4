import CBytes
import Testing

/// Runs of white space collapse wherever they stand in the blocks of 64 bytes.
@Suite(.timeLimit(.minutes(60))) struct CollapsedWhiteTests {
  private func collapsed(_ text: String, isLines: Bool = false) -> String {
    // The kernel reads whole blocks.
    var bytes = Array(text.utf8) + [UInt8](repeating: 0x78, count: 64)
    let count = pkm_collapse_white(&bytes, text.utf8.count, isLines)
    return String(decoding: bytes[..<count], as: UTF8.self)
  }

  @Test(arguments: ["  ", " \t", "\t ", "   "]) func runsAtEveryOffset(run: String) {
    for length in 1..<200 {
      let word = String(repeating: "x", count: length)
      #expect(collapsed(word + run + "y") == word + " y", "\(length)")
      #expect(collapsed(word + run) == word, "\(length)")
      #expect(collapsed(run + word) == word, "\(length)")
    }
  }

  @Test func lineEndsAtEveryOffset() {
    for length in 1..<200 {
      let word = String(repeating: "x", count: length)
      for (run, expected) in [
        ("\n", "\n"), (" \n", "\n"), ("\r\n", "\n"), ("\n\n", "\n\n"), ("\n \n\n ", "\n\n"),
      ] {
        #expect(collapsed(word + run + "y") == word + expected + "y", "\(length), \(run.debugDescription)")
      }
    }
  }
}
