import Foundation
import Support
import TestSupport
import Testing

/// Inputs that are no text, hold no document, or are not what the user says; and names of outputs that promise too much.
@Suite(.timeLimit(.minutes(60))) struct InputKindsCommandTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func run(_ arguments: [String], input: Data? = nil) throws -> Subprocess.Result {
    try Tool.data.run(arguments, input: input, in: scratch.url)
  }

  private static let xz: [UInt8] = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 4, 0xe6, 0xd6, 0xb4, 0x46]

  /// Every command that reads text refuses what is none, and leaves no output.
  @Test func commandsRefuseWhatIsNoText() throws {
    try scratch.write("a.xz", Self.xz)
    try scratch.write("a.txt", "some words of text\n")
    try scratch.write("lfs.jsonl", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    #expect(try run(["learn-bpe", "--merges", "5", "a.txt", "-o", "bpe.json"]).status == 0)
    for command in [
      ["normalize"], ["filter", "--min-words", "1"], ["dedup"], ["dedup", "--method", "minhash"],
      ["dedup", "--method", "paragraph"], ["dedup", "--method", "substring"], ["learn-bpe", "-o", "x.json"],
      ["encode", "--tokenizer", "bpe.json"], ["count-words"], ["inspect"],
      ["decode", "--tokenizer", "bpe.json"],
      ["bench", "--stages", "read", "--runs", "1"],
    ] {
      let refused = try run(command + ["a.xz"])
      #expect(
        refused.status == 65 && refused.output.isEmpty, "\(command) \(refused.status) \(refused.errors)")
      #expect(
        refused.errors.contains("a.xz: is an xz file, not text. Unpack it: xz -dc a.xz | pkm-data"),
        "\(refused.errors)")
      if command[0] != "bench" {
        let piped = try run(command, input: Data(Self.xz))
        #expect(piped.status == 65 && piped.errors.contains("xz -dc FILE"), "\(command) \(piped.errors)")
      }
    }
    let pointer = try run(["normalize", "lfs.jsonl"])
    #expect(pointer.status == 65 && pointer.errors.contains("git lfs pull"))
    #expect(!scratch.names.contains("x.json"))
  }

  @Test func directoriesAreReadWithoutWhatIsNoText() throws {
    try scratch.write("d/a.txt", "one two three\n")
    try scratch.write("d/b.xz", Self.xz)
    try scratch.write("d/c.txt", "four five six\n")
    for command in [
      ["normalize"], ["filter", "--min-words", "1"], ["dedup"],
      ["dedup", "--method", "minhash", "--ngram", "1"],
      ["dedup", "--method", "substring"],
    ] {
      for input in ["d", "d/*"] {
        let read = try run(command + [input, "--summary", "s.json"])
        #expect(
          read.status == 0 && read.text == "one two three\nfour five six\n", "\(command) \(read.errors)")
        #expect(read.errors.contains("d/b.xz: is an xz file, not text, skipped"))
        #expect(try readSummary(scratch.path("s.json"))["inputs_not_text_skipped"] as? Int == 1)
        #expect(try run(command + [input, "--strict"]).status == 65)
      }
    }
    // A corpus must not look clean because the evaluation set could not be read.
    try scratch.write("e/b.xz", Self.xz)
    #expect(try run(["dedup", "d", "--against", "d/b.xz"]).status == 65)
    #expect(try run(["dedup", "d", "--against", "e"]).status == 65)
    let skipped = try run(["normalize", "e"])
    #expect(skipped.status == 65 && skipped.errors.contains("None of its files is text"))
  }

  @Test func inputWithoutDocumentsIsAnError() throws {
    let lines = Data(#"{"id":1,"body":"x"}"#.utf8) + Data("\n".utf8)
    for command in [
      ["normalize"], ["dedup"], ["filter", "--min-words", "0"], ["count-words"],
      ["learn-bpe", "-o", "x.json"],
    ] {
      let refused = try run(command, input: lines)
      #expect(refused.status == 65, "\(command) \(refused.errors)")
      #expect(
        refused.errors.contains(#""id", "body""#) && refused.errors.contains("--text-field"),
        "\(refused.errors)")
      #expect(try run(command + ["--text-field", "body"], input: lines).status == 0)
    }
    #expect(try run(["normalize", "--allow-empty"], input: lines).status == 0)
    #expect(try run(["normalize"], input: Data()).status == 0)
    let html =
      "WARC/1.0\r\nWARC-Type: resource\r\nContent-Type: text/html\r\nContent-Length: 3\r\n\r\n<p>\r\n\r\n"
    let refused = try run(["normalize"], input: Data(html.utf8))
    #expect(refused.status == 65 && refused.errors.contains("html 1"))
    let blank = try run(["normalize", "--documents", "paragraph"], input: Data("\n \n\n".utf8))
    #expect(blank.status == 65)
  }

  @Test func theNumberOfDocumentsCanBeExpected() throws {
    let text = Data("one\ntwo\n".utf8)
    for command in [
      ["normalize"], ["dedup"], ["filter", "--min-words", "1"], ["count-words", "--documents", "line"],
    ] {
      #expect(try run(command + ["--expect-documents", "2"], input: text).status == 0)
      #expect(try run(command + ["--expect-documents", "some"], input: text).status == 0)
      #expect(try run(command + ["--expect-documents", "3"], input: text).status == 65)
      #expect(try run(command + ["--expect-documents", "some"], input: Data()).status == 65)
    }
    #expect(try run(["normalize", "--expect-documents", "many"], input: text).status == 64)
    let shell = try runShell("false | pkm-data normalize --expect-documents some -o x.txt", in: scratch.url)
    #expect(shell.status == 65 && scratch.names.isEmpty)
  }

  @Test func learningFromNothingIsAnError() throws {
    for mode in ["byte-level", "word"] {
      let refused = try run(["learn-bpe", "--mode", mode, "-o", "b.json"], input: Data())
      #expect(refused.status == 65 && refused.errors.contains("no words") && scratch.names.isEmpty)
    }
    #expect(try run(["learn-bpe", "--allow-empty", "-o", "b.json"], input: Data()).status == 0)
  }

  @Test func namesOfOutputsAreKept() throws {
    let text = Data("some text\n".utf8)
    for name in [
      "x.jsonl.xz", "x.bz2", "x.txt.lz4", "x.zip", "x.tar.gz", "x.arrow", "x.parquet.zst", "X.XZ", "x.csv",
      "x.warc.gz",
    ] {
      let refused = try run(["normalize", "-o", name], input: text)
      #expect(
        refused.status == 64 && refused.errors.contains(".zst") && scratch.names.isEmpty,
        "\(name) \(refused.errors)")
    }
    for command in [["dedup"], ["filter", "--min-words", "1"], ["count-words"]] {
      #expect(try run(command + ["-o", "x.xz"], input: text).status == 64)
    }
    #expect(try run(["normalize", "--summary", "s.json.xz"], input: text).status == 64)
    for (name, magic) in [
      ("x.jsonl.zstd", [0x28, 0xb5] as [UInt8]), ("y.txt.gzip", [0x1f, 0x8b]), ("z.zst", [0x28, 0xb5]),
      ("v1.0", Array("so".utf8)),
    ] {
      #expect(try run(["normalize", "-o", name], input: text).status == 0)
      #expect(try scratch.bytes(name).starts(with: magic), "\(name)")
    }
    #expect(try run(["normalize", "x.jsonl.zstd"]).text == #"{"text":"some text"}"# + "\n")
  }

  /// What `encode` writes where its format is not given.
  @Test func encodeSaysWhatItWrites() throws {
    let text = Data("some text\n".utf8)
    #expect(try run(["learn-bpe", "--merges", "5", "-o", "bpe.json"], input: text).status == 0)
    let encode = ["encode", "--tokenizer", "bpe.json"]
    let unclear = try run(encode + ["-o", "data-1.5"], input: text)
    #expect(unclear.status == 64 && unclear.errors.contains("--format") && scratch.names == ["bpe.json"])
    let dataset = try run(encode + ["-o", "data"], input: text)
    #expect(dataset.status == 0 && dataset.errors.contains("data becomes a dataset"))
    let ids = try run(encode + ["-o", "x.ids"], input: text)
    #expect(ids.status == 0 && ids.errors.contains("x.ids becomes a file of ids"))
    #expect(try run(encode + ["-o", "data-1.5", "--format", "shards"], input: text).status == 0)
    #expect(Path.exists(scratch.path("data-1.5/index.json")) && !Path.isDirectory(scratch.path("x.ids")))
  }

  @Test func aFilterThatDropsAllSaysWhy() throws {
    let lines = try run(["filter", "--min-words", "5"], input: Data("one\ntwo\n".utf8))
    #expect(lines.status == 0 && lines.errors.contains("all 2 documents were dropped"))
    #expect(lines.errors.contains("--documents"))
  }
}
