import Foundation
import Shards
import Support
import TestSupport
import Testing

/// What a stage has made is what the next one gets, and what the run removes is what it has made.
@Suite(.long, .timeLimit(.minutes(60))) struct RunHandoverTests {
  private let scratch: Scratch

  init() throws {
    scratch = try Scratch()
    try scratch.write("in.txt", (0..<400).map { "document \($0) of some words\n" }.joined())
    try scratch.write(
      "recipe.yaml",
      """
      inputs: in.txt
      output: out
      stages:
        - normalize
        - dedup: {method: minhash}
        - learn-bpe: {merges: 30}
        - encode
        - shard: {split: {test: 0.1}}
      """)
  }

  private func run(_ more: String...) throws -> Subprocess.Result {
    try Tool.data.run(["run", "recipe.yaml"] + more, in: scratch.url)
  }

  /// The files of finished stages in the work directory, by stage.
  private func outputs() throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: scratch.path("out.work"))
      .filter { name in
        !Path.isDirectory(scratch.path("out.work/\(name)")) && name.contains("/") && !name.hasSuffix(".done")
      }.sorted()
  }

  @Test func whatIsNotWhatWasRecordedIsMadeAgain() throws {
    #expect(try run("--keep-all").status == 0)
    let whole = try SampleDataset.files(scratch.path("out"))
    let names = try outputs()
    #expect(names.count > 6)
    for name in names {
      for damage in ["truncate -s 0", "truncate -s -1", "flip", "truncate -s +3"] {
        let stage = try #require(name.split(separator: "/").first)
        // Everything that comes later is lost, so that the damaged file is what the next stage would read.
        let later = stage.prefix(2)
        let script = """
          for stage in out.work/[0-9]*; do
            number=${stage#out.work/}; [ "${number%%-*}" -gt \(later) ] && rm -rf $stage
          done
          rm -rf out
          f='out.work/\(name)'
          if [ "\(damage)" = flip ]; then
            size=$(stat -c %s "$f"); printf '\\252' | dd of="$f" bs=1 seek=$((size / 2)) conv=notrunc status=none
          else \(damage) "$f"; fi
          """
        #expect(try runShell(script, in: scratch.url).status == 0)
        let result = try run("--keep-all")
        #expect(result.status == 0, "\(name) \(damage): \(result.errors)")
        #expect(result.errors.contains("is made again"), "\(name) \(damage): \(result.errors)")
        #expect(try SampleDataset.files(scratch.path("out")) == whole, "\(name) \(damage)")
      }
    }
  }

  @Test func aPublishedDatasetOfAnotherSizeIsMadeAgain() throws {
    #expect(try run().status == 0)
    let whole = try SampleDataset.files(scratch.path("out"))
    #expect(try runShell("truncate -s 10 out/train-00000.tokens.zst", in: scratch.url).status == 0)
    #expect(try run().status == 0)
    #expect(try SampleDataset.files(scratch.path("out")) == whole)
    #expect(
      try runShell("rm out/train-00000.tokens.zst; echo x > out/train-00000.tokens.zst", in: scratch.url)
        .status == 0)
    #expect(try run().status == 0)
    #expect(try SampleDataset.files(scratch.path("out")) == whole)
  }

  @Test func onlyWhatTheRunHasMadeIsRemoved() throws {
    for name in ["42-answers/precious", "99/precious", "00-notes.txt"] {
      try scratch.write("out.work/\(name)", "x")
    }
    let refused = try run()
    #expect(refused.status == 74 && refused.errors.contains("holds other files"), "\(refused.errors)")
    try FileManager.default.removeItem(atPath: scratch.path("out.work"))
    // Names that ours have, too, but without our mark.
    for name in ["stages.json", "lock", "report.html"] { try scratch.write("out.work/\(name)", "precious") }
    #expect(try run().status == 74)
    for name in ["stages.json", "lock", "report.html"] {
      #expect(try scratch.text("out.work/\(name)") == "precious")
    }
    try FileManager.default.removeItem(atPath: scratch.path("out.work"))
    #expect(try run().status == 0)
    for name in ["42-answers/precious", "99/precious", "00-notes.txt", "02-dedup/mine.txt", "03-mine/x"] {
      try scratch.write("out.work/\(name)", "precious")
    }
    // Another recipe: the stages of the first are removed.
    try scratch.write(
      "recipe.yaml", "inputs: in.txt\noutput: out\nstages:\n  - learn-bpe: {merges: 20}\n  - encode\n")
    let result = try run()
    #expect(result.status == 0, "\(result.errors)")
    for name in ["42-answers/precious", "99/precious", "00-notes.txt", "02-dedup/mine.txt", "03-mine/x"] {
      #expect(try scratch.text("out.work/\(name)") == "precious")
    }
    let left = try outputs().filter { !$0.hasPrefix("42") && !$0.hasPrefix("99") && !$0.hasPrefix("03-mine") }
    #expect(
      left.contains("02-dedup/mine.txt") && !left.contains { $0.hasPrefix("02-dedup/train") }, "\(left)")
    // A ledger that leads elsewhere removes nothing.
    try scratch.write("precious/file", "precious")
    try scratch.write(
      "out.work/stages.json",
      #"{"format": "pkm-work", "made": ["../precious/file", "/etc/hostname", "..", "x/../../precious/file", "99/../precious"]}"#
    )
    #expect(try run().status == 0)
    #expect(
      try scratch.text("precious/file") == "precious" && scratch.text("out.work/99/precious") == "precious")
  }

  @Test func aShardOfEqualSizeIsNotAnother() throws {
    for (name, seed) in [("one", 1), ("two", 2)] {
      try SampleDataset.write(scratch.path(name), documents: 40, seed: UInt64(seed))
    }
    try SampleDataset.write(scratch.path("other"), documents: 40, seed: 1)
    // The same lengths, other ids: only the checksums differ.
    let first = try DatasetIndexFile(scratch.path("one")),
      second = try DatasetIndexFile(scratch.path("other"))
    #expect(first.bytes == second.bytes)
    let script = """
      cp -r one swapped
      cp two/train-00000.tokens.zst swapped/train-00000.tokens.zst
      """
    #expect(try runShell(script, in: scratch.url).status == 0)
    for arguments in [["decode", "swapped"], ["verify", "swapped"], ["shard", "swapped", "-o", "new"]] {
      let result = try Tool.data.run(arguments, in: scratch.url)
      #expect(result.status == 65, "\(arguments): \(result.errors)")
    }
  }

  private struct DatasetIndexFile {
    let bytes: Int
    init(_ path: String) throws { bytes = try Dataset(path).index.shards[0].bytes }
  }
}
