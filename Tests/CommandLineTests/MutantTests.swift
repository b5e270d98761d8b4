import Foundation
import Support
import TestSupport
import Testing

/// Files of ours with one thing in them changed: numbers, names, structure, bytes. Each is taken or refused with a word; no
/// signal, no wait, no memory without end.
///
/// `PKM_MUTANTS` and `PKM_MUTANTS_SEED` choose how many and which.
@Suite(.long, .timeLimit(.minutes(60))) struct MutantTests {
  private static func number(_ variable: String, or standard: Int) -> Int {
    ProcessInfo.processInfo.environment[variable].flatMap { Int($0) } ?? standard
  }

  /// A file that is changed, and the commands that read it.
  private struct Subject: Sendable {
    let file: String
    let commands: [String]
  }

  private static let subjects = [
    Subject(file: "recipe.yaml", commands: ["pkm-data run --dry-run recipe.yaml"]),
    Subject(file: "train.yaml", commands: ["pkm-train inspect --memory --config train.yaml"]),
    Subject(
      file: "data/index.json",
      commands: [
        "pkm-data inspect data", "pkm-data verify data", "pkm-data decode data", "pkm-data normalize data",
      ]),
    Subject(file: "run/metrics.jsonl", commands: ["pkm-train report run -o -"]),
    Subject(
      file: "run/step-00000002/config.json",
      commands: [
        "pkm-train inspect --checkpoint run", "pkm-train inspect --memory --checkpoint run",
        "pkm-train generate --tokens 3 --checkpoint run x", "pkm-train report run -o -",
      ]),
    Subject(
      file: "run/step-00000002/trainer.json",
      commands: [
        "pkm-train inspect --checkpoint run", "pkm-train generate --tokens 3 --checkpoint run x",
        "pkm-train eval --checkpoint run --split train",
        "pkm-train train --config train.yaml --data data -o run --resume",
      ]),
    Subject(file: "data.work/stages.json", commands: ["pkm-data run recipe.yaml"]),
    Subject(
      file: "data.work/published.json",
      commands: ["pkm-data run recipe.yaml", "pkm-data run --dry-run recipe.yaml"]),
    Subject(
      file: "data.work/03-encode/train.done",
      commands: [
        "pkm-data run --report recipe.yaml", "pkm-data run --dry-run recipe.yaml", "pkm-data run recipe.yaml",
      ]),
    Subject(
      file: "data/tokenizer.json", commands: ["pkm-data inspect data/tokenizer.json", "pkm-data decode data"]),
  ]

  /// Everything that the subjects are, made by the tools.
  private func makeFiles(_ scratch: Scratch) throws {
    try scratch.write("in.txt", (0..<60).map { "text \($0 % 7) of some words\n" }.joined())
    try scratch.write(
      "recipe.yaml",
      """
      inputs: {train: in.txt}
      output: data
      stages:
        - dedup: {method: minhash, threshold: 0.9, hashes: 64}
        - learn-bpe: {merges: 10}
        - encode: {level: 3, shard-size: 64K}
      """)
    try scratch.write(
      "train.yaml",
      """
      model: {layers: 2, dim: 8, heads: 2, context: 4, memory: {layers: [2], subkeys: 4, heads: 2, topk: 2, query_dim: 4}}
      train: {batch: 2, steps: 2, lr: 1.0e-3, warmup: 1, checkpoint_every: 1, log_every: 1, betas: [0.9, 0.98]}
      """)
    let made = try runShell(
      """
      pkm-data run --quiet recipe.yaml && pkm-train train --quiet --config train.yaml --data data -o run
      f=$(ls data.work/03-encode/*.done); cp $f name; echo ${f##*/} > name
      """, in: scratch.url)
    try #require(made.status == 0, "\(made.errors)")
    // Without the checksums, which would refuse every change at once.
    let path = "run/step-00000002/trainer.json"
    var state = try #require(
      JSONSerialization.jsonObject(with: Data(scratch.bytes(path))) as? [String: Any])
    state["checksums"] = nil
    try scratch.write(path, Array(JSONSerialization.data(withJSONObject: state, options: .sortedKeys)))
  }

  @Test(arguments: subjects.indices) func aChangedFileIsTakenOrRefused(index: Int) throws {
    let subject = Self.subjects[index]
    let scratch = try Scratch()
    try makeFiles(scratch)
    let name = try scratch.text("name").trimmingCharacters(in: .newlines)
    let file = subject.file.replacingOccurrences(of: "train.done", with: name)
    let original = try scratch.bytes(file)
    let mutants = max(1, Self.number("PKM_MUTANTS", or: 120) / Self.subjects.count)
    var random = RandomGenerator(seed: UInt64(Self.number("PKM_MUTANTS_SEED", or: 1) + index))
    for number in 0..<mutants {
      let mutant = Mutation.changed(original, &random)
      try scratch.write(file, mutant)
      let command = subject.commands[number % subject.commands.count]
      let started = Progress.now()
      let result = try runShell(
        "ulimit -v 6000000; exec timeout -s KILL 10 \(command) < /dev/null", in: scratch.url)
      let isWell = [0, 1, 64, 65, 74].contains(result.status)
      #expect(
        isWell && Progress.now() - started < 10,
        "\(command), mutant \(number): \(result.status) \(result.errors)")
      if !isWell {
        let kept = NSTemporaryDirectory() + "mutant-\(index)-\(number)"
        try Data(mutant).write(to: URL(fileURLWithPath: kept))
        Issue.record("kept as \(kept)")
      }
      if result.status != 0 { #expect(result.errors.contains("rror"), "\(command): no word") }
    }
  }
}

