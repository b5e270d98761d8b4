import Foundation
import Support
import TestSupport
import Testing

@testable import Shards

/// Shards of samples, in small; Tests/Peers/token_files.py compares larger ones with layouts of its own.
@Suite(.timeLimit(.minutes(60))) struct SampleExporterTests {
  private let scratch: Scratch
  private let documents = [[5, 6], [], [7, 8, 9]].map { TestDocument(tokens: $0) }

  init() throws { scratch = try Scratch() }

  private func export(
    _ documents: [TestDocument], _ format: SampleFormat, vocabulary: Int = 1000, shardTokens: Int = 4
  ) throws -> [String] {
    try writeDataset(scratch.path("in"), documents, vocabulary: vocabulary)
    var exporter = SampleExporter(format)
    exporter.shardTokens = shardTokens
    return try exporter.write(Dataset(scratch.path("in")), splits: ["train"], to: scratch.path("out"))
  }

  private func words(_ bytes: ArraySlice<UInt8>) -> [UInt32] {
    stride(from: bytes.startIndex, to: bytes.endIndex - 3, by: 4).map { start in
      (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << (8 * UInt32($1)) }
    }
  }

  @Test func mdsLayout() throws {
    #expect(
      try export(documents, .mds) == ["train/shard.00000.mds", "train/shard.00001.mds", "train/index.json"])
    // The first two documents have 4 tokens, with which a shard is full.
    let bytes = try MappedFile.read(scratch.path("out/train/shard.00000.mds"))
    let start = words(bytes[..<16])[1]
    #expect(words(bytes[..<16]) == [2, start, start + 12, start + 20])
    #expect(bytes[16] == UInt8(ascii: "{") && bytes[Int(start) - 1] == UInt8(ascii: "}"))
    #expect(Array(bytes[Int(start)...]) == [8, 0, 0, 0, 4, 3, 5, 0, 6, 0, 0, 0, 4, 0, 0, 0, 4, 1, 0, 0])
  }

  @Test(arguments: [
    (255, [UInt8]([4, 255])), (256, [5, 0, 1]), (65_535, [5, 255, 255]), (65_536, [6, 0, 0, 1, 0]),
  ])
  func mdsLengthsTakeAsManyBytesAsTheyNeed(tokens: Int, header: [UInt8]) throws {
    let document = TestDocument(tokens: [UInt32](repeating: 1, count: tokens - 1))
    _ = try export([document], .mds, shardTokens: 1)
    let bytes = try MappedFile.read(scratch.path("out/train/shard.00000.mds"))
    #expect(bytes[(bytes.count - 2 * tokens - header.count)..<(bytes.count - 2 * tokens)] == header[...])
    #expect(bytes.suffix(2) == [0, 0])
  }

  @Test(arguments: [1000, 70_000]) func litdataLayout(vocabulary: Int) throws {
    #expect(
      try export(documents, .litdata, vocabulary: vocabulary) == [
        "train/chunk-0-0.bin", "train/chunk-0-1.bin", "train/index.json",
      ])
    #expect(
      words(try MappedFile.read(scratch.path("out/train/chunk-0-0.bin"))[...]) == [
        2, 16, 28, 32, 5, 6, 0, 0,
      ])
    #expect(
      words(try MappedFile.read(scratch.path("out/train/chunk-0-1.bin"))[...]) == [1, 12, 28, 7, 8, 9, 0])
  }

  @Test func webdatasetLayout() throws {
    #expect(try export(documents, .webdataset) == ["train-000000.tar", "train-000001.tar"])
    let bytes = try MappedFile.read(scratch.path("out/train-000001.tar"))
    #expect(
      bytes.count == 512 + 512 + 1024 && String(decoding: bytes[..<13], as: UTF8.self) == "000000002.npy")
    #expect(Array(bytes[(512 + 128)..<(512 + 136)]) == [7, 0, 8, 0, 9, 0, 0, 0])
    let listed = try Subprocess.run("/bin/tar", ["-tf", scratch.path("out/train-000000.tar")])
    #expect(String(decoding: listed.output, as: UTF8.self) == "000000000.npy\n000000001.npy\n")
  }

  @Test(arguments: SampleFormat.allCases) func anEmptySplitHasAShardWithoutSamples(format: SampleFormat)
    throws
  {
    let files = try export([], format)
    #expect(files.count == (format == .webdataset ? 1 : 2))
    if format == .litdata {
      #expect(words(try MappedFile.read(scratch.path("out/train/chunk-0-0.bin"))[...]) == [0, 8])
    }
  }

  @Test func shardsAreCutWhereTheFormatEnds() {
    var shard = SampleShard(.mds, tokenBytes: 2, firstSample: 0)
    #expect(shard.fits(1 << 28))
    #expect(!shard.fits(1 << 29))
    [UInt8](repeating: 0, count: 1 << 20).withUnsafeBytes { shard.add($0) }
    #expect(shard.tokens == 1 << 19 && shard.count == 1 && !shard.fits((1 << 29) - (1 << 17)))
  }
}
