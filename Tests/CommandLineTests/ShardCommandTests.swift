import Foundation
import Shards
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct ShardCommandTests {
  @Test func shufflesSplitsAndMerges() throws {
    let scratch = try Scratch()
    try SampleDataset.write(scratch.path("a"), seed: 1)
    try SampleDataset.write(scratch.path("b"), seed: 2)
    try SampleDataset.write(scratch.path("v"), documents: 20, split: "valid", seed: 3)
    func shard(_ name: String, _ more: String...) throws -> [String: Data] {
      let inputs = ["a", "b", "v"].map { scratch.path($0) }
      let result = try Tool.data.run(
        ["shard"] + inputs + ["-o", scratch.path(name), "--split", "valid=0.1,test=0.05", "--quiet"] + more)
      #expect(result.status == 0 && result.errors.isEmpty)
      return try SampleDataset.files(scratch.path(name))
    }
    let one = try shard("one", "--threads", "1", "--summary", scratch.path("summary.json"))
    #expect(try shard("two", "--threads", "2", "--memory", "64K") == one)
    #expect(try shard("other", "--seed", "2") != one)
    #expect(try scratch.text("summary.json").contains("\"documents_in\": 1020"))

    let dataset = try Dataset(scratch.path("one"))
    #expect(dataset.splits == ["test", "train", "valid"])
    let documents = try dataset.splits.map { try dataset.totals(of: $0).documents }
    #expect(documents.reduce(0, +) == 1020)
    // 5 % and 10 % of the thousand of train, and the 20 that were valid before.
    #expect((20...90).contains(documents[0]) && (80...170).contains(documents[2]))
    #expect(try Tool.data("verify", scratch.path("one")).status == 0)
    // Small shards; the order is kept.
    let small = try Tool.data(
      "shard", scratch.path("a"), "-o", scratch.path("small"), "--no-shuffle", "--shard-size", "10K")
    #expect(small.status == 0)
    // The level changes the files, not what they say.
    let sizes = try ["0", "9"].map { level in
      let output = scratch.path("level-\(level)")
      #expect(try Tool.data("shard", scratch.path("a"), "-o", output, "--level", level).status == 0)
      #expect(try Tool.data("verify", output).status == 0)
      return try SampleDataset.files(output)
    }
    let name = "train-00000.tokens.zst"
    #expect(sizes[1][name]!.count < sizes[0][name]!.count && sizes[0]["index.json"] == sizes[1]["index.json"])
    #expect(try Tool.data("shard", scratch.path("a"), "-o", scratch.path("no"), "--level", "20").status == 64)
    let packed = try Tool.data(
      "shard", scratch.path("a"), "-o", scratch.path("packed"), "--packing", "document")
    #expect(try packed.status == 0 && Dataset(scratch.path("packed")).index.packing == .document)
    #expect(try Tool.data("inspect", scratch.path("packed")).text.contains("document"))
    // An index that a later version may have written.
    let index = try scratch.text("packed/index.json").replacingOccurrences(
      of: "\"packing\" : \"document\"", with: "\"packing\" : \"best-fit\"")
    try scratch.write("packed/index.json", index)
    let unknown = try Tool.data("inspect", scratch.path("packed"))
    #expect(unknown.status == 65 && unknown.errors.contains("the value of packing is not known"))
    #expect(try Dataset(scratch.path("small")).index.shards.allSatisfy { $0.bytes <= 10 << 10 })
  }

  @Test func mixes() throws {
    let scratch = try Scratch()
    try SampleDataset.write(scratch.path("a"), seed: 1)
    try SampleDataset.write(scratch.path("b"), documents: 100, seed: 2)
    func shard(_ more: String...) throws -> Subprocess.Result {
      try? FileManager.default.removeItem(atPath: scratch.path("out"))
      return try Tool.data.run(
        ["shard", scratch.path("a"), scratch.path("b"), "-o", scratch.path("out")] + more)
    }
    let mixed = try shard("--weights", "0.5,0.5", "--tokens", "60K")
    #expect(mixed.status == 0 && !mixed.errors.contains("warning"))
    let dataset = try Dataset(scratch.path("out"))
    #expect((59_000...60_000).contains(try dataset.tokenCount(of: "train")))
    #expect(dataset.index.recipe?.contains("--weights 0.5,0.5 --tokens 60000") == true)
    let repeated = try shard("--weights", "0.1,0.9", "--tokens", "300K")
    #expect(repeated.status == 0 && repeated.errors.contains("\(scratch.path("b")): its "))
    #expect(repeated.errors.contains("times to make 270000") && !repeated.errors.contains("a: its"))
    #expect(try shard("--epochs", "1,3").status == 0)
    #expect(try Dataset(scratch.path("out")).totals(of: "train").documents == 800)
    for wrong in [
      ["--weights", "1"], ["--weights", "0,0"], ["--weights", "1,x"], ["--epochs", "1,-1"],
      ["--tokens", "many"],
      ["--epochs", "1,1", "--weights", "1,1"],
    ] {
      let result = try Tool.data.run(
        ["shard", scratch.path("a"), scratch.path("b"), "-o", scratch.path("no")] + wrong)
      #expect(result.status == 64, "\(wrong)")
    }
  }

  @Test func refusals() throws {
    let scratch = try Scratch()
    try SampleDataset.write(scratch.path("a"))
    try SampleDataset.write(scratch.path("x"), vocabulary: 400)
    let other = try Tool.data("shard", scratch.path("a"), scratch.path("x"), "-o", scratch.path("out"))
    #expect(other.status == 65 && other.errors.contains("another tokenizer"))
    let taken = try Tool.data("shard", scratch.path("a"), "-o", scratch.path("x"))
    #expect(taken.status == 74 && taken.errors.contains("exists already"))
    let absent = try Tool.data("shard", scratch.path("none"), "-o", scratch.path("out"))
    #expect(absent.status == 74 && absent.errors.contains("no such dataset directory"))
    for shares in ["valid", "valid=2", "train=0.5", "a=0.6,b=0.6", "../x=0.1", "a=0.1,a=0.2"] {
      let result = try Tool.data("shard", scratch.path("a"), "-o", scratch.path("out"), "--split", shares)
      #expect(result.status == 64, "\(shares)")
    }
    // Nothing is left under the final name or beside it.
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.url.path).sorted() == ["a", "x"])
  }

  @Test func killedItLeavesNothingUnderTheFinalName() throws {
    let scratch = try Scratch()
    try SampleDataset.write(scratch.path("a"), documents: 20_000)
    for delay in [5, 20, 60, 120] as [UInt32] {
      let process = Process()
      process.executableURL = Tool.directory.appendingPathComponent("pkm-data")
      process.arguments = ["shard", scratch.path("a"), "-o", scratch.path("out"), "--quiet"]
      try process.run()
      usleep(delay * 1000)
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
      guard FileManager.default.fileExists(atPath: scratch.path("out")) else { continue }
      // It was faster than the kill: then all of it is there.
      #expect(try Tool.data("verify", scratch.path("out")).status == 0)
      try FileManager.default.removeItem(atPath: scratch.path("out"))
    }
    #expect(try Tool.data("shard", scratch.path("a"), "-o", scratch.path("out")).status == 0)
    #expect(try Tool.data("verify", scratch.path("out")).status == 0)
  }
}
