import Foundation
import Support
import TestSupport
import Testing

@testable import Tokenization

@Suite(.timeLimit(.minutes(60))) struct SuperwordTests {
  /// Both stages by their definition.
  private func reference(
    _ text: String, _ preTokenizer: PreTokenizer, first: Int, second: Int, words: Int, minimumCount: Int
  ) -> [ReferenceBPE.Merge] {
    let bytes = Array(text.utf8)
    let alphabet = ByteAlphabet.bytes.map { [$0] }
    let inside = ReferenceBPE.learn(
      words: preTokenizer.split(bytes).map { ($0.map { [$0] }, 1) }, alphabet: alphabet, limit: first,
      minimumCount: minimumCount, tieBreak: .smallestIDs)
    let tokens = alphabet + inside.map { $0.left + $0.right }
    let units = preTokenizer.superwords!.split(bytes).map { unit in
      (inside.reduce(unit.map { [$0] }) { ReferenceBPE.merged($0, $1.left, $1.right) }, 1)
    }
    return inside
      + ReferenceBPE.learn(
        words: units, alphabet: tokens, limit: second, minimumCount: minimumCount, tieBreak: .smallestIDs
      ) { left, right in
        let token = String(decoding: left + right, as: UTF8.self)
        return token.split(separator: " ").count <= words && !token.contains(": ")
          && !tokens.contains(left + right)
      }
  }

  private func texts(_ tokenizer: Tokenizer) -> [[[UInt8]]] {
    tokenizer.merges.map { [tokenizer.vocabulary[$0.left], tokenizer.vocabulary[$0.right]] }
  }

  /// Sentences of few words with everything that stays apart.
  private static let sentences: String = {
    var random = RandomGenerator(seed: 5)
    let words = [
      "of", "the", "a", "by", "way", "it's", "Ab", "note:", "x", "12", "--", "\n", "  ", ".", "é", "3.5,",
      "\t",
    ]
    return (0..<1500).map { _ in words[min(random.below(words.count), random.below(words.count))] }
      .joined(separator: " ")
  }()

  @Test(arguments: [PreTokenizer.gpt2, .cl100k, .o200k], [true, false])
  func mergesEqualThoseOfTheDefinition(preTokenizer: PreTokenizer, isProse: Bool) throws {
    let text = isProse ? String(RealText.prose.prefix(6000)) : Self.sentences
    for (words, minimumCount) in [(4, 1), (2, 3)] {
      let expected = reference(
        text, preTokenizer, first: 60, second: 90, words: words, minimumCount: minimumCount)
      #expect(expected.contains { ($0.left + $0.right).split(separator: 0x20).count > 1 })
      // However few pairs are kept at a time, and with all of them.
      for keptPairs in [nil, 0, 3, 40] {
        let tokenizer = try Make.superwords(
          [text], preTokenizer, first: 60, second: 90, words: words, minimumCount: minimumCount,
          keptPairs: keptPairs)
        #expect(
          texts(tokenizer) == expected.map { [$0.left, $0.right] }, "\(preTokenizer), kept \(keptPairs ?? -1)"
        )
      }
    }
  }

  @Test func memoryAndThreadsDoNotMatter() throws {
    let texts = [RealText.prose, RealText.multilingual]
    let expected = try Make.superwords(texts, .gpt2, first: 1500, second: 1500)
    for (memory, threads) in [(1 << 22, 1), (1 << 23, 3)] {
      let scratch = try Scratch()
      let tokenizer = try Make.superwords(
        texts, .gpt2, first: 1500, second: 1500, memory: memory, threads: threads, directory: scratch.path("")
      )
      #expect(tokenizer.merges == expected.merges && tokenizer.tokens == expected.tokens)
    }
    #expect(SuperwordTrainer.count(in: expected) > 300)
    #expect(Set(expected.tokens).count == expected.tokens.count, "no token twice")
  }

  @Test func fewerTokensThanWithoutSuperwords() throws {
    let bytes = Array(RealText.prose.utf8)
    let plain = BPEEncoder(try Make.tokenizer([RealText.prose], merges: 3000)).encode(bytes)
    let tokenizer = try Make.superwords([RealText.prose], .gpt2, first: 2000, second: 1000)
    let ids = BPEEncoder(tokenizer).encode(bytes)
    #expect(Double(ids.count) < 0.95 * Double(plain.count))
    #expect(try tokenizer.decode(ids) == bytes)
  }

  @Test func whatStaysApart() {
    func units(_ text: String, _ preTokenizer: PreTokenizer) -> [String] {
      preTokenizer.superwords!.split(Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) }
    }
    let text = "By the way, it's 1984...  ok\nnext line.\n\nEnd: \"x\" "
    #expect(
      units(text, .gpt2) == [
        "By the way, it's", " 1984", "...", " ", " ok", "\n", "next line.", "\n", "\n", "End: \"x\"", " ",
      ])
    #expect(
      units(text, .cl100k) == [
        "By the way, it's ", "198", "4", "...", " ", " ok", "\n", "next line", ".\n\n", "End: \"x\"", " ",
      ])
    #expect(units("हिन्दी की भाषा, e\u{301}\u{323}t", .o200k) == ["हिन्दी की भाषा, e\u{301}\u{323}t"])
  }

  @Test(arguments: [PreTokenizer.gpt2, .cl100k]) func noUnitBeginsInsideAPreToken(preTokenizer: PreTokenizer)
  {
    var random = RandomGenerator(seed: 12)
    let characters = Array("ab Z  109'’slt \n\r\t.,/!-é日\u{301}\u{a0}\u{3000}\u{2028}½🙂\u{0}".unicodeScalars)
    let texts =
      Adversarial.texts
      + (0..<3000).map { _ in
        var text = String.UnicodeScalarView()
        for _ in 0..<random.below(12) { text.append(characters[random.below(characters.count)]) }
        return String(text)
      }
    func starts(_ pieces: [[UInt8]]) -> Set<Int> {
      Set(pieces.reduce(into: [0]) { $0.append($0.last! + $1.count) })
    }
    for text in texts {
      let bytes = Array(text.utf8)
      let units = preTokenizer.superwords!.split(bytes)
      #expect(Array(units.joined()) == bytes)
      #expect(starts(units).isSubset(of: starts(preTokenizer.split(bytes))), "\(text.debugDescription)")
    }
  }

  @Test(arguments: [PreTokenizer.gpt2, .cl100k, .o200k]) func writingAndReading(preTokenizer: PreTokenizer)
    throws
  {
    let tokenizer = try Make.superwords([RealText.prose], preTokenizer, first: 300, second: 300)
    let read = try TokenizerJSON.read(TokenizerJSON.write(tokenizer), file: "x")
    #expect(read.tokens == tokenizer.tokens && read.merges == tokenizer.merges)
    #expect(read.preTokenizer == tokenizer.preTokenizer)
  }

  @Test(arguments: [PreTokenizer.gpt2, .cl100k]) func kernelsSplitAsTheirPatterns(preTokenizer: PreTokenizer)
    throws
  {
    let step = try #require(preTokenizer.superwordStep)
    let pattern = PreTokenizer.program(try SplitProgram([step], usesKernels: false))
    let units = try #require(preTokenizer.superwords)
    #expect(units.warning == nil && pattern.warning != nil)
    let texts =
      Adversarial.texts + SplitTexts.awkward + SplitTexts.random(3000, seed: 31) + [
        RealText.prose, RealText.multilingual,
      ]
    for text in texts {
      let bytes = Array(text.utf8)
      #expect(units.split(bytes) == pattern.split(bytes), "\(text.prefix(200).debugDescription)")
    }
    // Bytes that are no UTF-8, and white space of all kinds.
    var random = RandomGenerator(seed: 32)
    let pieces: [[UInt8]] = [
      [0x20], [0x20], [0x0a], [0x0d], [0x09], [0x0b], [0xc2, 0x85], [0xc2, 0xa0], [0xe3, 0x80, 0x80], [0x61],
      [0x62], [0x31], [0x2e], [0x27], [0x73], [0xff], [0xe2, 0x80], [0xcc, 0x81], [0xe6, 0x97, 0xa5],
    ]
    for _ in 0..<20_000 {
      let bytes = (0..<random.below(9)).flatMap { _ in pieces[random.below(pieces.count)] }
      let whole = units.split(bytes)
      #expect(whole == pattern.split(bytes), "\(bytes)")
      let cuts = bytes.withUnsafeBufferPointer { units.safeCuts(in: $0) }
      guard let cuts else { continue }
      for cut in [cuts.first, cuts.last] {
        #expect(units.split(Array(bytes[..<cut])) + units.split(Array(bytes[cut...])) == whole, "\(bytes)")
      }
    }
  }

  @Test func tooLittleMemoryIsAnError() throws {
    #expect(throws: Failure.self) {
      let scratch = try Scratch()
      _ = try Make.superwords(
        [RealText.prose], .gpt2, first: 300, second: 300, memory: 200, directory: scratch.path(""))
    }
  }
}

