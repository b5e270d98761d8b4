import CPreTokens
import Support
import Testing

@testable import Tokenization

@Suite(.timeLimit(.minutes(60))) struct PreTokenizerTests {
  static let lossless = PreTokenizer.allCases.filter { $0 != .words }

  private func split(_ text: String, _ preTokenizer: PreTokenizer) -> [String] {
    preTokenizer.split(Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) }
  }

  @Test func gpt2SplitsAsPublished() {
    #expect(
      split("Hello world's 12 x!  \n y", .gpt2) == ["Hello", " world", "'s", " 12", " x", "!", "  \n", " y"])
    #expect(split("I'LL i'll ''s", .gpt2) == ["I", "'", "LL", " i", "'ll", " ''", "s"])
    #expect(split("a  b", .gpt2) == ["a", " ", " b"])
    #expect(split("a\u{a0}b", .gpt2) == ["a", "\u{a0}", "b"])
    #expect(split("cafe\u{301}s", .gpt2) == ["cafe", "\u{301}", "s"])
    #expect(split("tail  ", .gpt2) == ["tail", "  "])
  }

  @Test func cl100kSplitsAsPublished() {
    #expect(
      split("I'LL go12345 (x)\n\n y", .cl100k) == ["I", "'LL", " go", "123", "45", " (", "x", ")\n\n", " y"])
    #expect(split("a \n  b", .cl100k) == ["a", " \n", " ", " b"])
    #expect(split("a\n  ", .cl100k) == ["a", "\n  "])
    #expect(split("a\n  ", .llama3) == ["a", "\n", "  "])
    #expect(split("\tx \u{3000}y", .cl100k) == ["\tx", " ", "\u{3000}y"])
  }

  @Test func o200kSplitsAsPublished() {
    #expect(split("CamelCase HTTPServer don't", .o200k) == ["Camel", "Case", " HTTPServer", " don't"])
    #expect(
      split("日本A日x 日本A", .o200k) == ["日本A日x", " 日本", "A"], "capitals are given back where nothing follows")
    #expect(split("a/b//\n/c", .o200k) == ["a", "/b", "//\n/", "c"])
  }

  @Test func caseDoesNotCutContractions() {
    #expect(split("we'lL he'vE I'rEad", .o200k) == ["we'lL", " he'vE", " I'rE", "ad"])
  }

  @Test func wordsAndWhitespaceSplitAtSpaces() {
    #expect(split(" a\tb  c\nd\r", .words) == ["a\tb", "c", "d\r"])
    #expect(split("a\tb  c\n", .whitespace) == ["a", "\t", "b", " ", " c", "\n"])
  }

  @Test(arguments: lossless) func preTokensJoinToTheText(preTokenizer: PreTokenizer) {
    var random = RandomGenerator(seed: 3)
    for text in Adversarial.texts + [RealText.multilingual] {
      #expect(preTokenizer.split(Array(text.utf8)).flatMap { $0 } == Array(text.utf8))
    }
    for _ in 0..<2000 {
      let bytes = (0..<random.below(12)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      let preTokens = preTokenizer.split(bytes)
      #expect(preTokens.flatMap { $0 } == bytes && preTokens.allSatisfy { !$0.isEmpty }, "\(bytes)")
    }
  }

  /// Short texts of few characters, in which every alternative and every position of the edge of a block
  /// occurs, and real text.
  @Test(arguments: [PreTokenizer.gpt2, .cl100k, .llama3, .o200k, .whitespace])
  func kernelEqualsTheReference(preTokenizer: PreTokenizer) {
    func check(_ bytes: [UInt8]) -> Bool {
      let (ours, reference) = (preTokenizer.split(bytes), ReferencePatterns.split(bytes, preTokenizer))
      #expect(ours == reference, "\(String(decoding: bytes, as: UTF8.self).debugDescription)")
      return ours == reference
    }
    for text in Adversarial.texts + [RealText.prose, RealText.multilingual] where !check(Array(text.utf8)) {
      return
    }
    let alphabets = [
      "ab'st  \n", "aA\u{301}日'sT", "a!\u{301}'s \n/", "1a2 \n", " \n\r\t!a", "Aa日本\u{301}'ll",
      "aAé日\u{301} \u{a0}\u{3000}\n/.!'sSlLveſ12٣🙂—“", "!/\n\r\u{301}", "  \n\u{2028}x",
    ].map { Array($0.unicodeScalars) }
    var random = RandomGenerator(seed: 9)
    for round in 0..<30_000 {
      let alphabet = alphabets[random.below(alphabets.count)]
      var text = String.UnicodeScalarView()
      // Some runs of one character are long, so that blocks begin and end inside of everything.
      let length = random.below(round % 8 == 0 ? 300 : 24)
      while text.count < length {
        let character = alphabet[random.below(alphabet.count)]
        let run = random.below(16) == 0 ? 1 + random.below(round % 8 == 0 ? 90 : 6) : 1
        for _ in 0..<run { text.append(character) }
      }
      var bytes = Array(String(text).utf8)
      if random.below(8) == 0 && !bytes.isEmpty { bytes.remove(at: random.below(bytes.count)) }
      let padding = [UInt8](repeating: UInt8(ascii: "x"), count: random.below(4) == 0 ? random.below(64) : 0)
      if !check(padding + bytes) { return }
    }
  }

  /// The code for each instruction set gives the same bits.
  @Test(
    arguments: [
      PKM_PATTERN_GPT2, PKM_PATTERN_CL100K, PKM_PATTERN_O200K, PKM_PATTERN_WORDS, PKM_PATTERN_QWEN35,
      PKM_PATTERN_TEKKEN, PKM_PATTERN_DIGITS, PKM_PATTERN_DEEPSEEK, PKM_PATTERN_KIMI,
    ].map(Int32.init))
  func instructionSetsAgree(pattern: Int32) {
    let instructionSets = [PKM_INSTRUCTIONS_ANY, PKM_INSTRUCTIONS_V3, PKM_INSTRUCTIONS_V4].map(Int32.init)
    let classes =
      switch Int(pattern) {
      case Int(PKM_PATTERN_DEEPSEEK): DeepSeekClasses.table
      case Int(PKM_PATTERN_KIMI): KimiClasses.table
      default: CharacterClasses.table
      }
    var random = RandomGenerator(seed: 10)
    var texts = [RealText.prose, RealText.multilingual].map { Array($0.utf8) }
    for _ in 0..<300 {
      texts.append((0..<random.below(300)).map { _ in UInt8(truncatingIfNeeded: random.next()) })
    }
    for text in texts {
      let starts = instructionSets.compactMap { instructions -> [UInt64]? in
        var starts = [UInt64](repeating: 0, count: text.count / 64 + 1)
        return pkm_pre_token_starts_with(
          instructions, pattern, text, text.count, text.count, classes, &starts) ? starts : nil
      }
      #expect(starts.allSatisfy { $0 == starts[0] })
    }
  }

  @Test(arguments: lossless + [.words]) func safeCutsDoNotChangePreTokens(preTokenizer: PreTokenizer) {
    var random = RandomGenerator(seed: 4)
    let characters = Array("ab A1'’s \n\r\t.,/é日\u{301}\u{a0}\u{3000}\u{2028}ſ\u{0}".unicodeScalars)
    var cuts = 0
    for _ in 0..<20000 {
      var text = String.UnicodeScalarView()
      for _ in 0..<random.below(12) { text.append(characters[random.below(characters.count)]) }
      var bytes = Array(String(text).utf8)
      // Sometimes ill-formed UTF-8.
      if random.below(4) == 0 && !bytes.isEmpty { bytes.remove(at: random.below(bytes.count)) }
      guard let (first, last) = bytes.withUnsafeBufferPointer(preTokenizer.safeCuts) else { continue }
      for cut in [first, last] {
        cuts += 1
        let parts = preTokenizer.split(Array(bytes[..<cut])) + preTokenizer.split(Array(bytes[cut...]))
        #expect(parts == preTokenizer.split(bytes), "\(bytes) at \(cut)")
      }
    }
    #expect(preTokenizer == .none ? cuts == 0 : cuts > 5000)
  }

  @Test(arguments: lossless + [.words]) func countsDoNotDependOnParts(preTokenizer: PreTokenizer) throws {
    let text = Array((RealText.prose.prefix(6000) + RealText.multilingual.prefix(6000)).utf8)
    func counts(_ sizes: (Int) -> Int) throws -> [[UInt8]: Int] {
      let counter = PreTokenCounter(preTokenizer)
      var start = 0
      while start < text.count {
        let end = min(text.count, start + sizes(start))
        try text.withUnsafeBufferPointer {
          try counter.join(counter.countInside(UnsafeBufferPointer(rebasing: $0[start..<end])))
        }
        start = end
      }
      try counter.endText()
      let words = try counter.finish()
      var counts: [[UInt8]: Int] = [:]
      for word in 0..<words.distinct {
        counts[Array(words.bytes[words.range(of: word)])] = words.counts[word]
      }
      return counts
    }
    var expected: [[UInt8]: Int] = [:]
    for piece in preTokenizer.split(text) { expected[piece, default: 0] += 1 }
    for size in [1, 2, 3, 7, 64, 1000, 100_000] {
      #expect(try counts { _ in size } == expected, "parts of \(size)")
    }
    #expect(try counts { 1 + $0 % 97 } == expected)
  }

  @Test func illFormedBytesAreSingleCharacters() {
    // Stray continuation, truncated, overlong, surrogate, beyond Unicode: each byte is of class other.
    for bytes in [
      [0x80], [0xe3, 0x81], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xff],
    ] as [[UInt8]] {
      #expect(PreTokenizer.gpt2.split([0x61] + bytes + [0x62]) == [[0x61], bytes, [0x62]])
    }
  }
}
