import Foundation
import Shards
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct DatasetTests {
  @Test(arguments: [1000, 65_536, 65_537, 200_000]) func roundTrip(vocabulary: Int) throws {
    let scratch = try Scratch()
    let documents = randomDocuments(700, vocabulary: vocabulary)
    let written = try writeDataset(scratch.path("d"), documents, vocabulary: vocabulary, shardTokens: 30_000)
    let dataset = try Dataset(scratch.path("d"))
    #expect(dataset.index == written)
    #expect(dataset.index.tokenBytes == (vocabulary <= 65_536 ? 2 : 4))
    #expect(dataset.index.shards.count > 3)
    #expect(try readDocuments(dataset) == documents)
    #expect(try dataset.tokenizerJSON() == testTokenizer)
    let totals = try dataset.totals(of: "train")
    #expect(totals.tokens == documents.reduce(0) { $0 + $1.tokens.count + 1 })
    #expect(totals.documents == documents.count)
    #expect(totals.words == documents.reduce(0) { $0 + $1.words })
    #expect(totals.textBytes == documents.reduce(0) { $0 + $1.textBytes })
    let reader = try SplitReader(dataset, split: "train", cacheBytes: 1 << 18)
    let flat = flatten(documents)
    var generator = RandomGenerator(seed: 3)
    for _ in 0..<200 {
      let start = generator.below(flat.count)
      var part = [Int32](repeating: -1, count: generator.below(min(5000, flat.count - start) + 1))
      try part.withUnsafeMutableBufferPointer { try reader.read(at: start, into: $0) }
      #expect(part.elementsEqual(flat[start..<(start + part.count)]))
    }
  }

  @Test func zstdDecodesShardsToTheIds() throws {
    let scratch = try Scratch()
    // Several frames, so that the skippable frame follows more than one.
    let documents = randomDocuments(1500, vocabulary: 1000)
    let index = try writeDataset(scratch.path("d"), documents)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["zstd", "-dc", scratch.path("d/train-00000.tokens.zst")]
    let output = scratch.path("plain")
    try Data().write(to: URL(fileURLWithPath: output))
    process.standardOutput = FileHandle(forWritingAtPath: output)
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    let plain = Array(try Data(contentsOf: URL(fileURLWithPath: output)))
    #expect(plain == flatten(documents).flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] })
    #expect(plain.count == index.shards[0].bytes && plain.count > 3 * (1 << 17))
    #expect(index.shards[0].xxh64 == Hashing.hexadecimal(plain.withUnsafeBytes { Hashing.xxh64($0) }))
  }

  @Test func seekTableFollowsTheFormat() throws {
    let scratch = try Scratch()
    try writeDataset(scratch.path("d"), randomDocuments(1500, vocabulary: 1000))
    let bytes = try Data(contentsOf: URL(fileURLWithPath: scratch.path("d/train-00000.tokens.zst")))
    func word(_ offset: Int) -> Int { (0..<4).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) } }
    let frames = word(bytes.count - 9)
    let table = bytes.count - 17 - 12 * frames
    #expect(frames > 3)
    #expect(word(bytes.count - 4) == 0x8f92_eab1 && bytes[bytes.count - 5] == 0x80)
    #expect(word(table) == 0x184d_2a5e && word(table + 4) == bytes.count - table - 8)
    var offset = 0
    for frame in 0..<frames {
      #expect(word(offset) == 0xfd2f_b528)
      offset += word(table + 8 + 12 * frame)
    }
    #expect(offset == table)
  }

  @Test func outputDoesNotDependOnThreads() throws {
    let scratch = try Scratch()
    let documents = randomDocuments(3000, vocabulary: 1000)
    for threads in 1...3 {
      try writeDataset(scratch.path("\(threads)"), documents, shardTokens: 250_000, threads: threads)
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: scratch.path("1")).sorted()
    #expect(names.count == 2 + 2 * 3)
    for name in names {
      let first = try Data(contentsOf: URL(fileURLWithPath: scratch.path("1/\(name)")))
      for threads in 2...3 {
        #expect(try Data(contentsOf: URL(fileURLWithPath: scratch.path("\(threads)/\(name)"))) == first)
      }
    }
  }

  @Test func emptyDatasetIsValid() throws {
    let scratch = try Scratch()
    try writeDataset(scratch.path("d"), [])
    let dataset = try Dataset(scratch.path("d"))
    #expect(dataset.splits == ["train"] && dataset.index.shards.isEmpty)
    #expect(try readDocuments(dataset).isEmpty)
    let refusal = failure {
      _ = try BatchLoader(dataset: dataset, split: "train", sequenceLength: 8, batch: 1, seed: 1)
    }
    #expect(refusal?.message.contains("has 0 tokens, a sequence needs 9") == true)
    #expect(failure { _ = try dataset.totals(of: "test") }?.remedy?.contains("train") == true)
  }

  @Test func documentsAreNeverDividedBetweenShards() throws {
    let scratch = try Scratch()
    let lengths = [10, 99, 5000, 3, 98, 0, 200_000, 1]
    let documents = lengths.map { TestDocument(tokens: [UInt32](repeating: 7, count: $0)) }
    let index = try writeDataset(scratch.path("d"), documents, shardTokens: 100)
    #expect(index.shards.map(\.tokens) == [11, 100, 5001, 4, 100, 200_001, 2])
    #expect(index.shards.map(\.documents) == [1, 1, 1, 1, 2, 1, 1])
    #expect(try readDocuments(Dataset(scratch.path("d"))) == documents)
  }

  @Test func splitsShareADirectory() throws {
    let scratch = try Scratch()
    let writer = try DatasetWriter(
      directory: scratch.path("d"), tokenizerJSON: testTokenizer, vocabularySize: 10, endOfDocument: 0)
    for (split, token) in [("train", 1), ("valid", 2), ("train", 3)] as [(String, UInt32)] {
      try [token].withUnsafeBufferPointer { try writer.append($0, textBytes: 5, words: 1, to: split) }
    }
    try writer.declare(split: "test")
    try writer.finish()
    let dataset = try Dataset(scratch.path("d"))
    #expect(dataset.splits == ["test", "train", "valid"])
    #expect(try readDocuments(dataset, "train").map(\.tokens) == [[1], [3]])
    #expect(try readDocuments(dataset, "valid").map(\.tokens) == [[2]])
    #expect(try dataset.tokenCount(of: "test") == 0)
    #expect(failure { try writer.declare(split: "../x") }?.kind == .usage)
  }

  @Test func rejectsIDsOutsideTheVocabulary() throws {
    let scratch = try Scratch()
    for (token, reason) in [(10, "token id 10 is outside"), (0, "end-of-document id 0 occurs")] {
      let refusal = failure {
        try writeDataset(scratch.path("d"), [TestDocument(tokens: [1, UInt32(token)])], vocabulary: 10)
      }
      #expect(refusal?.kind == .badInput && refusal?.message.contains(reason) == true)
    }
    // Nothing is left, not even under a temporary name.
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.url.path).isEmpty)
  }

  @Test func rejectsAnExistingOutput() throws {
    let scratch = try Scratch()
    try writeDataset(scratch.path("d"), [])
    #expect(failure { try writeDataset(scratch.path("d"), []) }?.message == "exists already")
    try FileManager.default.createDirectory(atPath: scratch.path("e"), withIntermediateDirectories: true)
    try writeDataset(scratch.path("e"), [])
    #expect(try Dataset(scratch.path("e")).splits == ["train"])
  }
}
