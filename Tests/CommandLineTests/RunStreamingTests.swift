import Foundation
import Shards
import TestSupport
import Testing

/// Stages of a recipe that stream into each other.
@Suite(.long, .timeLimit(.minutes(60))) struct RunStreamingTests {
  private func texts(_ scratch: Scratch, documents: Int = 2000) throws {
    let words = ["the", "ship", "sails", "over", "a", "grey", "sea", "and", "nobody", "sleeps."]
    let lines = (0..<documents).map { number in
      (0..<(3 + number % 40)).map { words[(number * 7 + $0 * $0) % words.count] }.joined(separator: " ")
    }
    try scratch.write("texts.txt", (lines + lines.prefix(100)).joined(separator: "\n") + "\n")
  }

  private func recipe(_ scratch: Scratch, _ stages: [String], inputs: String = "texts.txt") throws {
    try scratch.write(
      "recipe.yaml",
      "inputs: \(inputs)\noutput: \(scratch.path("out"))\nstages:\n"
        + stages.map { "  - \($0)\n" }.joined())
  }

  private func run(_ scratch: Scratch, _ more: String...) throws -> Subprocess.Result {
    try Tool.data.run(["run", scratch.path("recipe.yaml")] + more)
  }

  /// Files of documents in the work directory.
  private func documentFiles(_ scratch: Scratch) throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: scratch.path("out.work")).filter {
      $0.hasSuffix(".jsonl.zst")
    }.sorted()
  }

  private static let stages = [
    "normalize", "filter: {min-words: 5}", "dedup: {method: exact}", "dedup: {method: paragraph}",
    "learn-bpe: {merges: 60}", "encode", "shard: {split: {test: 0.1}}",
  ]

  @Test(arguments: ["1", "3"]) func streamedOrKeptTheDatasetIsTheSame(threads: String) throws {
    let scratch = try Scratch()
    try texts(scratch)
    try recipe(scratch, Self.stages)
    #expect(try run(scratch, "--keep-all", "--threads", threads).status == 0)
    let kept = try SampleDataset.files(scratch.path("out"))
    #expect(try documentFiles(scratch).count == 4)
    for path in ["out", "out.work"] { try FileManager.default.removeItem(atPath: scratch.path(path)) }
    let result = try run(scratch, "--threads", threads)
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.errors.contains("normalize train → filter train → dedup train → dedup train"))
    #expect(try SampleDataset.files(scratch.path("out")) == kept)
    // One file of text is left, the one that is read twice; all stages have their counts.
    #expect(try documentFiles(scratch).map { $0.hasPrefix("04-dedup/train") } == [true])
    let steps = try #require(readSummary(scratch.path("out.work/summary.json"))["steps"] as? [[String: Any]])
    let counts = steps.map { ($0["summary"] as? [String: Any])?["documents_out"] as? Int ?? -1 }
    #expect(counts[0] == 2100 && counts[1] < 2100 && counts[2] < counts[1] && counts[1] > 1500)
    // Up to date, with and without the files.
    #expect(try run(scratch).errors.contains("up to date"))
  }

  @Test func whatTakesSeveralPassesReadsAndLeavesAFile() throws {
    let scratch = try Scratch()
    try texts(scratch)
    try recipe(
      scratch,
      [
        "normalize", "filter: {min-words: 5}", "dedup: {method: minhash}", "dedup", "learn-bpe: {merges: 60}",
        "encode",
      ])
    let result = try run(scratch)
    #expect(result.status == 0, "\(result.errors)")
    #expect(
      try documentFiles(scratch).map { String($0.prefix(9)) } == ["02-filter", "03-dedup/", "04-dedup/"])
  }

  @Test func aGivenTokenizerLeavesNoText() throws {
    let scratch = try Scratch()
    try texts(scratch)
    let learned = try Tool.data(
      "learn-bpe", "--merges", "50", scratch.path("texts.txt"), "-o", scratch.path("bpe.json"))
    #expect(learned.status == 0)
    try recipe(scratch, ["normalize", "dedup", "encode: {tokenizer: bpe.json}"])
    #expect(try run(scratch).status == 0)
    #expect(try documentFiles(scratch) == [])
    #expect(try Tool.data("verify", scratch.path("out")).status == 0)
    // The chain is done anew as a whole when one of its stages changes.
    try recipe(scratch, ["normalize", "dedup: {key: normalized}", "encode: {tokenizer: bpe.json}"])
    let plan = try run(scratch, "--dry-run")
    #expect(
      plan.text == """
        normalize train: would run, for the next stage: its output is not kept
        dedup train: would run, its options were none
        encode train: would run, its input is made anew

        """)
  }

  @Test func aFailureInTheMiddleLeavesNothingHalf() throws {
    let scratch = try Scratch()
    try texts(scratch, documents: 60_000)
    // Bytes that are no UTF-8, at the very end.
    let file = try #require(FileHandle(forWritingAtPath: scratch.path("texts.txt")))
    try file.seekToEnd()
    try file.write(contentsOf: Data([0xff, 0xfe, 0x0a]))
    try file.close()
    try recipe(
      scratch,
      ["normalize: {strict: true}", "filter: {min-words: 5}", "dedup", "learn-bpe: {merges: 10}", "encode"])
    let result = try run(scratch)
    #expect(result.status == 65 && result.errors.contains("texts.txt"), "\(result.errors)")
    #expect(try documentFiles(scratch) == [])
    // Who reads fails: who writes does not wait for ever, and the error is the reader's.
    try recipe(
      scratch,
      [
        "normalize", "filter: {min-words: 5, annotate: true}", "filter: {min-words: 5, annotate: true}",
        "learn-bpe", "encode",
      ])
    let refused = try run(scratch)
    #expect(refused.status == 64 && refused.errors.contains("already has a field"), "\(refused.errors)")
    #expect(try documentFiles(scratch) == [])
  }

  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/script")))
  func aTerminalSeesTheStages() throws {
    let scratch = try Scratch()
    try texts(scratch, documents: 20_000)
    try recipe(scratch, Self.stages)
    let shown = try runShell("COLUMNS=100 script -qec 'pkm-data run recipe.yaml' /dev/null", in: scratch.url)
    #expect(shown.status == 0, "\(shown.text)")
    for text in [
      "✓ normalize train", "✓ filter train", " documents, ", " words, ", "✓ learn-bpe", "\u{1b}[J",
    ] {
      #expect(shown.text.contains(text), "\(text) in \(shown.text)")
    }
    // In a log there is nothing to erase.
    try FileManager.default.removeItem(atPath: scratch.path("out.work"))
    let logged = try run(scratch)
    #expect(logged.status == 0 && !logged.errors.contains("\u{1b}") && !logged.errors.contains("✓"))
    #expect(try run(scratch, "--quiet").errors == "")
  }
}
