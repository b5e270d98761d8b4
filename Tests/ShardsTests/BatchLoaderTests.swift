import Foundation
import Shards
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct BatchLoaderTests {
  @Test(arguments: [1, 2, 3, 5, 16, 17, 1000, 4097]) func permutesEverySequenceOnce(count: Int) {
    for epoch in 0..<3 {
      let order = SequencePermutation(count: count, seed: 42, epoch: epoch)
      #expect((0..<count).map { order[$0] }.sorted() == Array(0..<count))
    }
  }

  @Test func orderDependsOnSeedAndEpoch() {
    let count = 1000
    func order(_ seed: UInt64, _ epoch: Int) -> [Int] {
      let order = SequencePermutation(count: count, seed: seed, epoch: epoch)
      return (0..<count).map { order[$0] }
    }
    let orders = [order(1, 0), order(1, 1), order(2, 0), order(0, 0), Array(0..<count)]
    for (index, one) in orders.enumerated() {
      for other in orders[(index + 1)...] {
        // Two independent permutations agree in one position on average.
        #expect(zip(one, other).count { $0 == $1 } < 10)
      }
    }
    // Neighbors in the order are not neighbors in the text: the mean step of a random order is a third of its
    // length.
    let steps = zip(order(1, 0), order(1, 0).dropFirst()).map { abs($0 - $1) }
    #expect(abs(Double(steps.reduce(0, +)) / Double(steps.count) - Double(count) / 3) < 30)
  }

  @Test func deliversEverySequenceOncePerEpoch() throws {
    let scratch = try Scratch()
    let documents = randomDocuments(200, vocabulary: 1000)
    try writeDataset(scratch.path("d"), documents, shardTokens: 9000)
    let flat = flatten(documents)
    let length = 37
    let sequences = (flat.count - 1) / length
    let expected = Set((0..<sequences).map { Array(flat[($0 * length)...($0 * length + length)]) })
    var loader = try BatchLoader(
      dataset: Dataset(scratch.path("d")), split: "train", sequenceLength: length, batch: 1, seed: 9)
    #expect(loader.sequenceCount == sequences)
    for epoch in 0..<2 {
      var seen: [[Int32]] = []
      for _ in 0..<sequences {
        let (inputs, targets) = try batch(&loader)
        #expect(inputs.dropFirst() == targets.dropLast())
        seen.append(inputs + [targets.last!])
      }
      #expect(seen.count == expected.count && Set(seen) == expected)
      #expect(loader.cursor == LoaderCursor(epoch: epoch + 1, sequence: 0))
    }
  }

  @Test func resumesFromAnyCursor() throws {
    let scratch = try Scratch()
    try writeDataset(scratch.path("d"), randomDocuments(60, vocabulary: 500), shardTokens: 4000)
    let dataset = try Dataset(scratch.path("d"))
    func loader(_ cursor: LoaderCursor?) throws -> BatchLoader {
      // The batch does not divide the epoch, so some batches span two epochs.
      try BatchLoader(
        dataset: dataset, split: "train", sequenceLength: 64, batch: 5, seed: 3, cursor: cursor, cacheBytes: 0
      )
    }
    var uninterrupted = try loader(nil)
    #expect(uninterrupted.sequenceCount % 5 != 0)
    for _ in 0..<(2 * uninterrupted.sequenceCount / 5) {
      let saved = try JSONEncoder().encode(uninterrupted.cursor)
      var resumed = try loader(JSONDecoder().decode(LoaderCursor.self, from: saved))
      let expected = try batch(&uninterrupted)
      #expect(try batch(&resumed) == expected)
      #expect(resumed.cursor == uninterrupted.cursor)
    }
    #expect(uninterrupted.cursor.epoch >= 1)
    let beyond = LoaderCursor(epoch: 0, sequence: uninterrupted.sequenceCount)
    #expect(failure { _ = try loader(beyond) }?.kind == .badInput)
  }

  @Test(arguments: [1, 2, 3]) func ranksShareTheGlobalBatch(rankCount: Int) throws {
    let scratch = try Scratch()
    try writeDataset(scratch.path("d"), randomDocuments(40, vocabulary: 500))
    let dataset = try Dataset(scratch.path("d"))
    func loader(_ rank: Int, of ranks: Int) throws -> BatchLoader {
      try BatchLoader(
        dataset: dataset, split: "train", sequenceLength: 50, batch: 6 / ranks, seed: 3, rank: rank,
        rankCount: ranks)
    }
    var whole = try loader(0, of: 1)
    var parts = try (0..<rankCount).map { try loader($0, of: rankCount) }
    for _ in 0..<40 {
      let expected = try batch(&whole).inputs
      var joined: [Int32] = []
      for rank in parts.indices { joined += try batch(&parts[rank]).inputs }
      #expect(joined == expected)
      #expect(parts.allSatisfy { $0.cursor == whole.cursor })
    }
  }

  /// Each part of the run has a different number of ranks. Together they see what one rank would have seen,
  /// without gaps or overlaps.
  @Test func resumesWithAnotherNumberOfRanks() throws {
    let scratch = try Scratch()
    try writeDataset(scratch.path("d"), randomDocuments(40, vocabulary: 500))
    let dataset = try Dataset(scratch.path("d"))
    var cursor: LoaderCursor?
    var seen: [Int32] = []
    // The batch per rank may change as well.
    for (ranks, batch, steps) in [(2, 3, 5), (3, 2, 4), (1, 5, 3), (4, 1, 7)] {
      var loaders = try (0..<ranks).map {
        try BatchLoader(
          dataset: dataset, split: "train", sequenceLength: 50, batch: batch, seed: 3, cursor: cursor,
          rank: $0,
          rankCount: ranks)
      }
      for _ in 0..<steps { for rank in loaders.indices { seen += try self.batch(&loaders[rank]).inputs } }
      cursor = loaders[0].cursor
      #expect(loaders.allSatisfy { $0.cursor == cursor })
    }
    var alone = try BatchLoader(
      dataset: dataset, split: "train", sequenceLength: 50, batch: seen.count / 50, seed: 3)
    #expect(try batch(&alone).inputs == seen)
    #expect(alone.cursor == cursor)
  }

  /// Compares with a direct implementation for a list of documents.
  @Test(arguments: [7, 64, 1000]) func documentPackingBeginsSequencesAtDocuments(length: Int) throws {
    let scratch = try Scratch()
    let documents = randomDocuments(120, vocabulary: 1000)
    try writeDataset(scratch.path("d"), documents, shardTokens: 5000)
    var expected: [[Int32]] = [[]]
    for document in documents {
      var rest = document.tokens.map(Int32.init) + [0]
      if expected.last!.count + rest.count > length { expected.append([]) }
      while rest.count > length {
        expected[expected.count - 1] = Array(rest.prefix(length))
        expected.append([])
        rest.removeFirst(length)
      }
      expected[expected.count - 1] += rest
    }
    expected.removeAll { $0.isEmpty }
    var loader = try BatchLoader(
      dataset: Dataset(scratch.path("d")), split: "train", packing: .document, sequenceLength: length,
      batch: 1,
      seed: 9)
    #expect(loader.sequenceCount == expected.count)
    let tokens = flatten(documents).count
    #expect(abs(loader.paddingShare - (1 - Double(tokens) / Double(expected.count * length))) < 1e-12)
    var seen: [[Int32]] = []
    for _ in 0..<loader.sequenceCount {
      let (inputs, targets) = try batch(&loader)
      let scored = targets.prefix { $0 >= 0 }
      // The input is the token before the target: at the start of a document, the end of the previous one.
      #expect(inputs.prefix(scored.count).dropFirst() == scored.dropLast())
      #expect(inputs.dropFirst(scored.count).allSatisfy { $0 == 0 })
      #expect(targets.dropFirst(scored.count).allSatisfy { $0 == -1 })
      seen.append(Array(scored))
    }
    func sorted(_ sequences: [[Int32]]) -> [[Int32]] { sequences.sorted { $0.lexicographicallyPrecedes($1) } }
    #expect(sorted(seen) == sorted(expected))
  }

  @Test func prefetchedBatchesAreThoseOfTheLoader() throws {
    let scratch = try Scratch()
    try writeDataset(scratch.path("d"), randomDocuments(60, vocabulary: 500), shardTokens: 4000)
    let dataset = try Dataset(scratch.path("d"))
    func makeLoader() throws -> BatchLoader {
      try BatchLoader(dataset: dataset, split: "train", sequenceLength: 64, batch: 5, seed: 3)
    }
    var loader = try makeLoader()
    let prefetcher = BatchPrefetcher(try makeLoader())
    for _ in 0..<100 {
      let expected = try batch(&loader)
      let ahead = try prefetcher.next()
      #expect(ahead.inputs == expected.inputs && ahead.targets == expected.targets)
      // The cursor after the batch that was taken, however far ahead the thread is.
      #expect(ahead.cursor == loader.cursor)
    }
    #expect(prefetcher.waitSeconds > 0)
  }

  @Test func prefetchingReportsDamageAtItsBatch() throws {
    let scratch = try Scratch()
    try writeDataset(scratch.path("d"), randomDocuments(3000, vocabulary: 1000), shardTokens: 100_000)
    let dataset = try Dataset(scratch.path("d"))
    let shard = URL(fileURLWithPath: scratch.path("d/train-00003.tokens.zst"))
    var bytes = try Data(contentsOf: shard)
    bytes[bytes.count / 3] ^= 16
    try bytes.write(to: shard)
    func loader() throws -> BatchLoader {
      try BatchLoader(dataset: dataset, split: "train", sequenceLength: 100, batch: 1, seed: 5)
    }
    var plain = try loader()
    let prefetcher = BatchPrefetcher(try loader())
    var batches = 0
    while failure(of: { _ = try batch(&plain) }) == nil {
      _ = try prefetcher.next()
      batches += 1
    }
    #expect(batches > 0)
    for _ in 0..<2 {
      let damage = failure { _ = try prefetcher.next() }
      #expect(damage?.kind == .badInput && damage?.file == shard.path && damage?.remedy != nil)
    }
  }

  private func batch(_ loader: inout BatchLoader) throws -> (inputs: [Int32], targets: [Int32]) {
    var inputs = [Int32](repeating: -1, count: loader.batch * loader.sequenceLength)
    var targets = inputs
    try inputs.withUnsafeMutableBufferPointer { inputs in
      try targets.withUnsafeMutableBufferPointer { try loader.next(into: inputs, targets: $0) }
    }
    return (inputs, targets)
  }
}
