import Support
import Testing

@Suite(.timeLimit(.minutes(60))) struct WordsTests {
  private func count(_ bytes: [UInt8]) -> Int { bytes.withUnsafeBytes { Words.count(in: $0) } }

  @Test func isWhatSplittingGives() {
    var random = RandomGenerator(seed: 1)
    let alphabet = Array(" \t\n\u{b}\u{c}\rabc\u{e}\u{8}é".utf8)
    for length in 0..<700 {
      let bytes = (0..<length).map { _ in alphabet[random.below(alphabet.count)] }
      let words = bytes.split { $0 == 0x20 || (0x09...0x0d).contains($0) }
      #expect(count(bytes) == words.count)
    }
    #expect(count([0x61]) == 1 && count([0x20]) == 0 && count([]) == 0)
  }
}
