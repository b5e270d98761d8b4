import Foundation
import TestSupport
import Testing

/// Memory that does not suffice, and memory that must not be needed.
@Suite(.long, .timeLimit(.minutes(60))) struct MemoryCommandTests {
  private let scratch: Scratch

  init() throws {
    scratch = try Scratch()
    let lines = (0..<3000).map { "line \($0) of a text that has some words, number \($0 * 7919 % 10007)\n" }
    try scratch.write("in.txt", lines.joined())
    try scratch.write("latin.txt", Array("h\u{e9}t\u{e9} ".unicodeScalars.map { UInt8($0.value) }) + [0x0a])
    let made = try runShell(
      """
      gzip -k in.txt && pkm-data learn-bpe --quiet --merges 20 in.txt -o bpe.json
      pkm-data encode --quiet --tokenizer bpe.json in.txt -o data/
      echo 'model: {layers: 1, dim: 16, heads: 2, context: 8, memory: {layers: [1], subkeys: 4, topk: 2, query_dim: 8}}' > r.yaml
      echo 'train: {steps: 2, batch: 1}' >> r.yaml
      pkm-train train --quiet --config r.yaml --data data -o run
      """, in: scratch.url)
    #expect(made.status == 0, "\(made.errors)")
  }

  /// A failure of the machine: exit code 74 and a word, whatever the library that asked for the memory makes of it.
  @Test(arguments: [
    "pkm-data normalize in.txt.gz -o out.txt", "pkm-data normalize --encoding auto latin.txt -o out.txt",
    "pkm-data normalize --tokenize --sentences --locale en --transform Latin-ASCII in.txt -o out.txt",
    "pkm-data filter --rules gopher,c4,fineweb in.txt -o out.txt", "pkm-data dedup in.txt -o out.txt",
    "pkm-data dedup --method minhash --verify in.txt -o out.txt",
    "pkm-data dedup --method paragraph in.txt -o out.txt",
    "pkm-data dedup --method substring in.txt -o out.txt", "pkm-data count-words in.txt -o out.txt",
    "pkm-data learn-bpe --merges 20 in.txt -o out.json",
    "pkm-data encode --tokenizer bpe.json in.txt -o out.d/", "pkm-data decode data -o out.txt",
    "pkm-data shard data -o out.d", "pkm-data inspect data", "pkm-data verify --deep data",
    "pkm-data export data --format numpy -o out.d",
    "pkm-train train --config r.yaml --data data -o out.d",
    "pkm-train eval --checkpoint run --data data --split train",
    "pkm-train generate --checkpoint run --tokens 5 x",
  ]) func aLackOfMemoryIsNoSignal(command: String) throws {
    var statuses: [Int] = []
    for limit in stride(from: 110_000, through: 400_000, by: 30_000) {
      let result = try runShell(
        "rm -rf out.*; ulimit -v \(limit); exec timeout -s KILL 60 \(command) > /dev/null", in: scratch.url)
      statuses.append(Int(result.status))
      // The loader has not even begun the program.
      if result.status == 127 && result.errors.contains("shared libraries") { continue }
      #expect([0, 74].contains(result.status), "\(limit): \(command): \(result.status) \(result.errors)")
      if result.status != 0 {
        #expect(result.errors.contains("memory") || result.errors.contains("allocate"), "\(result.errors)")
        #expect(!scratch.names.contains { $0.hasPrefix("out") && $0 != "out.d" }, "\(command)")
      }
    }
    #expect(statuses.contains(0), "\(command): \(statuses)")
  }

  /// What is kept for each document is bounded, not its bytes alone.
  @Test(arguments: [
    "filter --rules gopher,c4 --annotate --input-format text empty.txt -o out.jsonl --without empty",
    "normalize --input-format text empty.txt -o out.txt", "dedup empty.txt -o out.txt --allow-empty",
    "filter --rules gopher --annotate short.jsonl -o out.jsonl",
  ]) func manySmallDocumentsTakeLittleMemory(command: String) throws {
    let result = try runShell(
      """
      head -c 300000 /dev/zero | tr '\\0' '\\n' > empty.txt
      yes '{"text":""}' | head -100000 > short.jsonl
      pkm-data \(command) --quiet --summary s.json
      """, in: scratch.url)
    #expect(result.status == 0, "\(command): \(result.errors)")
    let peak = try readSummary(scratch.path("s.json"))["peak_bytes"] as? Int
    #expect((peak ?? .max) < 400 << 20, "\(command): \(peak ?? 0)")
  }
}
