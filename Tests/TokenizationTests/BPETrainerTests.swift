import Support
import Testing
import Tokenization

@Suite(.timeLimit(.minutes(60))) struct BPETrainerTests {
  private func check(_ words: [(String, Int)], mode: Tokenizer.Mode, limit: Int, minimum: Int, _ note: String)
    throws
  {
    let learned = try Make.learn(Make.counts(words), mode: mode, limit: limit, minimumCount: minimum)
    let texts = learned.symbolTexts()
    let ours = learned.merges.map {
      ReferenceBPE.Merge(left: texts[Int($0.left)], right: texts[Int($0.right)], count: $0.count)
    }
    let symbols = words.map { word, count in
      var symbols = word.unicodeScalars.map { Array(String($0).utf8) }
      if mode == .word {
        symbols[symbols.count - 1] += EndOfWord.mark
      } else {
        symbols = word.utf8.map { [$0] }
      }
      return (symbols, count)
    }
    let reference = ReferenceBPE.learn(
      words: symbols, alphabet: learned.alphabet, limit: limit, minimumCount: minimum,
      tieBreak: mode == .word ? .largestStrings : .smallestIDs)
    #expect(ours == reference, "\(note): \(words)")
  }

  @Test(arguments: [Tokenizer.Mode.byteLevel, .word]) func equalsRecountingEverything(mode: Tokenizer.Mode)
    throws
  {
    for seed in 0..<2000 {
      var random = RandomGenerator(seed: UInt64(seed))
      let letters = 1 + random.below(4)
      var words: [String: Int] = [:]
      for _ in 0...random.below(8) {
        words[Make.word(&random, letters: letters, maximumLength: 12)] = 1 + random.below(3)
      }
      try check(
        words.sorted { $0.key < $1.key }, mode: mode, limit: 12 + random.below(30),
        minimum: 1 + random.below(2),
        "seed \(seed)")
    }
  }

  /// Counts of all sizes, so that most pairs are not recorded at first, and from few merges to all.
  @Test(arguments: [Tokenizer.Mode.byteLevel, .word]) func rarePairsAreMergedInOrder(mode: Tokenizer.Mode)
    throws
  {
    for seed in 0..<300 {
      var random = RandomGenerator(seed: UInt64(seed))
      var words: [String: Int] = [:]
      for _ in 0..<(4 + random.below(12)) {
        words[Make.word(&random, letters: 5, maximumLength: 10)] = 1 + random.below(1 << random.below(24))
      }
      try check(
        words.sorted { $0.key < $1.key }, mode: mode, limit: 1 + random.below(1 << random.below(7)),
        minimum: 1 + random.below(100), "seed \(seed)")
    }
  }

  /// The first search stops at some count; those after it go down to the least one, and no further.
  @Test(arguments: [Tokenizer.Mode.byteLevel, .word]) func pairsOfTheLeastCountAreMerged(mode: Tokenizer.Mode)
    throws
  {
    for minimum in 1...3 {
      for count in minimum...200 {
        let words = [("ab", count), ("cd", minimum), ("ef", minimum - 1)].filter { $0.1 > 0 }
        try check(words, mode: mode, limit: 10, minimum: minimum, "\(count) and \(minimum)")
      }
    }
  }

  /// More symbols than a square of pairs is used for.
  @Test func largeAlphabetsEqualRecounting() throws {
    for seed in 0..<5 {
      var random = RandomGenerator(seed: UInt64(seed))
      var words: [String: Int] = [:]
      for _ in 0..<400 {
        let word = (0...random.below(4)).map { _ in
          Character(Unicode.Scalar(UInt32(0x4e00 + min(random.below(700), random.below(700))))!)
        }
        words[String(word)] = 1 + random.below(50)
      }
      try check(
        words.sorted { $0.key < $1.key }, mode: .word, limit: 60, minimum: 1 + random.below(2), "seed \(seed)"
      )
    }
  }

  @Test func noSymbolExceedsTheSizeLimit() throws {
    let counts = try Make.counts([RealText.prose], .gpt2)
    for size in [1, 2, 5] {
      let learned = try BPETrainer.learn(
        SymbolizedWords(bytesOf: counts), .init(tieBreak: .smallestIDs, limit: 2000, maximumSize: size))
      let longest = learned.symbolTexts().map(\.count).max()
      #expect(longest == size && learned.merges.isEmpty == (size == 1))
    }
    // Characters, not bytes, and without the mark.
    let words = Make.counts([("日本語", 5)])
    let learned = try BPETrainer.learn(
      Make.symbolized(words, .word), .init(tieBreak: .largestStrings, limit: 10, maximumSize: 2))
    #expect(learned.merges.count == 1)
  }

  /// All other symbols are merged as if the longer ones did not exist.
  @Test func theSizeLimitOnlyLeavesOutLongerSymbols() throws {
    for seed in 0..<300 {
      var random = RandomGenerator(seed: UInt64(seed))
      var words: [String: Int] = [:]
      for _ in 0..<8 { words[Make.word(&random, letters: 3, maximumLength: 12)] = 1 + random.below(9) }
      let sorted = words.sorted { $0.key < $1.key }
      let learned = try BPETrainer.learn(
        Make.symbolized(Make.counts(sorted), .byteLevel),
        .init(tieBreak: .smallestIDs, limit: 50, maximumSize: 3))
      let texts = learned.symbolTexts()
      let reference = ReferenceBPE.learn(
        words: sorted.map { word, count in (word.utf8.map { [$0] }, count) }, alphabet: learned.alphabet,
        limit: 50,
        minimumCount: 1, tieBreak: .smallestIDs, maximumSize: 3)
      #expect(
        learned.merges.map { .init(left: texts[Int($0.left)], right: texts[Int($0.right)], count: $0.count) }
          == reference)
    }
  }

  @Test(arguments: [Tokenizer.Mode.byteLevel, .word]) func runsOfOneLetterEqualRecounting(
    mode: Tokenizer.Mode
  ) throws {
    for word in [
      "aaa", "aaaa", "aaaaa", "aaaaaaaaaaaaaaaa", "abab", "ababa", "aabaabaab", "aaabaaab", "bababbaabb",
    ] {
      try check([(word, 3)], mode: mode, limit: 20, minimum: 1, word)
      try check([(word, 3), ("b" + word, 2), (word + word, 1)], mode: mode, limit: 40, minimum: 1, word)
    }
    try check(
      [("日本語日本", 2), ("本日", 2), ("é", 9), ("né", 2)], mode: mode, limit: 30, minimum: 1, "many bytes")
  }

  @Test func countsAreExactBeyondThirtyTwoBits() throws {
    let words = [("ab", 1 << 40), ("cd", (1 << 40) + 1), ("abcd", 1 << 32), ("xy", (1 << 32) - 1)]
    try check(words, mode: .byteLevel, limit: 5, minimum: 1, "large counts")
    let learned = try Make.learn(Make.counts(words), mode: .byteLevel, limit: 1)
    #expect(learned.merges[0].count == (1 << 40) + 1 + (1 << 32))
  }

  @Test func learningStopsWhenNoPairIsFrequentEnough() throws {
    let words = Make.counts([("abc", 3), ("xyz", 1)])
    #expect(try Make.learn(words, mode: .byteLevel, limit: 1000, minimumCount: 2).merges.count == 2)
    #expect(try Make.learn(words, mode: .byteLevel, limit: 1000, minimumCount: 1).merges.count == 4)
    #expect(try Make.learn(words, mode: .byteLevel, limit: 0).merges.isEmpty)
    #expect(try Make.learn(words, mode: .byteLevel, limit: 1000, minimumCount: 4).merges.isEmpty)
  }

  @Test(arguments: [Tokenizer.Mode.byteLevel, .word]) func textsWithoutPairsGiveNoMerges(mode: Tokenizer.Mode)
    throws
  {
    for texts in [[], [""], ["\n\n \n"], ["a b c a b c"]] as [[String]] {
      let splitter = mode == .word ? PreTokenizer.words : .none
      let learned = try Make.learn(Make.counts(texts, splitter), mode: mode, limit: 10, minimumCount: 2)
      if mode == .word { #expect(learned.merges.isEmpty) }
    }
  }

  @Test(arguments: [Tokenizer.Mode.byteLevel, .word]) func theOrderOfWordsDoesNotMatter(mode: Tokenizer.Mode)
    throws
  {
    var random = RandomGenerator(seed: 5)
    for _ in 0..<100 {
      var words: [String: Int] = [:]
      for _ in 0..<20 { words[Make.word(&random, letters: 3, maximumLength: 8)] = 1 + random.below(2) }
      let sorted = words.sorted { $0.key < $1.key }
      let first = try Make.learn(Make.counts(sorted), mode: mode, limit: 60)
      let second = try Make.learn(Make.counts(sorted.shuffled(using: &random)), mode: mode, limit: 60)
      #expect(first.merges == second.merges)
    }
  }

  /// The codes of fastBPE contain the count of each pair when it was merged. Recounting all pairs before each
  /// merge must give this count, and no higher one.
  @Test func countsInFastBPECodesAreThoseOfRecounting() throws {
    let text = String(RealText.prose.prefix(12_000))
    let learned = try Make.learn(Make.counts([text], .words), mode: .word, limit: 150)
    var words: [[String]: Int] = [:]
    for word in text.utf8.split(whereSeparator: { $0 == 0x20 || $0 == 0x0a }) {
      var symbols = String(decoding: word, as: UTF8.self).unicodeScalars.map { String($0) }
      symbols[symbols.count - 1] += "</w>"
      words[symbols, default: 0] += 1
    }
    let codes = String(decoding: MergeCodes.write(learned, format: .fastBPE), as: UTF8.self)
    let lines = codes.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    #expect(lines.count == 150)
    for line in lines {
      var pairs: [[String]: Int] = [:]
      for (word, count) in words {
        for (left, right) in zip(word, word.dropFirst()) { pairs[[left, right], default: 0] += count }
      }
      let pair = Array(line.prefix(2))
      #expect(pairs[pair] == Int(line[2]) && pairs.values.max() == Int(line[2]), "\(line)")
      var merged: [[String]: Int] = [:]
      for (word, count) in words {
        var symbols: [String] = []
        var place = 0
        while place < word.count {
          let isPair = word[place...].starts(with: pair)
          symbols.append(isPair ? pair[0] + pair[1] : word[place])
          place += isPair ? 2 : 1
        }
        merged[symbols, default: 0] += count
      }
      words = merged
    }
  }

  /// At the end of a word, `</w>` is the mark.
  @Test func aLiteralEndOfWordIsNeverMergedInsideAWord() throws {
    let counts = try Make.counts(["a</w>z a</w>z a</w> a</w> </w> </w> </w>x </w>x"], .words)
    let learned = try Make.learn(counts, mode: .word, limit: 1000)
    let texts = learned.symbolTexts()
    #expect(Set(texts).count == texts.count, "no two symbols with one text")
    for merge in learned.merges {
      #expect(
        !texts[Int(merge.left)].suffix(4).elementsEqual(EndOfWord.mark),
        "what ends a word is never a left part")
    }
    #expect(texts.contains(Array("</w></w>".utf8)), "the word </w> becomes one symbol with its mark")
    // The encoder agrees with the codes.
    let codes = try MergeCodes.read(MergeCodes.write(learned, format: .subwordNMT), file: "codes")
    let text = Array("</w> a</w>".utf8)
    let subwords = BPEEncoder(codes).subwords(of: text)
    #expect(String(decoding: subwords, as: UTF8.self) == "</w> a</w>")
  }

  @Test func noSymbolBecomesASpecialToken() throws {
    let counts = Make.counts([("<|endoftext|>", 9), ("<unk>", 9)])
    let learned = try Make.learn(
      counts, mode: .byteLevel, limit: 1000, reserved: ["<|endoftext|>", "<unk>"])
    let texts = learned.symbolTexts()
    #expect(!texts.contains(Array("<|endoftext|>".utf8)) && !texts.contains(Array("<unk>".utf8)))
    // All merges except the last one happen, so one part of the thirteen characters has at least seven.
    #expect(texts.contains { $0.count >= 7 })
  }

  @Test func countsThatOverflowThrow() throws {
    let counts = Make.counts([("abcd", Int.max / 2)])
    #expect(throws: Failure.self) { _ = try SymbolizedWords(bytesOf: counts) }
  }

  @Test func aRunOfOneLetterIsMergedByDoubling() throws {
    let word = String(repeating: "a", count: 1 << 20)
    let learned = try Make.learn(Make.counts([(word, 1)]), mode: .byteLevel, limit: 30)
    // Doubling runs of one letter: 2^20 - 1 overlapping pairs, then 2^19 - 1 …
    #expect(learned.merges.map(\.count) == (0..<20).map { (1 << (20 - $0)) - 1 })
  }
}