/// One change of a text with numbers, strings and structure, JSON or YAML.
private enum Mutation {
  private static let numbers = [
    "-1", "0", "1", "1e300", "-1e300", "1e999", "9223372036854775807", "-9223372036854775808",
    "18446744073709551616",
    "4294967296", "2147483648", "0.5", "1e-320", "nan", ".nan", ".inf", "null", "true", "[]", "{}", "\"x\"",
    "\"\"",
  ]
  private static let strings = [
    "\"\"", "\"../x\"", "\"/\"", "\"\\u0000\"", "\"\\ud800\"", "\"--quiet\"", "\"-\"", "\"\\u001b[31m\"", "0",
    "null",
    "[\"a\"]", "{\"a\": 1}", "\"" + String(repeating: "x", count: 5000) + "\"", "\".\"", "\"train\"",
  ]

  static func changed(_ original: [UInt8], _ random: inout RandomGenerator) -> [UInt8] {
    var bytes = original
    for _ in 0...random.below(2) { bytes = changedOnce(bytes, &random) }
    return bytes
  }

  private static func changedOnce(_ bytes: [UInt8], _ random: inout RandomGenerator) -> [UInt8] {
    guard bytes.count > 1 else { return [0x7b] }
    func replace(_ range: Range<Int>, _ text: String) -> [UInt8] {
      Array(bytes[..<range.lowerBound]) + Array(text.utf8) + Array(bytes[range.upperBound...])
    }
    switch random.below(10) {
    case 0..<4:
      let places = runs(in: bytes) { "0123456789.-".utf8.contains($0) }
      guard !places.isEmpty else { return bytes }
      return replace(places[random.below(places.count)], numbers[random.below(numbers.count)])
    case 4..<6:
      let quotes = bytes.indices.filter { bytes[$0] == UInt8(ascii: "\"") }
      guard quotes.count > 1, case let pair = random.below(quotes.count / 2) else { return bytes }
      return replace(quotes[2 * pair]..<(quotes[2 * pair + 1] + 1), strings[random.below(strings.count)])
    case 6:
      let words = runs(in: bytes) { $0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x7a || $0 == 0x5f }
      guard !words.isEmpty else { return bytes }
      let (one, other) = (words[random.below(words.count)], words[random.below(words.count)])
      return replace(one, String(decoding: bytes[other], as: UTF8.self))
    case 7:
      // A line, or a part, twice or not at all.
      let (a, b) = (random.below(bytes.count), random.below(bytes.count))
      let part = min(a, b)..<max(a, b)
      return random.below(2) == 0
        ? replace(part, "") : Array(bytes[..<part.upperBound]) + Array(bytes[part.lowerBound...])
    case 8:
      let at = random.below(bytes.count)
      let deep = ["[", "{\"a\":", "- ", "&a ", "*a "][random.below(5)]
      return replace(at..<at, String(repeating: deep, count: 1 + random.below(3000)))
    default:
      var changed = bytes
      changed[random.below(bytes.count)] = UInt8(random.below(256))
      return changed
    }
  }

  private static func runs(in bytes: [UInt8], of belongs: (UInt8) -> Bool) -> [Range<Int>] {
    var (found, start): ([Range<Int>], Int?) = ([], nil)
    for index in 0...bytes.count {
      if index < bytes.count, belongs(bytes[index]) {
        start = start ?? index
      } else if let begin = start {
        found.append(begin..<index)
        start = nil
      }
    }
    return found
  }
}
