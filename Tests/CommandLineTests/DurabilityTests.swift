import Foundation
import Support
import TestSupport
import Testing

/// Every output is synced, then renamed, and then the directory that has its name is synced, in this order: whatever has a
/// name is whole, even after a failure of power. And a disk that fails while this is done is reported.
@Suite(.timeLimit(.minutes(60))) struct DurabilityTests {
  private let scratch: Scratch
  private let library: String

  init() throws {
    scratch = try Scratch()
    library = try FileCalls.library(in: scratch)
    let words = ["the", "ship", "sails", "over", "a", "grey", "sea", "and", "nobody", "sleeps"]
    var random = RandomGenerator(seed: 1)
    func line() -> String { (0..<30).map { _ in words[random.below(words.count)] }.joined(separator: " ") }
    try scratch.write("w/in.txt", (0..<40).map { _ in line() + "\n" }.joined())
    try scratch.write("w/more.txt", (0..<10).map { _ in line() + "\n" }.joined())
    try scratch.write(
      "w/recipe.yaml",
      """
      inputs: {train: in.txt, valid: more.txt}
      output: made
      stages:
        - normalize
        - dedup: {method: minhash}
        - learn-bpe: {merges: 20}
        - encode
      """)
    try scratch.write(
      "w/train.yaml",
      """
      model: {layers: 1, dim: 8, heads: 2, context: 4}
      train: {batch: 2, steps: 4, lr: 1.0e-3, warmup: 1, checkpoint_every: 2, log_every: 1}
      """)
  }

  private func run(_ script: String, fault: String = "") throws -> FileCalls {
    try FileCalls(script, in: scratch.path("w"), library: library, fault: fault)
  }

  @Test func ofFilesAndDirectories() throws {
    let steps: [(script: String, outputs: [String])] = [
      ("pkm-data normalize in.txt -o out.txt", ["out.txt"]),
      ("pkm-data normalize in.txt -o out.txt.gz --summary s.json", ["out.txt.gz", "s.json"]),
      ("pkm-data filter --min-words 3 in.txt -o out.txt.zst --rejected no.txt", ["no.txt", "out.txt.zst"]),
      ("pkm-data count-words in.txt -o words.txt", ["words.txt"]),
      ("pkm-data learn-bpe --merges 20 in.txt -o bpe.json", ["bpe.json"]),
      ("pkm-data learn-bpe --merges 20 in.txt -o merges.txt", ["merges.txt", "vocab.json"]),
      ("pkm-data encode --tokenizer bpe.json in.txt -o data", ["data"]),
      ("pkm-data encode --tokenizer bpe.json in.txt -o ids.txt", ["ids.txt"]),
      ("pkm-data shard data -o other --split valid=0.2 --shard-size 1K", ["other"]),
      ("pkm-data export --format nanogpt data -o nanogpt", ["nanogpt"]),
      ("pkm-data decode data -o back.txt", ["back.txt"]),
      ("pkm-train train --config train.yaml --data data -o run", ["run/step-00000004", "run/latest"]),
      ("pkm-train report run -o run.html", ["run.html"]),
    ]
    for (script, outputs) in steps {
      let found = try run(script + " --quiet")
      #expect(found.status == 0, "\(script): \(found.errors)")
      #expect(found.faults.isEmpty, "\(script): \(found.faults)")
      #expect(Set(outputs).isSubset(of: found.appeared), "\(script): \(found.appeared)")
    }
  }

  /// The state from which an interrupted command continues.
  @Test(arguments: ["minhash", "substring --min-length 5", "paragraph", "exact"])
  func ofStagesOfDeduplication(method: String) throws {
    let found = try run(
      "pkm-data dedup --method \(method) --memory 64M --work-dir state in.txt -o out.txt --quiet")
    #expect(found.status == 0, "\(found.errors)")
    #expect(found.faults.isEmpty, "\(found.faults)")
    #expect(found.appeared.contains("out.txt") && found.appeared.contains("state/job"), "\(found.appeared)")
  }

  /// A record says that an output is there, so the output comes first.
  @Test func ofRecipes() throws {
    let first = try run("pkm-data run recipe.yaml --quiet")
    #expect(first.status == 0, "\(first.errors)")
    #expect(first.faults.isEmpty, "\(first.faults)")
    #expect(first.appeared.last == "made" || first.appeared.contains("made"))
    let records = first.appeared.filter { $0.hasSuffix(".done") }
    #expect(records.count >= 4)
    for (index, name) in first.appeared.enumerated() where name.hasSuffix(".done") {
      let output = String(name.dropLast(".done".count))
      guard FileManager.default.fileExists(atPath: scratch.path("w/" + output)) else { continue }
      #expect(first.appeared[..<index].contains(output), "\(name) came before its output")
    }
    // Another dataset takes the place of the first.
    try scratch.write("w/in.txt", try scratch.text("w/in.txt") + "one more line of the text\n")
    let second = try run("pkm-data run recipe.yaml --quiet")
    #expect(second.status == 0, "\(second.errors)")
    #expect(second.faults.isEmpty, "\(second.faults)")
    #expect(
      second.calls.contains {
        if case .exchange(_, "made") = $0 { true } else { false }
      })
  }

  /// Each sync and each rename fails once. The command says so, and leaves no half-written file.
  @Test(arguments: [
    "pkm-data normalize in.txt -o out", "pkm-data learn-bpe --merges 5 in.txt -o out.json",
    "pkm-data encode --tokenizer bpe.json in.txt -o out",
    "pkm-train train --config train.yaml --data data -o out",
  ])
  func failuresOfTheDiskAreReported(command: String) throws {
    let made = try run(
      "pkm-data learn-bpe --merges 20 in.txt -o bpe.json --quiet && "
        + "pkm-data encode --tokenizer bpe.json in.txt -o data --quiet")
    #expect(made.status == 0, "\(made.errors)")
    for kind in ["fsync", "rename"] {
      var number = 1
      while number <= 40 {
        let found = try run("\(command) --quiet", fault: "\(kind):\(number)")
        let hasFailed = found.calls.contains { if case .failure = $0 { true } else { false } }
        if !hasFailed {
          #expect(found.status == 0, "\(found.errors)")
          break
        }
        #expect(found.status == 74, "\(kind):\(number): \(found.status) \(found.errors)")
        #expect(
          found.errors.contains("Input/output error"), "\(kind):\(number): \(found.errors)")
        let left = try FileManager.default.subpathsOfDirectory(atPath: scratch.path("w")).filter {
          TemporaryName.isTemporary(Path.name(of: $0))
        }
        #expect(left.isEmpty, "\(kind):\(number): \(left)")
        _ = try runShell("rm -rf out*", in: scratch.url.appendingPathComponent("w"))
        number += 1
      }
      #expect(number > 1 && number <= 40)
      _ = try runShell("rm -rf out*", in: scratch.url.appendingPathComponent("w"))
    }
  }
}
