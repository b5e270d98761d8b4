import Foundation
import Support
import Testing
import Tokenization

@Suite(.timeLimit(.minutes(60))) struct PreTokenCounterTests {
  /// Many distinct words, some of them long.
  private static let texts: [[UInt8]] = {
    var random = RandomGenerator(seed: 9)
    return (0..<80).map { _ in
      var text = ""
      for _ in 0..<2000 {
        text += " \(random.below(400))" + Make.word(&random, letters: 26, maximumLength: 5)
        if random.below(50) == 0 { text += String(repeating: "long", count: 4 + random.below(3)) }
      }
      return Array(text.utf8)
    }
  }()

  private func counter(memory: Int) throws -> PreTokenCounter {
    let counter = PreTokenCounter(
      .gpt2, memory: memory, threads: 1, temporaryDirectory: NSTemporaryDirectory())
    for text in Self.texts { try text.withUnsafeBufferPointer { try counter.countText($0) } }
    return counter
  }

  private func dictionary(_ words: WordCounts) -> [[UInt8]: Int] {
    var counts: [[UInt8]: Int] = [:]
    for word in 0..<words.distinct { counts[Array(words.bytes[words.range(of: word)])] = words.counts[word] }
    return counts
  }

  @Test func countsOnDiskEqualThoseInMemory() throws {
    var expected: [[UInt8]: Int] = [:]
    for text in Self.texts { for piece in PreTokenizer.gpt2.split(text) { expected[piece, default: 0] += 1 } }
    let inMemory = try counter(memory: .max)
    #expect(try dictionary(inMemory.finish()) == expected && inMemory.spilledRuns == 0)
    // With so little memory, the files are merged in rounds.
    let onDisk = try counter(memory: 40_000)
    #expect(try dictionary(onDisk.finish()) == expected)
    #expect(onDisk.spilledRuns > 64, "\(onDisk.spilledRuns)")
  }

  /// So that one text alone cannot exceed the memory.
  @Test(arguments: [PreTokenizer.gpt2, .words]) func aLargeTextIsCountedInParts(preTokenizer: PreTokenizer)
    throws
  {
    // One part has no position to cut at.
    let text = Array(Self.texts.joined(separator: [0x0a])) + [UInt8](repeating: 0x61, count: 1 << 18)
    func counter(_ memory: Int) throws -> PreTokenCounter {
      let counter = PreTokenCounter(preTokenizer, memory: memory)
      try text.withUnsafeBufferPointer { try counter.countText($0) }
      return counter
    }
    let (whole, parts) = (try counter(.max), try counter(100_000))
    #expect(parts.spilledRuns > 8 && whole.spilledRuns == 0)
    #expect(try dictionary(parts.finish()) == dictionary(whole.finish()))
  }

  @Test(arguments: [Int.max, 40_000]) func sortedCountsAreInTheOrderOfBytes(memory: Int) throws {
    let counter = try counter(memory: memory)
    var words: [[UInt8]] = []
    var total = 0
    try counter.finishSorted { word, count in
      words.append(Array(word))
      total += count
    }
    #expect(total == Self.texts.reduce(0) { $0 + PreTokenizer.gpt2.split($1).count })
    #expect(zip(words, words.dropFirst()).allSatisfy { $0.lexicographicallyPrecedes($1) })
  }

  @Test func largeCountsAddUp() throws {
    let counter = PreTokenCounter(.gpt2)
    let words = Make.counts([(" word", 1 << 40), ("a word of more than fifteen bytes", (1 << 32) - 1)])
    try counter.count(words)
    try counter.count(words)
    try Array(" word word".utf8).withUnsafeBufferPointer { try counter.countText($0) }
    #expect(
      try dictionary(counter.finish()) == [
        Array(" word".utf8): (1 << 41) + 2, Array("a word of more than fifteen bytes".utf8): (1 << 33) - 2,
      ])
  }

  @Test func countsDoNotDependOnThreads() throws {
    let expected = try dictionary(counter(memory: .max).finish())
    let counter = PreTokenCounter(.gpt2, threads: 5)
    let pool = WorkerPool(threads: 5)
    pool.forEach(Self.texts.count) { index, _ in
      Self.texts[index].withUnsafeBufferPointer { try! counter.countText($0) }
    }
    #expect(try dictionary(counter.finish()) == expected)
  }
}

/// Runs without a place to cut take bounded memory, and count the same however they arrive.
@Suite(.timeLimit(.minutes(60))) struct LongPreTokenTests {
  /// The counts of a text that arrives in parts of this size; nil: as a whole.
  private func counts(_ text: [UInt8], _ preTokenizer: PreTokenizer, parts: Int?) throws -> [[UInt8]: Int] {
    let counter = PreTokenCounter(preTokenizer, memory: 64 << 20, threads: 1)
    try text.withUnsafeBufferPointer { text in
      guard let parts else { return try counter.countText(text) }
      for start in stride(from: 0, to: text.count, by: parts) {
        let part = UnsafeBufferPointer(rebasing: text[start..<min(text.count, start + parts)])
        try counter.join(counter.countInside(part))
      }
      try counter.endText()
    }
    let words = try counter.finish()
    var found: [[UInt8]: Int] = [:]
    for word in 0..<words.distinct { found[Array(words.bytes[words.range(of: word)])] = words.counts[word] }
    return found
  }

  @Test(arguments: [PreTokenizer.gpt2, .o200k, .whitespace, .words, .none])
  func longWordsCountInPieces(preTokenizer: PreTokenizer) throws {
    let size = PreTokenCounter.longestWord
    // A letter, and one of two bytes that no piece may cut.
    for letter in ["a", "é"] {
      let width = letter.utf8.count
      let word = Array(String(repeating: letter, count: (7 * size + 10) / width).utf8)
      let whole = try counts(word, preTokenizer, parts: nil)
      #expect(whole[Array(word[..<(size / width * width)])] == 7)
      #expect(whole.reduce(0) { $0 + $1.key.count * $1.value } == word.count && whole.count == 2)
      for parts in [1 << 20, 300_001 / width * width] {
        #expect(try counts(word, preTokenizer, parts: parts) == whole)
      }
    }
  }

  /// Text without any ASCII has no safe cuts either, but words that are not long.
  @Test(.long) func textWithoutCutsIsCountedAsItComes() throws {
    let sentence = "昨天晚上窗户开着，夏天快要结束了。"
    let text = Array(
      String(repeating: sentence, count: 12 * PreTokenCounter.longestWord / sentence.utf8.count).utf8)
    for preTokenizer in [PreTokenizer.gpt2, .cl100k, .o200k] {
      let whole = try counts(text, preTokenizer, parts: nil)
      #expect(whole.count == 4 || whole.count == 3 || whole.count == 2)
      #expect(try counts(text, preTokenizer, parts: 1 << 20) == whole)
    }
  }
}
