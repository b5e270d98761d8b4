import Foundation
import Support
import TestSupport
import Testing

/// Parquet files go in and out of every command that reads and writes documents.
@Suite(.timeLimit(.minutes(60))) struct ParquetCommandTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func run(_ arguments: [String]) throws -> Subprocess.Result {
    try Tool.data.run(arguments, in: scratch.url)
  }

  private static let rows = (0..<200).map {
    #"{"text":"document number \#($0 % 150) has some words","id":\#($0),"tags":["a","b\#($0 % 3)"],"score":0.5}"#
      + "\n"
  }.joined()

  @Test func documentsGoThroughParquetUnchanged() throws {
    try scratch.write("x.jsonl", Self.rows)
    #expect(try run(["normalize", "x.jsonl", "-o", "x.parquet"]).status == 0)
    #expect(try scratch.bytes("x.parquet").starts(with: Array("PAR1".utf8)))
    for threads in ["1", "3"] {
      #expect(try run(["normalize", "x.parquet", "--threads", threads]).text == Self.rows)
      #expect(
        try run(["normalize", "x.jsonl", "-o", "y\(threads).parquet", "--threads", threads]).status == 0)
    }
    #expect(try scratch.bytes("y1.parquet") == (try scratch.bytes("y3.parquet")))
    for command in [
      ["dedup"], ["dedup", "--method", "minhash"], ["dedup", "--method", "paragraph"],
      ["filter", "--min-words", "2"],
    ] {
      let expected = try run(command + ["x.jsonl"])
      let found = try run(command + ["x.parquet"])
      #expect(found.status == 0 && found.text == expected.text, "\(command) \(found.errors)")
      #expect(try run(command + ["x.parquet", "-o", "z.parquet"]).status == 0)
      #expect(try run(["normalize", "z.parquet"]).text == expected.text, "\(command)")
    }
    for command in ["learn-bpe", "count-words"] {
      let merges = command == "learn-bpe" ? ["--merges", "9"] : []
      #expect(try run([command, "x.jsonl", "-o", "a.json"] + merges).status == 0)
      #expect(try run([command, "x.parquet", "-o", "b.json"] + merges).status == 0)
      #expect(try scratch.bytes("a.json") == (try scratch.bytes("b.json")), "\(command)")
    }
    let against = try run(["dedup", "x.jsonl", "--against", "x.parquet", "--ngram", "4"])
    #expect(against.status == 0, "\(against.errors)")
    #expect(against.text == (try run(["dedup", "x.jsonl", "--against", "x.jsonl", "--ngram", "4"])).text)
  }

  @Test func columnsAreChosen() throws {
    try scratch.write("x.jsonl", Self.rows)
    #expect(try run(["normalize", "x.jsonl", "-o", "x.parquet"]).status == 0)
    let some = try run(["normalize", "x.parquet", "--columns", "id"])
    #expect(some.text.hasPrefix(#"{"text":"document number 0 has some words","id":0}"# + "\n"))
    let none = try run(["normalize", "x.parquet", "--columns", "nothing"])
    #expect(none.status == 65 && none.errors.contains("text, id, tags, score"), "\(none.errors)")
    #expect(try run(["normalize", "x.parquet", "--columns", "id,"]).status == 64)
    let lines = try run(["normalize", "x.jsonl", "--columns", "id"])
    #expect(lines.status == 64 && lines.errors.contains("the input is JSON lines"), "\(lines.errors)")
    #expect(
      try run(["normalize", "x.parquet", "--documents", "line"]).errors.contains("the input is Parquet"))
  }

  @Test func inspectShowsTheColumns() throws {
    try scratch.write("x.jsonl", Self.rows)
    #expect(try run(["normalize", "x.jsonl", "-o", "x.parquet"]).status == 0)
    let shown = try run(["inspect", "x.parquet"])
    #expect(shown.status == 0, "\(shown.errors)")
    for part in ["row groups", "ZSTD", "tags.list.element", "STRING?", "RLE_DICTIONARY", "document number 0"]
    {
      #expect(shown.text.contains(part), "\(part) in \(shown.text)")
    }
    #expect(try run(["inspect", "--json", "x.parquet"]).text.contains("\"columns\": {"))
  }

  @Test func pipesAndTextAreRefused() throws {
    try scratch.write("x.jsonl", Self.rows)
    #expect(try run(["normalize", "x.jsonl", "-o", "x.parquet"]).status == 0)
    let piped = try runShell("cat x.parquet | pkm-data normalize", in: scratch.url)
    #expect(piped.status == 65 && piped.errors.contains("save it as a file"), "\(piped.errors)")
    let file = try runShell("pkm-data normalize <x.parquet", in: scratch.url)
    #expect(file.status == 0 && file.text == Self.rows, "\(file.errors)")
    #expect(try run(["normalize", "x.jsonl", "-o", "y.parquet", "--output-format", "text"]).status == 64)
    #expect(try run(["normalize", "x.jsonl", "-o", "y.parquet.zst"]).status == 64)
  }
}