extension Make {
  static func superwords(
    _ texts: [String], _ preTokenizer: PreTokenizer, first: Int, second: Int, words: Int = 4,
    minimumCount: Int = 1, keptPairs: Int? = nil, memory: Int = 1 << 30, threads: Int = 2,
    directory: String = TemporaryDirectory.common
  ) throws -> Tokenizer {
    let splitter = preTokenizer.superwords!
    let base = Tokenizer(
      try learn(counts(texts, preTokenizer), mode: .byteLevel, limit: first, minimumCount: minimumCount),
      mode: .byteLevel, preTokenizer: splitter, specialTokens: [])
    let counter = PreTokenCounter(splitter, memory: memory / 2, temporaryDirectory: directory)
    for text in texts { try Array(text.utf8).withUnsafeBufferPointer { try counter.countText($0) } }
    var options = SuperwordTrainer.Options(
      merging: BPETrainer.Options(
        tieBreak: .smallestIDs, limit: second, minimumCount: minimumCount, maximumWords: words),
      memory: memory, threads: threads, temporaryDirectory: directory)
    options.keptPairs = keptPairs
    return try SuperwordTrainer.learn(ReplayedCounts(counter, in: directory), extending: base, options)
      .adding(specialTokens: [Tokenizer.endOfText])
  }
}
