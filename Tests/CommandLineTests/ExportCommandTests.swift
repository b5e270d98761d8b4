import Foundation
import Shards
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct ExportCommandTests {
  /// A dataset of real text with a train and a valid split, and the tokenizer's file.
  private func makeDataset(_ scratch: Scratch) throws {
    let lines = (0..<400).map { "Line \($0) of a text, with some words in it and \($0 * 7) more." }
    let text = try scratch.write("text.txt", lines.joined(separator: "\n") + "\n\n")
    #expect(try Tool.data("learn-bpe", text, "--merges", "200", "-o", scratch.path("bpe.json")).status == 0)
    #expect(
      try Tool.data("encode", text, "--tokenizer", scratch.path("bpe.json"), "-o", scratch.path("e/")).status
        == 0)
    #expect(
      try Tool.data("shard", scratch.path("e"), "-o", scratch.path("d"), "--split", "valid=0.1").status == 0)
  }

  @Test(arguments: TokenFileFormat.allCases)
  func aDatasetSurvivesTheJourney(format: TokenFileFormat) throws {
    let scratch = try Scratch()
    try makeDataset(scratch)
    let exported = try Tool.data(
      "export", scratch.path("d"), "--format", format.rawValue, "-o", scratch.path("x"), "--summary",
      scratch.path("s.json"))
    #expect(exported.status == 0, "\(exported.errors)")
    let before = try Dataset(scratch.path("d")).index
    let tokens = before.splits.values.reduce(0) { $0 + $1.tokens }
    #expect(try scratch.text("s.json").contains("\"tokens\": \(tokens)"))
    var arguments = [
      "import", scratch.path("x"), "--tokenizer", scratch.path("bpe.json"), "-o", scratch.path("b"),
    ]
    if format == .nanogpt { arguments += ["--format", "nanogpt"] }
    let imported = try Tool.data.run(arguments)
    #expect(imported.status == 0, "\(imported.errors)")
    let after = try Dataset(scratch.path("b")).index
    #expect(after.splits == before.splits && after.tokenizer == before.tokenizer)
    #expect(after.shards.map(\.xxh64) == before.shards.map(\.xxh64))
    #expect(try Tool.data("verify", scratch.path("b")).status == 0)
  }

  /// NumPy and Megatron's layout by a reader that is not ours.
  @Test(.peers)
  func otherReadersAgree() throws {
    let scratch = try Scratch()
    try makeDataset(scratch)
    let streamed = SampleFormat.allCases.map(\.rawValue)
    for format in TokenFileFormat.allCases.map(\.rawValue) + streamed {
      // Several shards, each of several documents.
      let more = streamed.contains(format) ? ["--shard-tokens", "700"] : []
      #expect(
        try Tool.data.run(
          ["export", scratch.path("d"), "--format", format, "-o", scratch.path(format)] + more
        ).status == 0)
    }
    #expect(try SystemCall.names(in: scratch.path("mds/train")).count > 3)
    let script = Repository.path("Tests/Peers/token_files.py")
    let result = try runShell("\"$PKM_PEERS_PYTHON\" '\(script)' .", in: scratch.url)
    #expect(result.status == 0, "\(result.errors)")
    #expect(
      result.text.contains(
        "train: megatron, llmc, nanogpt, numpy, mds, litdata, webdataset and the shards agree"))
    #expect(
      result.text.contains(
        "valid: megatron, llmc, nanogpt, numpy, mds, litdata, webdataset and the shards agree"))
  }

  @Test func refusals() throws {
    let scratch = try Scratch()
    try SampleDataset.write(scratch.path("d"), vocabulary: 70_000)
    let wide = try Tool.data("export", scratch.path("d"), "--format", "nanogpt", "-o", scratch.path("x"))
    #expect(wide.status == 64 && wide.errors.contains("16-bit ids"))
    let split = try Tool.data(
      "export", scratch.path("d"), "--format", "numpy", "-o", scratch.path("x"), "--split", "test")
    #expect(split.status == 64 && split.errors.contains("no split \"test\""))
    let taken = try Tool.data("export", scratch.path("d"), "--format", "numpy", "-o", scratch.path("d"))
    #expect(taken.status == 64 && taken.errors.contains("is both an input and --output"))
    let dropped = try Tool.data(
      "export", scratch.path("d"), "--format", "llmc", "-o", scratch.path("x"), "--end-of-document", "drop")
    #expect(dropped.status == 64)
    for format in SampleFormat.allCases {
      let dropped = try Tool.data(
        "export", scratch.path("d"), "--format", format.rawValue, "-o", scratch.path("x"),
        "--end-of-document",
        "drop")
      #expect(dropped.status == 64 && dropped.errors.contains("without the end-of-document id"))
    }
    let sharded = try Tool.data(
      "export", scratch.path("d"), "--format", "numpy", "-o", scratch.path("x"), "--shard-tokens", "9")
    #expect(sharded.status == 64 && sharded.errors.contains("--shard-tokens is for"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.url.path) == ["d"])
  }
}
