import Foundation
import Shards
import Support
import TestSupport
import Testing

/// What the commands that take a dataset say of one that is not whole, and what they leave when the disk or another
/// process is in the way.
@Suite(.timeLimit(.minutes(60))) struct BadDatasetCommandTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// What is done to a dataset, and what has to be said about it: the file, the reason, what to do.
  enum Damage: String, CaseIterable {
    case cutIndex, missingShard, shardOfAnotherDataset, damagedShard, wrongTokenizer, idOutOfRange

    func apply(to directory: String, another: String) throws {
      func file(_ name: String, in directory: String) -> URL { URL(fileURLWithPath: directory + "/" + name) }
      func data(_ name: String) throws -> Data { try Data(contentsOf: file(name, in: directory)) }
      func copy(_ name: String) throws {
        try Data(contentsOf: file(name, in: another)).write(to: file(name, in: directory))
      }
      let shard = "train-00001.tokens.zst"
      switch self {
      case .cutIndex: try data("index.json").dropLast(200).write(to: file("index.json", in: directory))
      case .missingShard: try FileManager.default.removeItem(at: file(shard, in: directory))
      case .shardOfAnotherDataset: try copy(shard)
      case .damagedShard:
        var bytes = try data(shard)
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: file(shard, in: directory))
      case .wrongTokenizer: try Data("{}".utf8).write(to: file("tokenizer.json", in: directory))
      case .idOutOfRange:
        // The same shards under a smaller vocabulary than their ids need.
        let index = String(decoding: try data("index.json"), as: UTF8.self)
        try Data(index.replacing("\"vocabulary_size\" : 300", with: "\"vocabulary_size\" : 250").utf8).write(
          to: file("index.json", in: directory))
      }
    }

    var expected: (file: String, reason: String, remedy: String) {
      let shard = "train-00001.tokens.zst"
      return switch self {
      case .cutIndex: ("index.json", "not valid JSON", "restore its index.json")
      case .missingShard: (shard, "is missing", "Copy the whole directory again")
      case .shardOfAnotherDataset: (shard, "index.json says", "belongs to another dataset")
      case .damagedShard: (shard, "at byte", "opy the file again")
      case .wrongTokenizer: ("tokenizer.json", "not the tokenizer that encoded", "Restore tokenizer.json")
      case .idOutOfRange: ("tokens.zst", "is outside the vocabulary of 250", "recreate the dataset")
      }
    }
  }

  @Test(arguments: Damage.allCases) func damageIsNamedWithARemedy(damage: Damage) throws {
    let (d, another) = (scratch.path("d"), scratch.path("another"))
    try SampleDataset.write(d)
    try SampleDataset.write(another, documents: 600, seed: 2)
    try damage.apply(to: d, another: another)
    let recipe = try scratch.write(
      "r.yaml",
      "{model: {layers: 1, dim: 8, heads: 1, context: 16}, train: {steps: 2000, batch: 64, eval_every: 0}}")
    let out = scratch.path("out")
    let results = [
      "shard": try Tool.data("shard", d, "-o", out, "--quiet"),
      "export": try Tool.data("export", d, "--format", "megatron", "-o", out, "--quiet"),
      "train": try Tool.train("train", "--data", d, "--config", recipe, "-o", out, "--quiet"),
    ]
    let (file, reason, remedy) = damage.expected
    for (command, result) in results {
      // Who does not need the tokenizer does not read it.
      if damage == .wrongTokenizer && command == "export" { continue }
      #expect(result.status == 65, "\(command): \(result.status) \(result.errors)")
      for part in [file, reason, remedy] {
        #expect(result.errors.contains(part), "\(command) without \(part): \(result.errors)")
      }
    }
    #expect(try Tool.data("verify", d, "--quiet").status == 65)
    // Nothing under its final name but the run directory of the trainer, which holds no checkpoint.
    let names = try FileManager.default.contentsOfDirectory(atPath: scratch.url.path).sorted()
    #expect(names.filter { $0 != "out" } == ["another", "d", "r.yaml"])
    #expect(
      ((try? FileManager.default.contentsOfDirectory(atPath: out)) ?? []).allSatisfy {
        !$0.hasPrefix("step-")
      })
  }

  @Test func twoProcessesDoNotWriteOneDirectory() throws {
    let d = scratch.path("d")
    try SampleDataset.write(d)
    try scratch.write("text.txt", "some text\n")
    let output = try OutputDirectory(scratch.path("out"))
    let export = ["export", d, "--format", "nanogpt", "-o", scratch.path("out")]
    for command in [["shard", d, "-o", scratch.path("out")], export] {
      let result = try Tool.data.run(command)
      #expect(result.status == 1, "\(result.errors)")
      for part in ["another process is writing", scratch.path("out"), "Wait until it has ended"] {
        #expect(result.errors.contains(part), "\(result.errors)")
      }
    }
    output.discard()
    #expect(try Tool.data.run(export).status == 0)
  }

  /// A file system of half a megabyte that belongs to the command alone.
  @Test(.enabled(if: (try? shell("true", in: FileManager.default.temporaryDirectory).status) == 0))
  func aFullDiskLeavesNothing() throws {
    try SampleDataset.write(scratch.path("d"), documents: 6000)
    let size = try SampleDataset.files(scratch.path("d")).values.reduce(0) { $0 + $1.count }
    #expect(size > 700_000)
    try FileManager.default.createDirectory(atPath: scratch.path("small"), withIntermediateDirectories: true)
    try scratch.write(
      "r.yaml",
      "{model: {layers: 1, dim: 64, heads: 1, context: 16}, train: {steps: 3, batch: 4, eval_every: 0}}")
    let commands = [
      "pkm-data shard d -o small/out", "pkm-data shard d -o small/out --memory 64K",
      "pkm-data shard d -o small/out --no-shuffle --threads 1",
      "pkm-data export d --format nanogpt -o small/out",
      "pkm-train train --data d --config r.yaml -o small/run",
    ]
    for command in commands {
      let result = try Self.shell(
        "\(command) --quiet; echo \"status $?\"; ls -A small small/* 2>/dev/null", in: scratch.url)
      #expect(result.text.contains("status 74"), "\(command): \(result.text) \(result.errors)")
      #expect(result.errors.contains("No space left on device"), "\(command): \(result.errors)")
      #expect(result.errors.contains("Free some space"), "\(command): \(result.errors)")
      // Neither the output nor what it was being written to; a run has its log, and no checkpoint.
      let names = result.text.split(separator: "\n").map(String.init)
      #expect(names.allSatisfy { $0 != "out" && !$0.contains("tmp-") && !$0.hasPrefix("step-") }, "\(names)")
    }
  }

  private static func shell(_ line: String, in directory: URL) throws -> Subprocess.Result {
    let mount = "mkdir -p small && mount -t tmpfs -o size=512k none small"
    return try runShell("unshare -rm bash -c '\(mount) && { \(line); }'", in: directory)
  }
}
