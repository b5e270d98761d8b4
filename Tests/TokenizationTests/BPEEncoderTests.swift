import Foundation
import Support
import Testing

@testable import Tokenization

@Suite(.timeLimit(.minutes(60))) struct BPEEncoderTests {
  /// Merges that learning need not give: of any two tokens so far, in any order.
  private func randomTokenizer(_ random: inout RandomGenerator, letters: Int, preTokenizer: PreTokenizer)
    -> Tokenizer
  {
    var tokens = ByteAlphabet.bytes.map { [$0] }
    var merges: [Tokenizer.Merge] = []
    let alphabet = (0..<letters).map { UInt32(ByteAlphabet.ranks[97 + $0]) }
    var usable = alphabet
    for _ in 0..<random.below(20) {
      let (left, right) = (usable[random.below(usable.count)], usable[random.below(usable.count)])
      if tokens[Int(left)].count + tokens[Int(right)].count > 12 { continue }
      if merges.contains(where: { $0.left == left && $0.right == right }) { continue }
      merges.append(.init(left: left, right: right, result: UInt32(tokens.count)))
      usable.append(UInt32(tokens.count))
      tokens.append(tokens[Int(left)] + tokens[Int(right)])
    }
    return Tokenizer(
      mode: .byteLevel, preTokenizer: preTokenizer, tokens: tokens, merges: merges.shuffled(using: &random),
      addedTokens: [])
  }

  @Test func equalsTheDefinitionForAnyMerges() {
    for seed in 0..<1500 {
      var random = RandomGenerator(seed: UInt64(seed))
      let letters = 1 + random.below(3)
      let tokenizer = randomTokenizer(&random, letters: letters, preTokenizer: .none)
      let encoder = BPEEncoder(tokenizer)
      for length in [4, 30, 300] {
        let word = Array(Make.word(&random, letters: letters, maximumLength: length).utf8)
        let symbols = word.map { UInt32(ByteAlphabet.ranks[Int($0)]) }
        let expected = ReferenceBPE.encode(symbols, tokenizer.merges)
        // Twice: the second time from the cache.
        #expect(encoder.encode(word) == expected, "seed \(seed)")
        #expect(encoder.encode(word) == expected, "seed \(seed), cached")
      }
    }
  }

  /// Appending a byte that merges with nothing moves a word across the limit between the two methods, and
  /// must not change its tokens.
  /// Of equal ranks, as SentencePiece's scores may be, the leftmost applies, in short words and in long ones.
  @Test func equalRanksApplyFromTheLeft() {
    for seed in 0..<60 {
      var random = RandomGenerator(seed: UInt64(seed))
      let letters = 1 + random.below(3)
      var pieces = (0..<letters).map { [UInt8(97 + $0)] }
      for _ in 0..<(3 + random.below(8)) {
        let piece = pieces[random.below(pieces.count)] + pieces[random.below(pieces.count)]
        if piece.count <= 8 && !pieces.contains(piece) { pieces.append(piece) }
      }
      // Each way to make a piece from two.
      var merges: [(merge: Tokenizer.Merge, rank: UInt32)] = []
      for (id, piece) in pieces.enumerated() where piece.count > 1 {
        let rank = UInt32(random.below(3))
        for middle in 1..<piece.count {
          guard let left = pieces.firstIndex(of: Array(piece[..<middle])),
            let right = pieces.firstIndex(of: Array(piece[middle...]))
          else { continue }
          merges.append((.init(left: UInt32(left), right: UInt32(right), result: UInt32(id)), rank))
        }
      }
      merges.sort { $0.rank < $1.rank }
      var tokenizer = Tokenizer(
        mode: .character, preTokenizer: .none, tokens: pieces, merges: merges.map(\.merge), addedTokens: [])
      tokenizer.mergeRanks = merges.map(\.rank)
      for length in [5, 130] {
        let word = (0..<length).map { _ in UInt8(97 + random.below(letters)) }
        let expected = ReferenceBPE.encode(
          word.map { UInt32($0 - 97) }, tokenizer.merges, ranks: tokenizer.mergeRanks)
        #expect(BPEEncoder(tokenizer).encode(word) == expected, "seed \(seed), \(length) letters")
      }
    }
  }

  @Test func mergingByScanAndByRankAgree() {
    for seed in 0..<300 {
      var random = RandomGenerator(seed: UInt64(seed))
      let encoder = BPEEncoder(randomTokenizer(&random, letters: 2, preTokenizer: .none))
      let word = (0..<120).map { _ in UInt8(97 + random.below(2)) }
      for length in 90..<105 {
        let part = Array(word[..<length])
        #expect(
          encoder.encode(part) + encoder.encode([0x7a]) == encoder.encode(part + [0x7a]),
          "seed \(seed), \(length)")
      }
    }
  }

  /// Words of letters that the vocabulary has and lacks, of marks, and of bytes that are not UTF-8.
  @Test(arguments: [Tokenizer.Mode.byteLevel, .word]) func equalsTheDefinitionForLearnedMerges(
    mode: Tokenizer.Mode
  )
    throws
  {
    var checked = 0
    for seed in 0..<400 {
      var random = RandomGenerator(seed: UInt64(seed))
      let letters = 1 + random.below(3)
      let texts = (0..<30).map { _ in Make.word(&random, letters: letters, maximumLength: 20) }
      let tokenizer = try Make.tokenizer(texts, mode: mode, preTokenizer: .none, merges: 60)
      let encoder = BPEEncoder(tokenizer)
      for length in [3, 15, 16, 17, 31, 32, 33, 40, 200] {
        var word = Array(Make.word(&random, letters: letters, maximumLength: length).utf8)
        switch random.below(8) {
        case 0: word.insert(contentsOf: Array("é</w>".utf8), at: random.below(word.count + 1))
        case 1: word.insert(0xff, at: random.below(word.count + 1))
        case 2: word.insert(0xa9, at: random.below(word.count + 1))
        case 3: word.append(UInt8(ascii: "z"))
        default: break
        }
        let expected = ReferenceBPE.encode(ReferenceBPE.symbols(of: word, tokenizer), tokenizer.merges)
        #expect(encoder.encode(word) == expected, "seed \(seed): \(String(decoding: word, as: UTF8.self))")
        #expect(encoder.encode(word) == expected, "seed \(seed), cached")
        checked += 1
      }
    }
    #expect(checked == 3600)
  }

  /// Long words of scripts without spaces are encoded in parts. These have characters of one to four bytes
  /// that share bytes, so that tokens begin and end inside of them, characters that no token has, and
  /// ill-formed ones.
  @Test func longWordsOutsideASCIIEqualTheDefinition() throws {
    let known = ["あ", "い", "う", "日", "本", "語", "é", "è", "ж", "𝒳", "𝒴", "a"]
    let foreign = ["中", "え", "ß", "😀", "з", "z"]
    for seed in 0..<500 {
      var random = RandomGenerator(seed: UInt64(seed))
      let letters = (0..<(2 + random.below(6))).map { _ in known[random.below(known.count)] }
      func word(_ length: Int, _ random: inout RandomGenerator) -> String {
        (0..<length).map { _ in letters[random.below(letters.count)] }.joined()
      }
      let texts = (0..<20).map { _ in word(1 + random.below(12), &random) }
      let tokenizer = try Make.tokenizer(texts, preTokenizer: .none, merges: 5 + random.below(100))
      let encoder = BPEEncoder(tokenizer)
      for length in [5, 10, 20, 60] {
        var text = word(length, &random)
        for _ in 0..<random.below(3) { text += foreign[random.below(foreign.count)] + word(length, &random) }
        var bytes = Array(text.utf8)
        if random.below(3) == 0 { bytes.remove(at: random.below(bytes.count)) }
        if random.below(3) == 0 { bytes.insert(0x81, at: random.below(bytes.count)) }
        let expected = ReferenceBPE.encode(ReferenceBPE.symbols(of: bytes, tokenizer), tokenizer.merges)
        #expect(encoder.encode(bytes) == expected, "seed \(seed): \(text)")
        #expect(encoder.encode(bytes) == expected, "seed \(seed), cached")
      }
    }
  }

  /// Long words of known letters around each ASCII character.
  @Test func longWordsWithUnknownCharactersEqualTheDefinition() throws {
    for seed in 0..<40 {
      var random = RandomGenerator(seed: UInt64(seed))
      let letters = 1 + random.below(5)
      let texts = (0..<20).map { _ in Make.word(&random, letters: letters, maximumLength: 12) }
      let tokenizer = try Make.tokenizer(texts, mode: .word, merges: random.below(40))
      let encoder = BPEEncoder(tokenizer)
      for character in UInt8(0)..<128 where character != 0x20 && character != 0x0a {
        var word = (0..<50).map { _ in UInt8(97 + random.below(letters)) }
        word[random.below(48)] = character
        let expected = ReferenceBPE.encode(ReferenceBPE.symbols(of: word, tokenizer), tokenizer.merges)
        #expect(encoder.encode(word) == expected, "seed \(seed): \(String(decoding: word, as: UTF8.self))")
      }
    }
  }

  @Test(arguments: [PreTokenizer.gpt2, .cl100k, .llama3, .o200k, .whitespace, .none])
  func decodingReturnsTheBytes(preTokenizer: PreTokenizer) throws {
    let texts = Adversarial.texts + [String(RealText.multilingual.prefix(20000))]
    let tokenizer = try Make.tokenizer(texts, preTokenizer: preTokenizer, merges: 500)
    let encoder = BPEEncoder(tokenizer)
    for text in texts { #expect(try tokenizer.decode(encoder.encode(Array(text.utf8))) == Array(text.utf8)) }
    var random = RandomGenerator(seed: 1)
    for length in [1, 2, 3, 7, 100, 5000] {
      for _ in 0..<20 {
        let bytes = (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        #expect(try tokenizer.decode(encoder.encode(bytes)) == bytes, "bytes that are no UTF-8")
      }
    }
  }

  /// Runs of one letter, text without spaces, random bytes, and words that never repeat.
  @Test(arguments: [PreTokenizer.gpt2, .cl100k, .o200k])
  func awkwardTextsEqualTheDefinition(preTokenizer: PreTokenizer) throws {
    let tokenizer = try Make.tokenizer(
      [RealText.prose, String(repeating: "aaaa", count: 40)], preTokenizer: preTokenizer, merges: 200)
    let encoder = BPEEncoder(tokenizer)
    var random = RandomGenerator(seed: 3)
    func bytes(_ count: Int, _ body: (Int) -> UInt8) -> [UInt8] { (0..<count).map(body) }
    let letter = { (random: inout RandomGenerator) in UInt8(97 + random.below(26)) }
    let texts = [
      bytes(300) { _ in UInt8(ascii: "a") }, bytes(300) { _ in 0x20 }, bytes(300) { _ in letter(&random) },
      bytes(1000) { _ in UInt8(truncatingIfNeeded: random.next()) },
      bytes(20_000) { $0 % 9 == 0 ? 0x20 : letter(&random) },
      bytes(20_000) { $0 % 40 == 0 ? 0x20 : letter(&random) },
      bytes(300) { _ in UInt8(48 + random.below(10)) },
    ]
    for (index, text) in texts.enumerated() {
      let expected = preTokenizer.split(text).flatMap {
        ReferenceBPE.encode(ReferenceBPE.symbols(of: $0, tokenizer), tokenizer.merges)
      }
      for _ in 0..<2 { #expect(encoder.encode(text) == expected, "text \(index)") }
    }
  }

  @Test func batchesEqualDocuments() throws {
    let texts = Adversarial.texts
    let encoder = BPEEncoder(try Make.tokenizer([RealText.prose], merges: 1000))
    var bytes: [UInt8] = []
    var ranges: [Range<Int>] = []
    for text in texts {
      ranges.append(bytes.count..<(bytes.count + text.utf8.count))
      bytes += Array(text.utf8) + Array("between".utf8)
    }
    let batch = bytes.withUnsafeBufferPointer { encoder.encode($0, documents: ranges) }
    #expect(batch.ends.count == texts.count)
    for (index, text) in texts.enumerated() {
      #expect(batch.withDocument(index, Array.init) == encoder.encode(Array(text.utf8)))
    }
  }

  @Test func threadsCanShareAnEncoder() throws {
    let lines = RealText.prose.split(separator: "\n").map { Array($0.utf8) }
    let encoder = BPEEncoder(try Make.tokenizer([RealText.prose], merges: 2000))
    let expected = lines.map { encoder.encode($0) }
    let pool = WorkerPool(threads: 4)
    defer { pool.close() }
    nonisolated(unsafe) let results = UnsafeMutablePointer<[UInt32]>.allocate(capacity: lines.count)
    results.initialize(repeating: [], count: lines.count)
    defer {
      results.deinitialize(count: lines.count)
      results.deallocate()
    }
    pool.forEach(lines.count) { index, _ in results[index] = encoder.encode(lines[index]) }
    #expect((0..<lines.count).allSatisfy { results[$0] == expected[$0] })
  }

  @Test func specialTokensInTextAreText() throws {
    let tokenizer = try Make.tokenizer(["<|endoftext|> <|endoftext|>"], preTokenizer: .none, merges: 100)
    let ids = BPEEncoder(tokenizer).encode(Array("<|endoftext|>".utf8))
    #expect(!ids.contains(tokenizer.endOfDocument!))
    #expect(try tokenizer.decode(ids) == Array("<|endoftext|>".utf8))
    #expect(try tokenizer.decode([tokenizer.endOfDocument!]) == [])
    #expect(
      try tokenizer.decode([tokenizer.endOfDocument!], keepsSpecialTokens: true)
        == Array("<|endoftext|>".utf8))
    #expect(throws: Failure.self) { try tokenizer.decode([UInt32(tokenizer.vocabulary.count)]) }
  }

  /// With quadratic time this would take days.
  @Test(.timeLimit(.minutes(60))) func longWordsTakeNearlyLinearTime() throws {
    let tokenizer = try Make.tokenizer([String(repeating: "a", count: 4096)], preTokenizer: .none, merges: 20)
    let encoder = BPEEncoder(tokenizer)
    // 4096 learned: 2^12 letters become one token.
    for count in [1 << 16, 1 << 24] {
      let ids = encoder.encode([UInt8](repeating: 97, count: count))
      #expect(ids.count == count / 4096)
    }
  }

  @Test func wordModeMarksSubwords() throws {
    let tokenizer = try Make.tokenizer(["low low low lower lower newest newest"], mode: .word, merges: 12)
    let encoder = BPEEncoder(tokenizer)
    func subwords(_ text: String) -> String {
      let out = encoder.subwords(of: Array(text.utf8))
      return String(decoding: out, as: UTF8.self)
    }
    #expect(subwords("low lower") == "low lower")
    #expect(
      subwords("  low   lower \n low ") == "  low   lower   low ",
      "every separator stays, but a document is a line")
    #expect(subwords("slow") == "s@@ low")
    #expect(subwords("zé") == "z@@ é", "an unknown character is a subword")
    #expect(subwords("") == "" && subwords(" ") == " ")
    let ids = encoder.encode(Array("low z low".utf8))
    #expect(ids.contains(tokenizer.unknown!))
    #expect(String(decoding: try tokenizer.decode(ids), as: UTF8.self) == "low <unk>low")
    #expect(
      String(decoding: try tokenizer.decode(encoder.encode(Array(" low  lower ".utf8))), as: UTF8.self)
        == "low lower")
  }

  /// More words than the cache has entries, each twice. The encoder to compare with does not use the cache,
  /// because of its dropout.
  @Test func wordsThatDisplaceEachOtherInTheCacheKeepTheirIDs() throws {
    let tokenizer = try Make.tokenizer([RealText.prose], merges: 300)
    var text: [UInt8] = []
    for index in 0..<600_000 {
      text.append(0x20)
      // All different, in a scattered order.
      var rest = (index &* 2_654_435) % 11_881_376
      for _ in 0..<5 {
        text.append(UInt8(97 + rest % 26))
        rest /= 26
      }
    }
    var options = EncodingOptions()
    options.dropout = .leastNonzeroMagnitude
    let expected = BPEEncoder(tokenizer, options: options).encode(text)
    let encoder = BPEEncoder(tokenizer)
    #expect(encoder.encode(text + text) == expected + expected)
  }

  /// Successive lines are encoded as one text, and lines with CR LF are not.
  @Test func subwordsOfManyLinesEqualThoseOfEachLine() throws {
    let tokenizer = try Make.tokenizer(["abab abba ab aab baab bbab é aé"], mode: .word, merges: 12)
    for (seed, end) in ["\n", "\r\n"].enumerated() {
      var random = RandomGenerator(seed: UInt64(seed))
      let encoder = BPEEncoder(tokenizer)
      for _ in 0..<50 {
        let lines = (0..<random.below(40)).map { _ in
          (0..<random.below(8)).map { _ in
            Make.word(&random, letters: 3, maximumLength: random.below(10) == 0 ? 300 : 9)
              + (random.below(9) == 0 ? "é" : "")
          }.joined(separator: random.below(2) == 0 ? " " : "  ")
        }
        var text: [UInt8] = []
        var documents: [Range<Int>] = []
        for line in lines {
          documents.append(text.count..<(text.count + line.utf8.count))
          text += Array((line + end).utf8)
        }
        let found = text.withUnsafeBufferPointer { encoder.subwordLines(of: $0, documents: documents) }
        let expected = lines.map {
          String(decoding: encoder.subwords(of: Array($0.utf8)), as: UTF8.self) + "\n"
        }
        #expect(String(decoding: found.lines, as: UTF8.self) == expected.joined())
        let words = expected.joined().split(whereSeparator: \.isWhitespace)
        #expect(found.subwordCount == words.count && found.replacedLineFeeds == 0)
      }
    }
  }
}
