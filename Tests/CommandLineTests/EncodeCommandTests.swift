import Foundation
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct EncodeCommandTests {
  /// Lines with everything that could go astray, the last one without an end.
  private static let text =
    "The cat  sat.\n\n  on the mat's\ttail \ncafé 日本語 🙂 \u{0} x\n<|endoftext|> @@ </w> x@@\nthe end"

  private let scratch: Scratch
  private let tokenizer: String
  private let codes: String
  private let input: String

  init() throws {
    scratch = try Scratch()
    input = try scratch.write("in.txt", Self.text)
    let corpus = try scratch.write("corpus.txt", LearnBPECommandTests.text + Self.text + Self.text)
    tokenizer = scratch.path("bpe.json")
    codes = scratch.path("bpe.codes")
    for arguments in [["-o", tokenizer], ["--mode", "word", "-o", codes]] {
      #expect(try Tool.data.run(["learn-bpe", corpus, "--merges", "60", "--quiet"] + arguments).status == 0)
    }
  }

  @Test func idsAndBack() throws {
    let ids = try Tool.data("encode", "--tokenizer", tokenizer, input: Data(Self.text.utf8))
    #expect(ids.status == 0, "\(ids.errors)")
    #expect(ids.text.split(separator: "\n", omittingEmptySubsequences: false).count == 7)
    #expect(ids.errors.contains("documents_in 6") && ids.errors.contains("documents_out 6"))
    let text = try Tool.data("decode", "--tokenizer", tokenizer, input: ids.output)
    #expect(text.text == Self.text + "\n")
  }

  @Test func shardsAndBack() throws {
    for output in [scratch.path("shards/"), scratch.path("data")] {
      let result = try Tool.data("encode", "--tokenizer", tokenizer, input, "-o", output, "--split", "valid")
      #expect(result.status == 0, "\(result.errors)")
      #expect(try Tool.data("verify", output).status == 0)
      #expect(try Tool.data("decode", output).text == Self.text + "\n")
      #expect(try Tool.data("decode", output, "--split", "valid").text == Self.text + "\n")
      #expect(try Tool.data("decode", output, "--split", "test").status == 64)
    }
    #expect(try Tool.data("encode", "--tokenizer", tokenizer, input, "-o", scratch.path("data")).status == 74)
  }

  @Test func documentsWithLineEnds() throws {
    let line = #"{"text": "one\n two", "id": 7}"# + "\n"
    let jsonl = try scratch.write("in.jsonl", line)
    #expect(try Tool.data("encode", "--tokenizer", tokenizer, jsonl, "-o", scratch.path("j/")).status == 0)
    #expect(
      try Tool.data("decode", scratch.path("j"), "--output-format", "jsonl").text
        == "{\"text\":\"one\\n two\"}\n")
    let pieces = try Tool.data("encode", "--codes", codes, "--format", "tokens", jsonl)
    #expect(pieces.text.split(separator: "\n").count == 1 && pieces.errors.contains("line_ends_to_spaces 1"))
    #expect(try Tool.data("decode", scratch.path("j"), "-o", scratch.path("back.jsonl.gz")).status == 0)
    #expect(
      try Tool.data("normalize", scratch.path("back.jsonl.gz"), "--keep-whitespace", "--quiet").text
        == Tool.data("decode", scratch.path("j"), "--output-format", "jsonl").text)
  }

  /// A file that is one document, encoded in pieces of a megabyte, equals the same document as a JSON line, which is encoded
  /// whole.
  ///
  /// Long runs without a place to cut lie across the borders of pieces.
  @Test(.long, arguments: [1, 2]) func filesInPieces(threads: Int) throws {
    var texts: [String] = []
    for index in 0..<3 {
      var text = ""
      while text.utf8.count < 1_040_000 * index {
        text += Self.text + String(repeating: "no\u{a0}cut", count: text.utf8.count % 7_000) + "\r\n"
        if text.utf8.count % 3 == 0 { text += String(repeating: " ", count: 70_000) + "x" }
      }
      texts.append(text + Self.text)
    }
    var files: [String] = []
    var lines = Data()
    for (index, text) in texts.enumerated() {
      files.append(try scratch.write("\(index).txt", text))
      lines += try JSONSerialization.data(withJSONObject: ["text": text]) + Data([0x0a])
    }
    let whole = try scratch.write("whole.jsonl", String(decoding: lines, as: UTF8.self))
    for (tokenizer, name, size) in [
      (tokenizer, "bytes", "256M"), (codes, "words", "256M"), (tokenizer, "small", "300K"),
    ] {
      let options = [
        "--tokenizer", tokenizer, "--threads", "\(threads)", "--summary", scratch.path("s.json"),
        "--shard-size", size,
      ]
      let (joined, expected) = (scratch.path(name + "-files"), scratch.path(name + "-lines"))
      #expect(
        try Tool.data.run(["encode", "--documents", "file", "-o", joined] + options + files).status == 0)
      let summary = try readSummary(scratch.path("s.json"))
      #expect(try Tool.data.run(["encode", "-o", expected] + options + [whole]).status == 0)
      let shards = try FileManager.default.contentsOfDirectory(atPath: expected)
        .filter { $0.hasSuffix(".zst") }
      #expect(size == "256M" ? shards.count == 2 : shards.count > 2)
      for file in shards {
        let contents = [joined, expected].map { FileManager.default.contents(atPath: $0 + "/" + file) }
        #expect(contents[0] != nil && contents[0] == contents[1], "\(name) \(file)")
      }
      let other = try readSummary(scratch.path("s.json"))
      for key in ["documents_in", "documents_out", "tokens", "words", "text_bytes", "unknown_tokens"] {
        #expect(summary[key] as? Int == other[key] as? Int, "\(name) \(key)")
      }
    }
    let long = try Tool.data(
      "encode", "--tokenizer", tokenizer, "--documents", "file", "--max-document-size", "1500000",
      "--summary", scratch.path("s.json"), "-o", scratch.path("short"), files[2], files[1])
    #expect(long.status == 0)
    let summary = try readSummary(scratch.path("s.json"))
    #expect(summary["documents_too_long"] as? Int == 1 && summary["documents_out"] as? Int == 1)
    #expect(try Tool.data("verify", "--deep", scratch.path("short")).status == 0)
    let shards = try FileManager.default.contentsOfDirectory(atPath: scratch.path("short"))
    #expect(shards.filter { $0.hasSuffix(".zst") }.count == 2)
    let last = try Tool.data(
      "encode", "--tokenizer", tokenizer, "--documents", "file", "--max-document-size", "1500000",
      "--allow-empty", "-o", scratch.path("none"), files[2])
    #expect(last.status == 0)
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path("none")).count == 2)
  }

  @Test func piecesOfWordsAndBack() throws {
    let pieces = try Tool.data("encode", "--codes", codes, "--format", "tokens", input)
    #expect(pieces.status == 0)
    let back = try Tool.data("decode", "--format", "tokens", input: pieces.output)
    // Not exact where a word of the text ends in @@ itself.
    let plain = Self.text.replacingOccurrences(of: "@@ </w> x@@", with: "</w> x") + "\n"
    #expect(back.text == plain)
    let ids = try Tool.data("encode", "--codes", codes, input: Data("the low \u{1F512} newest".utf8))
    #expect(ids.errors.contains("unknown_tokens 1"))
    let words = try Tool.data("decode", "--codes", codes, input: ids.output)
    #expect(words.text == "the low <unk>newest\n")
  }

  @Test func byteTokensAndBack() throws {
    let pieces = try Tool.data("encode", "--tokenizer", tokenizer, "--format", "tokens", input)
    #expect(pieces.text.hasPrefix("T"))
    let back = try Tool.data("decode", "--tokenizer", tokenizer, "--format", "tokens", input: pieces.output)
    #expect(back.text == Self.text + "\n")
  }

  @Test func threadsDoNotMatter() throws {
    let long = try scratch.write("long.txt", String(repeating: Self.text + "\n", count: 30_000))
    for format in ["ids", "tokens"] {
      let arguments = ["encode", "--tokenizer", tokenizer, long, "--format", format, "--quiet"]
      let one = try Tool.data.run(arguments + ["--threads", "1"])
      #expect(one.status == 0 && one.output.count > 1 << 20)
      #expect(try Tool.data.run(arguments + ["--threads", "2"]).output == one.output)
    }
    for threads in ["1", "2"] {
      let output = scratch.path("shards\(threads)")
      let result = try Tool.data(
        "encode", "--tokenizer", tokenizer, long, "-o", output, "--threads", threads, "--shard-size", "1M")
      #expect(result.status == 0, "\(result.errors)")
    }
    let manager = FileManager.default
    let files = try manager.contentsOfDirectory(atPath: scratch.path("shards1")).sorted()
    #expect(
      try manager.contentsOfDirectory(atPath: scratch.path("shards2")).sorted() == files && files.count > 3)
    for file in files {
      #expect(
        manager.contentsEqual(
          atPath: scratch.path("shards1/\(file)"), andPath: scratch.path("shards2/\(file)")))
    }
  }

  @Test func foreignAndBrokenTokenizers() throws {
    func fails(_ name: String, _ content: String, _ message: String) throws {
      let result = try Tool.data("encode", "--tokenizer", scratch.write(name, content), input)
      #expect(result.status == 65 && result.errors.contains(message), "\(name): \(result.errors)")
      #expect(result.output.isEmpty)
    }
    try fails("a.json", "", "not valid JSON")
    try fails("a.json", "{\"model\": {\"type\": \"Unigram\"}}", "the model Unigram")
    try fails("a.json", "[1, 2", "not valid JSON")
    try fails("a.json", "{}", "not a tokenizer.json")
    try fails("a.codes", "", "empty")
    try fails("a.codes", "#version: 0.2\na b\nwrong\n", "a.codes:3")
    try fails("a.codes", "Some prose, no codes at all.\n", "a.codes:1")
    try fails("a.gpt2.tiktoken", "IQ== 7\nIg== 0\n", "a.gpt2.tiktoken:2")
    try fails("merges.txt", "#version: 0.2\na b c\n", "merges.txt:2")
    #expect(try Tool.data("encode", "--tokenizer", scratch.path("none.json"), input).status == 74)
    #expect(try Tool.data("encode", input).status == 64, "no tokenizer")
  }

  @Test func badIDs() throws {
    for (text, message) in [("1 2\n3 x\n", "2: no id at byte 3"), ("1\n99999\n", "not in the vocabulary")] {
      let result = try Tool.data("decode", "--tokenizer", tokenizer, input: Data(text.utf8))
      #expect(result.status == 65 && result.errors.contains(message), "\(result.errors)")
    }
    #expect(try Tool.data("decode", input: Data("1".utf8)).status == 64)
  }

  @Test func outputThatCannotBeWritten() throws {
    for output in ["/dev/full/ids.txt", "/proc/none/shards/"] {
      let result = try Tool.data("encode", "--tokenizer", tokenizer, input, "-o", output)
      #expect(result.status == 74, "\(result.errors)")
    }
    #expect(try Tool.data("encode", "--tokenizer", tokenizer, input, "--format", "shards").status == 64)
    #expect(try Tool.data("encode", "--tokenizer", tokenizer, input, "--split", "valid").status == 64)
  }

  @Test func specialTokensInText() throws {
    let text = try scratch.write("special.txt", "one<|endoftext|>two\n<|endoftext|>three\n")
    let ids = try Tool.data("encode", "--tokenizer", tokenizer, "--parse-special", text, "--quiet").text
    let end = try Tool.data(
      "encode", "--tokenizer", tokenizer, "--parse-special", input: Data("<|endoftext|>".utf8)
    )
    .text.trimmingCharacters(in: .newlines)
    #expect(!end.contains(" "))
    #expect(ids.split(separator: "\n").allSatisfy { $0.split(separator: " ").contains { $0 == end } })
    let shards = scratch.path("special")
    let result = try Tool.data("encode", "--tokenizer", tokenizer, "--parse-special", text, "-o", shards)
    #expect(result.errors.contains("documents_split 2") && result.errors.contains("documents_out 4"))
    #expect(try Tool.data("decode", shards).text == "one\ntwo\n\nthree\n")
    #expect(try Tool.data("verify", shards).status == 0)
  }

  @Test func dropoutDependsOnSeedAndPlaceAlone() throws {
    let long = try scratch.write("long.txt", String(repeating: Self.text + "\n", count: 20_000))
    func run(_ arguments: String...) throws -> Data {
      try Tool.data.run(
        ["encode", "--codes", codes, "--format", "tokens", "--dropout", "0.3", "--quiet", long] + arguments
      ).output
    }
    let one = try run("--threads", "1", "--seed", "7")
    #expect(try run("--threads", "2", "--seed", "7") == one)
    #expect(try run("--threads", "2", "--seed", "8") != one)
    let lines = one.split(separator: 0x0a, omittingEmptySubsequences: false)
    #expect(lines[0] != lines[6] || lines[0] != lines[12], "the same text is split anew in each document")
    #expect(try Tool.data("encode", "--codes", codes, "--dropout", "1.5", long).status == 64)
  }

  @Test func vocabularyGlossariesAndFewerMerges() throws {
    let codes = try scratch.write("few.codes", "#version: 0.2\nl o\nlo w</w>\nlo w\ne r</w>\nlow er</w>\n")
    func pieces(_ text: String, _ arguments: String...) throws -> String {
      try Tool.data.run(
        ["encode", "--codes", codes, "--format", "tokens", "--quiet"] + arguments, input: Data(text.utf8)
      ).text
    }
    #expect(try pieces("low lower") == "low lower\n")
    let vocabulary = try scratch.write("vocab", "low@@ 9\ner 9\nlow 2\nlo@@ 9\n")
    #expect(try pieces("low lower", "--vocab", vocabulary) == "low low@@ er\n")
    #expect(try pieces("low lower", "--vocab", vocabulary, "--vocab-threshold", "3") == "lo@@ w low@@ er\n")
    #expect(try pieces("low lower", "--merges", "1") == "lo@@ w lo@@ w@@ e@@ r\n")
    #expect(try pieces("lowXYlow XY", "--glossaries", "XY") == "low@@ XY@@ low XY\n")
    // 2^32 and 1 are not 1.
    let large = try scratch.write("large", "low@@ 4294967297\ner 9\nlow 4294967297\nlo@@ 9\n")
    #expect(try pieces("low lower", "--vocab", large, "--vocab-threshold", "9") == "low low@@ er\n")
    let broken = try scratch.write("broken", "low\n")
    let result = try Tool.data("encode", "--codes", codes, "--vocab", broken, input: Data())
    #expect(result.status == 65 && result.errors.contains("broken:1"))
    #expect(
      try Tool.data("encode", "--tokenizer", tokenizer, "--glossaries", "x", input: Data()).status == 64)
  }

  /// As getvocab of fastBPE: by count, then by bytes.
  @Test func dictionariesAreWritten() throws {
    let counts = try Tool.data(
      "count-words", "--mode", "word", "--by-count", input: Data("b c@@ a b\nc@@ c@@ é a b\n".utf8))
    #expect(counts.text == "b 3\nc@@ 3\na 2\né 1\n")
    let pieces = try Tool.data("encode", "--codes", codes, "--format", "tokens", input)
    let dictionary = scratch.path("written")
    let written = try Tool.data(
      "count-words", "--mode", "word", "--by-count", "-o", dictionary, input: pieces.output)
    #expect(written.status == 0)
    let ids = try Tool.data("encode", "--codes", codes, "--dictionary", dictionary, input: Data("low".utf8))
    let back = try Tool.data("encode", "--codes", codes, "--format", "tokens", input: Data("low".utf8))
    let listed = try String(contentsOfFile: dictionary, encoding: .utf8).split(separator: "\n")
    let places = back.text.split(whereSeparator: \.isWhitespace).map { piece in
      listed.firstIndex { $0.hasPrefix(piece + " ") }.map { "\($0 + 14)" } ?? "3"
    }
    #expect(ids.text == places.joined(separator: " ") + "\n")
  }

  @Test func idsOfAnXLMDictionary() throws {
    let codes = try scratch.write("few.codes", "#version: 0.2\nl o\nlo w</w>\n")
    // A piece of NBSP, one with three fields and a repeated one are passed over, as XLM does.
    let dictionary = try scratch.write("dict", "low 9\n\u{a0} 8\nlo@@ 7\na b 6\nlow 5\nx 4\n")
    let ids = try Tool.data(
      "encode", "--codes", codes, "--dictionary", dictionary, input: Data("low lox y".utf8))
    #expect(ids.text == "14 15 16 3\n", "\(ids.errors)")
    let shards = scratch.path("xlm")
    #expect(
      try Tool.data(
        "encode", "--codes", codes, "--dictionary", dictionary, "-o", shards, input: Data("low lox".utf8)
      ).status == 0)
    #expect(try Tool.data("verify", shards).status == 0)
    #expect(try Tool.data("decode", shards).text == "low lox\n")
    #expect(try Tool.data("inspect", shards).text.contains("17"), "14 special tokens and 3 pieces")
    let rising = try scratch.write("rising", "low 1\nlo@@ 2\n")
    #expect(try Tool.data("encode", "--codes", codes, "--dictionary", rising, input: Data()).status == 65)
  }

  @Test func conversions() throws {
    func ids(_ path: String) throws -> String {
      try Tool.data("encode", "--tokenizer", path, "--quiet", input).text
    }
    func convert(_ from: String, _ name: String, _ arguments: String...) throws -> String {
      let result = try Tool.data.run(["convert-tokenizer", from, "-o", scratch.path(name)] + arguments)
      #expect(result.status == 0, "\(result.errors)")
      return scratch.path(name)
    }
    let tiktoken = try convert(tokenizer, "a.gpt2.tiktoken")
    let merges = try convert(tiktoken, "b-merges.txt")
    let back = try convert(merges, "back.json")
    #expect(
      try ids(tiktoken) == ids(tokenizer) && ids(merges) == ids(tokenizer) && ids(back) == ids(tokenizer))
    func pieces(_ path: String) throws -> String {
      try Tool.data("encode", "--codes", path, "--format", "tokens", "--quiet", input).text
    }
    let json = try convert(codes, "w.json")
    let fastBPE = try convert(json, "f.codes", "--codes-format", "fastbpe")
    _ = try convert(fastBPE, "again.codes")
    #expect(try pieces(json) == pieces(codes) && pieces(fastBPE) == pieces(codes))
    #expect(try scratch.text("again.codes") == String(contentsOfFile: codes, encoding: .utf8))
    #expect(try Tool.data("convert-tokenizer", tokenizer, "-o", scratch.path("x.codes")).status == 64)
    // The form of subword-nmt 0.1 stays what it is.
    let old = try scratch.write("old.codes", "t h\nth e\nthe </w>\n")
    #expect(
      try String(contentsOfFile: convert(old, "new.codes"), encoding: .utf8) == scratch.text("old.codes"))
    let none = try Tool.data("convert-tokenizer", old, "--codes-format", "fastbpe")
    #expect(none.status == 64 && none.errors.contains("0.1"), "\(none.errors)")
    #expect(try Tool.data("convert-tokenizer", codes, "-o", scratch.path("x.tiktoken")).status == 64)
  }

  @Test func fertilityByScript() throws {
    let result = try Tool.data("inspect", "--tokenizer", tokenizer, "--json", input)
    #expect(result.status == 0, "\(result.errors)")
    let json = try JSONSerialization.jsonObject(with: result.output) as! [String: Any]
    let counts = json["counts"] as! [String: Any]
    let scripts = json["scripts"] as! [String: [String: Any]]
    let summary = try Tool.data("encode", "--tokenizer", tokenizer, input).errors
    #expect(summary.contains("tokens \(counts["tokens"] as! Int),"))
    for name in ["tokens", "words", "text_bytes"] {
      #expect(scripts.values.reduce(0) { $0 + ($1[name] as! Int) } == counts[name] as! Int, "\(name)")
    }
    #expect(scripts["Han"]?["words"] as? Int == 1 && scripts["Latin"] != nil)
    let words = try Tool.data("inspect", "--codes", codes, "--json", input)
    #expect(words.status == 0)
  }

  @Test func benchRuns() throws {
    let summary = scratch.path("bench.json")
    let result = try Tool.data(
      "bench", "--tokenizer", tokenizer, "--runs", "1", input, "--summary", summary)
    #expect(result.status == 0 && result.errors.contains("encode warm"), "\(result.errors)")
    #expect(try scratch.text("bench.json").contains("mb_per_second_decode_shards"))
    // Without a tokenizer one is learned from the input.
    let learned = try Tool.data("bench", "--merges", "50", "--runs", "1", input, "--summary", summary)
    #expect(learned.status == 0 && learned.errors.contains("dedup minhash to file"), "\(learned.errors)")
  }

  /// Standard output on a full disk.
  @Test func fullDisk() throws {
    let command = "exec \"$0\" encode --tokenizer \"$1\" \"$2\" > /dev/full"
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = [
      "-c", command, Tool.directory.appendingPathComponent("pkm-data").path, tokenizer, input,
    ]
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 74)
  }

  /// An option takes one value, and what follows is an operand.
  @Test func optionsSwallowNoOperands() throws {
    let scratch = try Scratch()
    let text = try scratch.write("t.txt", "low lower lowest low lower low\n")
    let json = scratch.path("w.json")
    let learned = try Tool.data("learn-bpe", "--special", "<x>", text, "--merges", "3", "-o", json, "--quiet")
    #expect(learned.status == 0, "\(learned.errors)")
    let written = try scratch.text("w.json")
    #expect(written.contains("\"<x>\": 260") && !written.contains("t.txt"))
    let codes = scratch.path("w.codes")
    #expect(
      try Tool.data("learn-bpe", "--mode", "word", "--merges", "5", text, "-o", codes, "--quiet").status == 0)
    let with = try Tool.data(
      "encode", "--codes", codes, "--format", "tokens", "--glossaries", "wer", "--glossaries", "est", text,
      "--quiet")
    #expect(
      with.status == 0 && with.text == "low l@@ o@@ wer low@@ est low l@@ o@@ wer low\n")
    let bench = try Tool.data("bench", "--runs", "1", "--merges", "3", "--stages", "read,normalize", text)
    #expect(bench.status == 0, "\(bench.errors)")
  }

  /// The parts of a tokenizer.json around its model.
  @Test func partsOfATokenizerFile() throws {
    let scratch = try Scratch()
    let text = try scratch.write("t.txt", "a b\n")
    let plain = scratch.path("p.json")
    #expect(try Tool.data("learn-bpe", text, "--merges", "1", "--special", "<s>", "-o", plain).status == 0)
    let json = try scratch.text("p.json")
    let refused = try Tool.data("encode", "--tokenizer", plain, "--add-special", text)
    #expect(refused.status == 64 && refused.errors.contains("has no post_processor"))
    let added = json.replacingOccurrences(
      of: "\"post_processor\": null",
      with:
        "\"post_processor\": {\"type\": \"BertProcessing\", \"sep\": [\"</s>\", 257], \"cls\": [\"<s>\", 258]}"
    )
    let file = try scratch.write("dir/tokenizer.json", added)
    let directory = scratch.path("dir")
    let ids = try Tool.data("encode", "--tokenizer", plain, text, "--quiet").text.dropLast()
    #expect(
      try Tool.data("encode", "--tokenizer", directory, "--add-special", text, "--quiet").text
        == "258 \(ids) 257\n")
    let decoded = try Tool.data(
      "decode", "--tokenizer", directory, "--quiet", input: Data("258 \(ids) 257\n".utf8))
    #expect(decoded.text == "a b\n")
    // Only decoding needs the decoder.
    let odd = try scratch.write(
      "odd.json",
      json.replacingOccurrences(
        of: "\"decoder\": {\"type\": \"ByteLevel\"", with: "\"decoder\": {\"type\": \"CTC\""))
    #expect(try Tool.data("encode", "--tokenizer", odd, text, "--quiet").text.dropLast() == ids)
    let failed = try Tool.data("decode", "--tokenizer", odd, input: Data("\(ids)\n".utf8))
    #expect(failed.status == 65 && failed.errors.contains("the decoder CTC"))
    // Bytes without a token are dropped, and counted.
    let lacking = try scratch.write("lacking.json", json.replacingOccurrences(of: "\"b\": 65,", with: ""))
    let dropped = try Tool.data(
      "encode", "--tokenizer", lacking, text, "--quiet", "--summary", scratch.path("summary.json"))
    #expect(dropped.status == 0, "\(dropped.errors)")
    #expect(try scratch.text("summary.json").contains("\"characters_without_token\": 1"))
    let shown = try Tool.data("inspect", file)
    for part in ["post processor", "text \"<|endoftext|>\"", "ByteLevel with the pattern of gpt2", "\"␣b\""] {
      #expect(shown.text.contains(part), "\(part): \(shown.text)")
    }
  }
}
