import Foundation
import Shards
import Support
import TestSupport
import Testing

/// Values that a run of another version must give again: which documents a split gets, and the orders that follow from a
/// seed. They were computed from the definitions (SplitMix64, xoshiro256**, XXH3 and a Feistel network) in Python.
@Suite(.timeLimit(.minutes(60))) struct GoldenOrderTests {
  /// Twelve documents of four tokens: n, n + 1, 7 and the end of the document.
  private let documents = (1...12).map { TestDocument(tokens: [UInt32($0), UInt32($0 + 1), 7]) }

  private func rewritten(_ change: (inout DatasetRewriter) -> Void) throws -> [String: [Int]] {
    let scratch = try Scratch()
    try writeDataset(scratch.path("in"), documents)
    var rewriter = DatasetRewriter()
    change(&rewriter)
    _ = try rewriter.write([Dataset(scratch.path("in"))], to: scratch.path("out"))
    let out = try Dataset(scratch.path("out"))
    return try Dictionary(
      uniqueKeysWithValues: out.splits.map { split in
        (split, try readDocuments(out, split).map { Int($0.tokens[0]) })
      })
  }

  @Test func splitsOfNamedDocuments() throws {
    func splits(_ seed: UInt64) throws -> [String: [Int]] {
      try rewritten {
        $0.seed = seed
        $0.isShuffled = false
        $0.shares = [.init(split: "valid", share: 0.3), .init(split: "test", share: 0.2)]
      }
    }
    #expect(try splits(1) == ["train": [1, 2, 4, 7, 8, 9, 10], "valid": [3, 5, 6, 12], "test": [11]])
    #expect(try splits(2) == ["train": [1, 2, 4, 5, 6, 8, 10, 11, 12], "valid": [7], "test": [3, 9]])
  }

  /// Two shuffles that differ in their seed alone.
  @Test func shuffles() throws {
    #expect(try rewritten { $0.seed = 1 } == ["train": [9, 6, 10, 3, 4, 8, 1, 12, 7, 2, 11, 5]])
    #expect(try rewritten { $0.seed = 2 } == ["train": [10, 2, 12, 1, 4, 11, 6, 9, 5, 8, 3, 7]])
    #expect(try rewritten { _ in } == rewritten { $0.seed = 1 })
    #expect(try rewritten { $0.isShuffled = false } == ["train": Array(1...12)])
  }

  /// 20 of 48 tokens.
  @Test func samples() throws {
    func sample(_ seed: UInt64) throws -> [String: [Int]] {
      try rewritten {
        $0.seed = seed
        $0.isShuffled = false
        $0.mixture = { DatasetMixture(budget: 20, tokens: $0) }
      }
    }
    #expect(try sample(1) == ["train": [3, 4, 5, 9, 10]])
    #expect(try sample(2) == ["train": [2, 3, 4, 8, 10]])
  }

  /// Each input has a sample of its own, although both have documents of the same lengths.
  @Test func samplesOfSeveralInputs() throws {
    let scratch = try Scratch()
    try writeDataset(scratch.path("a"), documents)
    try writeDataset(scratch.path("b"), (101...112).map { TestDocument(tokens: [UInt32($0), 7, 7]) })
    var rewriter = DatasetRewriter()
    rewriter.isShuffled = false
    rewriter.mixture = { DatasetMixture(epochs: [20.0 / 48, 20.0 / 48], tokens: $0) }
    _ = try rewriter.write(["a", "b"].map { try Dataset(scratch.path($0)) }, to: scratch.path("out"))
    let found = try readDocuments(Dataset(scratch.path("out"))).map { Int($0.tokens[0]) }
    #expect(found == [3, 4, 5, 9, 10, 102, 103, 104, 108, 110])
  }

  @Test func ordersOfSequences() {
    func order(_ seed: UInt64, _ epoch: Int) -> [Int] {
      let order = SequencePermutation(count: 12, seed: seed, epoch: epoch)
      return (0..<12).map { order[$0] }
    }
    #expect(order(1, 0) == [0, 2, 9, 7, 11, 4, 1, 6, 5, 8, 3, 10])
    #expect(order(1, 1) == [7, 3, 9, 6, 0, 8, 10, 2, 4, 5, 11, 1])
    #expect(order(2, 0) == [2, 8, 3, 1, 11, 6, 10, 7, 5, 0, 4, 9])
  }

  /// What fits exactly stays together, and one token more begins the next sequence.
  @Test func documentsThatFitExactlyShareASequence() throws {
    func sequences(_ lengths: [Int]) throws -> [[Int32]] {
      let scratch = try Scratch()
      try writeDataset(
        scratch.path("d"),
        lengths.enumerated().map { number, length in
          TestDocument(tokens: [UInt32](repeating: UInt32(number + 1), count: length - 1))
        })
      var loader = try BatchLoader(
        dataset: Dataset(scratch.path("d")), split: "train", packing: .document, sequenceLength: 8, batch: 1,
        seed: 1)
      var found: [[Int32]] = []
      for _ in 0..<loader.sequenceCount {
        var (inputs, targets) = ([Int32](repeating: 9, count: 8), [Int32](repeating: 9, count: 8))
        try inputs.withUnsafeMutableBufferPointer { inputs in
          try targets.withUnsafeMutableBufferPointer { try loader.next(into: inputs, targets: $0) }
        }
        found.append(targets)
      }
      return found.sorted { $0.lexicographicallyPrecedes($1) }
    }
    #expect(try sequences([5, 3, 4]) == [[1, 1, 1, 1, 0, 2, 2, 0], [3, 3, 3, 0, -1, -1, -1, -1]])
    #expect(try sequences([5, 4]) == [[1, 1, 1, 1, 0, -1, -1, -1], [2, 2, 2, 0, -1, -1, -1, -1]])
    #expect(try sequences([8, 8]) == [[1, 1, 1, 1, 1, 1, 1, 0], [2, 2, 2, 2, 2, 2, 2, 0]])
    #expect(try sequences([9]) == [[0, -1, -1, -1, -1, -1, -1, -1], [1, 1, 1, 1, 1, 1, 1, 1]])
    #expect(
      try sequences([9, 7]) == [[0, 2, 2, 2, 2, 2, 2, 0], [1, 1, 1, 1, 1, 1, 1, 1]])
    #expect(
      try sequences([9, 8]) == [
        [0, -1, -1, -1, -1, -1, -1, -1], [1, 1, 1, 1, 1, 1, 1, 1], [2, 2, 2, 2, 2, 2, 2, 0],
      ])
  }

  /// A stream of n tokens has n − 1 targets.
  @Test func streamsThatFitExactly() throws {
    func count(_ tokens: Int) throws -> Int {
      let scratch = try Scratch()
      try writeDataset(scratch.path("d"), [TestDocument(tokens: [UInt32](repeating: 1, count: tokens - 1))])
      return try BatchLoader(
        dataset: Dataset(scratch.path("d")), split: "train", sequenceLength: 8, batch: 1, seed: 1
      ).sequenceCount
    }
    #expect(try count(9) == 1 && count(16) == 1 && count(17) == 2)
    #expect(failure { _ = try count(8) }?.kind == .badInput)
  }

  private enum Arrival: CaseIterable { case inParts, oneByOne, together }

  /// A shard holds what fits into it exactly, however its documents arrive.
  @Test(arguments: Arrival.allCases) private func documentsThatFitExactlyShareAShard(arrival: Arrival) throws
  {
    func shards(_ lengths: [Int]) throws -> [Int] {
      let scratch = try Scratch()
      let writer = try DatasetWriter(
        directory: scratch.path("d"), tokenizerJSON: testTokenizer, vocabularySize: 1000, endOfDocument: 0,
        shardTokens: 10)
      let documents = lengths.map { [UInt16](repeating: 3, count: $0 - 1) + [0] }
      let rows = lengths.map { DocumentRow(tokens: $0, textBytes: $0, words: 1) }
      switch arrival {
      case .inParts:
        for ids in documents {
          for id in ids { try writer.append(part: withUnsafeBytes(of: id.littleEndian) { Array($0) }) }
          try writer.endDocument(textBytes: ids.count, words: 1)
        }
      case .oneByOne:
        for (ids, row) in zip(documents, rows) {
          try ids.withUnsafeBytes { try writer.append(encoded: $0, rows: [row]) }
        }
      case .together:
        try documents.flatMap { $0 }.withUnsafeBytes { try writer.append(encoded: $0, rows: rows) }
      }
      return try writer.finish().shards.map(\.tokens)
    }
    #expect(try shards([4, 6]) == [10])
    #expect(try shards([4, 7]) == [4, 7])
    #expect(try shards([4, 6, 1, 10, 11, 2]) == [10, 1, 10, 11, 2])
    #expect(try shards([3, 3, 4, 3, 3, 5]) == [10, 6, 5])
  }
}
