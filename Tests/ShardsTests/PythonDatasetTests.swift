import Foundation
import Shards
import Support
import TestSupport
import Testing

/// `pipelines/pkm_dataset.py` gives Python loops the batches that `pkm-train` sees.
@Suite(.timeLimit(.minutes(60)), .peers) struct PythonDatasetTests {
  struct Case: CustomStringConvertible, Sendable {
    var vocabulary = 1000
    var lengths = 0...400
    var packing = Packing.stream
    var length = 64
    var batch = 4
    var seed: UInt64 = 1
    var cursor = LoaderCursor()
    var rank = 0
    var ranks = 1
    var shardTokens = 5000

    var description: String {
      "\(vocabulary) \(lengths) \(packing.rawValue) \(length) × \(batch), seed \(seed), \(cursor), \(rank)/\(ranks)"
    }
  }

  static let cases: [Case] = [
    Case(), Case(packing: .document), Case(vocabulary: 70_000), Case(vocabulary: 70_000, packing: .document),
    Case(lengths: 0...3, packing: .document, length: 17),
    Case(lengths: 300...900, packing: .document, length: 128),
    Case(length: 1, batch: 7), Case(length: 1000, batch: 3, seed: .max),
    Case(seed: 1 << 63, cursor: LoaderCursor(epoch: 3, sequence: 11)), Case(rank: 2, ranks: 3),
    Case(packing: .document, seed: 12_345, cursor: LoaderCursor(epoch: 1, sequence: 2), rank: 1, ranks: 2),
    Case(batch: 500, seed: 7, shardTokens: 1),
  ]

  @Test(arguments: cases) func batchesAreThoseOfTheLoader(_ example: Case) throws {
    let scratch = try Scratch()
    let directory = scratch.path("d")
    try writeDataset(
      directory, randomDocuments(80, vocabulary: example.vocabulary, lengths: example.lengths),
      vocabulary: example.vocabulary, shardTokens: example.shardTokens)
    var loader = try BatchLoader(
      dataset: try Dataset(directory), split: "train", packing: example.packing,
      sequenceLength: example.length,
      batch: example.batch, seed: example.seed, cursor: example.cursor, rank: example.rank,
      rankCount: example.ranks)
    let batches = min(400, 2 * loader.sequenceCount / (example.batch * example.ranks) + 2)
    var expected: [Int32] = []
    for _ in 0..<batches {
      var inputs = [Int32](repeating: 0, count: example.batch * example.length)
      var targets = inputs
      try inputs.withUnsafeMutableBufferPointer { inputs in
        try targets.withUnsafeMutableBufferPointer { try loader.next(into: inputs, targets: $0) }
      }
      expected += inputs + targets
    }
    expected += [loader.sequenceCount, loader.cursor.epoch, loader.cursor.sequence].map { Int32($0) }
    let arguments = [
      directory, "train", "\(example.length)", example.packing.rawValue, "\(example.batch)",
      "\(example.seed)",
      "\(example.cursor.epoch)", "\(example.cursor.sequence)", "\(example.rank)", "\(example.ranks)",
      "\(batches)",
    ]
    let output = try Peers.run("python_batches.py", arguments)
    let found = output.withUnsafeBytes { Array($0.bindMemory(to: Int32.self)) }
    #expect(found.count == expected.count && found == expected)
  }

  @Test func damageIsNoticed() throws {
    let scratch = try Scratch()
    let directory = scratch.path("d")
    let index = try writeDataset(directory, randomDocuments(80, vocabulary: 1000))
    let file = scratch.path("d/" + index.shards[0].file)
    let bytes = try MappedFile.read(file)
    for offset in [bytes.count / 3, bytes.count - 30, bytes.count - 2] {
      var damaged = bytes
      damaged[offset] ^= 0x10
      try Data(damaged).write(to: URL(fileURLWithPath: file))
      #expect(throws: Failure.self, "byte \(offset)") {
        try Peers.run(
          "python_batches.py", [directory, "train", "64", "stream", "4", "1", "0", "0", "0", "1", "200"])
      }
    }
  }
}
