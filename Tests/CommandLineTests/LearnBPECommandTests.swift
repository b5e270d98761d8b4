import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct LearnBPECommandTests {
  static let text = String(
    repeating: "the low lower newest widest\nthen they lowered the newer ones  \n", count: 50)

  @Test func fromAPipeToStandardOutput() throws {
    let result = try Tool.data("learn-bpe", "--merges", "20", input: Data(Self.text.utf8))
    #expect(result.status == 0, "\(result.errors)")
    let json = try JSONSerialization.jsonObject(with: result.output) as! [String: Any]
    let model = json["model"] as! [String: Any]
    #expect((model["merges"] as! [Any]).count == 20 && (model["vocab"] as! [String: Int]).count == 277)
    #expect((model["vocab"] as! [String: Int])["<|endoftext|>"] == 276)
  }

  @Test(arguments: ["byte-level", "word"]) func threadsAndInputsDoNotMatter(mode: String) throws {
    let scratch = try Scratch()
    // Several megabytes, so that there are pieces to share.
    let long = (0..<60_000).map { "word\($0 % 977) of line \($0 &* 7919 % 6007), it's\tthe \($0)th\n" }
      .joined()
    try scratch.write("a.txt", long)
    let arguments = ["learn-bpe", "--mode", mode, "--merges", "300", "--quiet"]
    let one = try Tool.data.run(arguments + ["--threads", "1", scratch.path("a.txt")])
    #expect(one.status == 0 && one.output.count > 1000)
    for threads in ["2", "3"] {
      #expect(
        try Tool.data.run(arguments + ["--threads", threads, scratch.path("a.txt")]).output == one.output)
    }
    #expect(try Tool.data.run(arguments, input: Data(long.utf8)).output == one.output)
  }

  @Test func outputsByName() throws {
    let scratch = try Scratch()
    let input = try scratch.write("in.txt", Self.text)
    func learn(_ arguments: String...) throws -> Subprocess.Result {
      try Tool.data.run(["learn-bpe", input, "--merges", "10", "--quiet"] + arguments)
    }
    #expect(try learn("--mode", "word", "-o", scratch.path("a.codes")).status == 0)
    #expect(try scratch.text("a.codes").hasPrefix("#version: 0.2\n"))
    let fast = try learn("--mode", "word", "--codes-format", "fastbpe")
    #expect(fast.text.split(separator: "\n").allSatisfy { $0.split(separator: " ").count == 3 })
    #expect(try learn("--mode", "word", "-o", scratch.path("a.json")).status == 0)
    #expect(try scratch.text("a.json").contains("\"end_of_word_suffix\": \"</w>\""))
    #expect(try learn("-o", scratch.path("a.gpt2.tiktoken")).status == 0)
    #expect(try scratch.text("a.gpt2.tiktoken").hasPrefix("IQ== 0\n"))
    #expect(try learn("-o", scratch.path("merges.txt")).status == 0)
    #expect(try scratch.text("merges.txt").hasPrefix("#version: 0.2\n"))
    #expect(try scratch.text("vocab.json").hasPrefix("{\"!\":0,"))
    #expect(try learn("-o", scratch.path("a.codes")).status == 64, "byte-level codes do not exist")
    #expect(try learn("--codes-format", "fastbpe").status == 64)
    #expect(try learn("--mode", "word", "--pre-tokenizer", "gpt2").status == 64)
    #expect(try learn("--vocab-size", "300").status == 64)
    #expect(try learn("--special", "x").status == 64)
    #expect(try learn("--min-frequency", "0").status == 64)
  }

  @Test func vocabularySizeAndSpecialTokens() throws {
    let scratch = try Scratch()
    let input = try scratch.write("in.txt", Self.text)
    for (mode, size) in [("byte-level", 270), ("word", 40)] {
      let result = try Tool.data(
        "learn-bpe", input, "--mode", mode, "--vocab-size", "\(size)", "-o", scratch.path("a.json"),
        "--special", "<pad>", "--special=<a>,<sep>", "--summary", scratch.path("summary.json"))
      #expect(result.status == 0, "\(result.errors)")
      let json = try JSONSerialization.jsonObject(with: Data(scratch.text("a.json").utf8)) as! [String: Any]
      let vocabulary = (json["model"] as! [String: Any])["vocab"] as! [String: Int]
      #expect(vocabulary.count == size && vocabulary["<sep>"] == size - 1)
      #expect(try scratch.text("summary.json").contains("\"vocabulary\": \(size),"))
    }
    #expect(try Tool.data("learn-bpe", input, "--vocab-size", "100").status == 64)
  }

  @Test func superwords() throws {
    let scratch = try Scratch()
    let text = (0..<4000).map { "by the way, word\($0 % 77) of the line \($0 &* 7919 % 607) it's as it is\n" }
      .joined()
    let input = try scratch.write("in.txt", text)
    let learn = ["learn-bpe", "--vocab-size", "700", "--superwords", "300", "--special", "<pad>"]
    let summary = scratch.path("summary.json")
    let one = try Tool.data.run(learn + ["--threads", "1", input, "--summary", summary])
    #expect(one.status == 0, "\(one.errors)")
    let json = try JSONSerialization.jsonObject(with: one.output) as! [String: Any]
    let vocabulary = (json["model"] as! [String: Any])["vocab"] as! [String: Int]
    #expect(vocabulary.count == 700 && vocabulary["<pad>"] == 699 && vocabulary["ĠofĠtheĠline"] != nil)
    #expect(!vocabulary.keys.contains { $0.split(separator: "Ġ").count > 4 })
    let counts = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: summary)))
    #expect("\(counts)".contains("superwords") && "\(counts)".contains("distinct_units"))
    for more in [["--threads", "3"], ["--memory", "300k", "--temporary-directory", scratch.path("")]] {
      #expect(try Tool.data.run(learn + more + [input]).output == one.output, "\(more)")
    }
    #expect(try Tool.data.run(learn, input: Data(text.utf8)).output == one.output)
    // The same ids from the tool that wrote it, and the text again.
    let file = try scratch.write("t.json", String(decoding: one.output, as: UTF8.self))
    let ids = try Tool.data("encode", "--tokenizer", file, "--format", "ids", "--quiet", input)
    #expect(ids.status == 0, "\(ids.errors)")
    let short = try Tool.data.run(learn + ["--superword-length", "2", input])
    #expect(short.status == 0 && !short.text.contains("ĠofĠtheĠline"))
    for wrong in [
      ["--mode", "word"], ["--pre-tokenizer", "none"], ["--pre-tokenizer", "whitespace"],
      ["--counts", input],
      ["--extend", file], ["-o", scratch.path("x.gpt2.tiktoken")], ["--superword-length", "0"],
    ] {
      let refused = try Tool.data.run(learn + wrong + [input])
      #expect(refused.status == 64 && refused.errors.contains("--superword"), "\(wrong) \(refused.errors)")
    }
    #expect(try Tool.data("learn-bpe", "--merges", "10", "--superwords", "11", input).status == 64)
    #expect(try Tool.data("learn-bpe", "--superword-length", "3", input).status == 64)
  }

  /// A text of several megabytes with many words.
  private static let long = (0..<60_000).map {
    "word\($0 % 977) of line \($0 &* 7919 % 60077), it's\tthe \($0)th\n"
  }
  .joined()

  @Test(.long, arguments: [["--mode", "word"], [], ["--pre-tokenizer", "o200k"]]) func learningFromCounts(
    mode: [String]
  ) throws {
    let scratch = try Scratch()
    let text = try scratch.write("all.txt", Self.long)
    let lines = Self.long.split(separator: "\n", omittingEmptySubsequences: false)
    // Cut behind a line that ends in a letter, the parts hold the words of the whole.
    try scratch.write("1.txt", lines[..<20_000].joined(separator: "\n"))
    try scratch.write("2.txt", "\n" + lines[20_000...].joined(separator: "\n"))
    let learn = ["learn-bpe", "--merges", "300", "--quiet"]
    let expected = try Tool.data.run(learn + mode + [text])
    #expect(expected.status == 0, "\(expected.errors)")
    for part in ["1", "2"] {
      let counted = try Tool.data.run(
        ["count-words"] + mode + [scratch.path("\(part).txt"), "-o", scratch.path("\(part).counts.zst")])
      #expect(counted.status == 0, "\(counted.errors)")
    }
    let parts = ["1", "2"].map { scratch.path("\($0).counts.zst") }
    // The file says what it counts, but for plain words.
    let plain = mode == ["--mode", "word"] ? mode : []
    #expect(try Tool.data.run(learn + plain + parts.flatMap { ["--counts", $0] }).output == expected.output)
    // A quoted pattern names them too, and one that slips among the texts is no text.
    #expect(
      try Tool.data.run(learn + plain + ["--counts", scratch.path("?.counts.zst")]).output == expected.output)
    if mode != ["--mode", "word"] {
      let slipped = try Tool.data.run(learn + ["--counts"] + parts)
      #expect(slipped.status == 64 && slipped.errors.contains("--counts takes one file"), "\(slipped.errors)")
    }
    let merged = try Tool.data.run(["count-words", "--merge", "--quiet"] + plain + parts.reversed())
    let whole = try Tool.data.run(["count-words", "--quiet"] + mode + [text])
    #expect(merged.status == 0 && whole.output.count > 5000 && merged.output == whole.output)
    #expect(
      try Tool.data.run(learn + mode + ["--counts", "-"], input: whole.output).output == expected.output)
    // With memory for a fraction of the words.
    for threads in ["1", "3"] {
      let little = ["--memory", "100k", "--threads", threads, "--temporary-directory", scratch.path("")]
      let spilled = try Tool.data.run(["count-words"] + mode + little + [text])
      #expect(
        spilled.output == whole.output && spilled.errors.contains("temporary_files"), "\(spilled.errors)")
      #expect(try Tool.data.run(learn + mode + little + [text]).output == expected.output)
    }
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: scratch.path("")).count == 5,
      "nothing is left behind")
  }

  @Test func countsBeyondThirtyTwoBits() throws {
    let counts = "low 4294967296\nlower 4294967297\nnewest 9000000000\n"
    let result = try Tool.data(
      "learn-bpe", "--mode", "word", "--codes-format", "fastbpe", "--merges", "2", "--counts", "-",
      input: Data(counts.utf8))
    #expect(result.text == "w e 13294967297\nwe s 9000000000\n", "\(result.text) \(result.errors)")
    let bad = try Tool.data("learn-bpe", "--counts", "-", input: Data("a 5\nb x\n".utf8))
    #expect(bad.status == 65 && bad.errors.contains(":2: "), "\(bad.errors)")
  }

  /// Whoever reads standard error may stop.
  @Test func nobodyReadsStandardError() throws {
    let scratch = try Scratch()
    try scratch.write("in.txt", Self.text)
    let result = try runShell(
      "pkm-data learn-bpe --verbose --merges 40 in.txt -o out.json 2>&1 | head -n 1", in: scratch.url)
    #expect(result.status == 0 && result.text.hasPrefix("merge 1: "), "\(result.text) \(result.errors)")
    #expect(try scratch.text("out.json").contains("merges"))
  }

  /// A pipe that gives its bytes now and then gives the same words.
  @Test func aPipeThatStops() throws {
    let scratch = try Scratch()
    try scratch.write("in.txt", String(Self.long.prefix(300_000)))
    let parts = "{ head -c 70001; sleep 0.2; head -c 1; sleep 0.2; head -c 131072; sleep 0.1; cat; } < in.txt"
    for command in ["learn-bpe --merges 200", "learn-bpe --mode word --merges 200", "count-words"] {
      let whole = try runShell("pkm-data \(command) --quiet in.txt", in: scratch.url)
      let piped = try runShell("\(parts) | pkm-data \(command) --quiet", in: scratch.url)
      #expect(whole.status == 0 && piped.status == 0 && whole.output == piped.output, "\(piped.errors)")
    }
  }

  @Test func compressedTokenizers() throws {
    let scratch = try Scratch()
    let input = try scratch.write("in.txt", Self.text)
    for (plain, packed) in [("a.json", "b.json.zst"), ("a.json", "b.json.gz"), ("a.codes", "b.codes.gz")] {
      let mode = plain.hasSuffix("json") ? "byte-level" : "word"
      for name in [plain, packed] {
        let learn = [
          "learn-bpe", input, "--mode", mode, "--merges", "9", "--quiet", "-o", scratch.path(name),
        ]
        #expect(try Tool.data.run(learn).status == 0)
      }
      let encode = ["encode", input, "--quiet", "--tokenizer"]
      let ids = try Tool.data.run(encode + [scratch.path(packed)])
      #expect(ids.status == 0, "\(packed): \(ids.errors)")
      #expect(try ids.output == Tool.data.run(encode + [scratch.path(plain)]).output)
      #expect(try Tool.data("inspect", scratch.path(packed)).text.hasPrefix("tokenizer"))
    }
    let short = try Data(contentsOf: URL(fileURLWithPath: scratch.path("b.json.zst"))).dropLast(20)
    try short.write(to: URL(fileURLWithPath: scratch.path("short.json.zst")))
    let damaged = try Tool.data("encode", input, "--tokenizer", scratch.path("short.json.zst"))
    #expect(damaged.status == 65 && damaged.errors.contains("short.json.zst"), "\(damaged.errors)")
  }

  @Test func specialTokensThatAreLost() throws {
    let scratch = try Scratch()
    let input = try scratch.write("in.txt", Self.text)
    let learn = [
      "learn-bpe", input, "--mode", "word", "--merges", "5", "--special", "<pad>", "--quiet", "-o",
    ]
    #expect(try Tool.data.run(learn + [scratch.path("a.codes")]).errors.contains("<pad>"))
    #expect(try Tool.data.run(learn + [scratch.path("a.json")]).errors.isEmpty)
  }

  /// Its name is all that says which pattern a .tiktoken file is of.
  @Test func namesOfTiktokenFiles() throws {
    let scratch = try Scratch()
    let input = try scratch.write("in.txt", Self.text)
    func learn(_ name: String, _ preTokenizer: String) throws -> String {
      let result = try Tool.data(
        "learn-bpe", input, "--merges", "5", "--quiet", "--pre-tokenizer", preTokenizer, "-o",
        scratch.path(name))
      #expect(result.status == 0)
      return result.errors
    }
    #expect(try learn("a.gpt2.tiktoken", "gpt2").isEmpty && learn("a.o200k.tiktoken", "o200k").isEmpty)
    #expect(try learn("a.tiktoken", "o200k").contains("NAME.o200k.tiktoken"))
    #expect(try learn("a.gpt2.tiktoken", "whitespace").contains("tokenizer.json"))
    let converted = try Tool.data(
      "convert-tokenizer", scratch.path("a.o200k.tiktoken"), "-o", scratch.path("b.tiktoken"))
    #expect(converted.status == 0 && converted.errors.contains("NAME.o200k.tiktoken"))
  }

  @Test func extendingATokenizer() throws {
    let scratch = try Scratch()
    let input = try scratch.write("in.txt", Self.text)
    for (mode, name) in [("byte-level", "json"), ("word", "json"), ("word", "codes")] {
      let (base, whole, more) = (
        scratch.path("base.\(name)"), scratch.path("whole.\(name)"), scratch.path("more.\(name)")
      )
      for (merges, output) in [("5", base), ("12", whole)] {
        let result = try Tool.data(
          "learn-bpe", input, "--mode", mode, "--merges", merges, "-o", output, "--quiet")
        #expect(result.status == 0, "\(result.errors)")
      }
      let result = try Tool.data("learn-bpe", input, "--extend", base, "--merges", "7", "-o", more)
      #expect(result.status == 0, "\(result.errors)")
      // The same merges; in a tokenizer.json the special token stays in the middle.
      if name == "codes" {
        #expect(try scratch.text("more.codes") == scratch.text("whole.codes"))
      } else {
        func merges(_ file: String) throws -> NSArray {
          let json = try JSONSerialization.jsonObject(with: Data(scratch.text(file).utf8)) as! [String: Any]
          return (json["model"] as! [String: Any])["merges"] as! NSArray
        }
        #expect(try merges("more.json") == merges("whole.json"))
      }
    }
    #expect(
      try Tool.data("learn-bpe", input, "--extend", scratch.path("base.codes"), "--mode", "byte-level").status
        == 64)
    #expect(
      try Tool.data("learn-bpe", input, "--extend", scratch.path("base.json"), "--vocab-size", "10").status
        == 64)
  }

  @Test func limitsOfTokensAndAlphabet() throws {
    let scratch = try Scratch()
    let input = try scratch.write("in.txt", Self.text)
    let short = try Tool.data(
      "learn-bpe", input, "--max-token-length", "3", "--verbose", "-o", scratch.path("a.json"))
    #expect(short.status == 0 && short.errors.contains("merge 1: "), "\(short.errors)")
    let json = try JSONSerialization.jsonObject(with: Data(scratch.text("a.json").utf8)) as! [String: Any]
    let vocabulary = (json["model"] as! [String: Any])["vocab"] as! [String: Int]
    #expect(vocabulary.keys.filter { $0 != "<|endoftext|>" }.map(\.unicodeScalars.count).max() == 3)
    let few = try Tool.data("learn-bpe", input, "--mode", "word", "--limit-alphabet", "4")
    #expect(few.status == 0 && few.errors.contains("characters_kept 4"), "\(few.errors)")
    let covered = try Tool.data("learn-bpe", input, "--mode", "word", "--character-coverage", "0.9")
    #expect(covered.errors.contains("characters_left_out "), "\(covered.errors)")
    #expect(try Tool.data("learn-bpe", input, "--limit-alphabet", "4").status == 64)
    #expect(try Tool.data("learn-bpe", input, "--mode", "word", "--character-coverage", "1.5").status == 64)
    #expect(try Tool.data("learn-bpe", input, "--max-token-length", "0").status == 64)
  }

  @Test func poorInput() throws {
    for text in ["", "\n", "\n\n\n", "a", "a b c"] {
      for mode in ["byte-level", "word"] {
        let hasWords = text.contains("a") || mode == "byte-level" && !text.isEmpty
        let refused = try Tool.data("learn-bpe", "--mode", mode, input: Data(text.utf8))
        #expect(refused.status == (hasWords ? 0 : 65), "\(mode) \(text): \(refused.errors)")
        let result = try Tool.data("learn-bpe", "--mode", mode, "--allow-empty", input: Data(text.utf8))
        #expect(result.status == 0 && result.errors.contains("merges instead of 32000"), "\(result.errors)")
      }
    }
    // No final line end, CR LF, NUL, invalid UTF-8, in JSON and in text: all of it is learned from.
    let bytes = Data("ab ab\r\nab\0ab ".utf8) + Data([0xff, 0xc3, 0x28]) + Data(" ab ab".utf8)
    let result = try Tool.data("learn-bpe", "--merges", "1", input: bytes)
    #expect(result.status == 0 && result.text.contains("[\"a\", \"b\"]"))
    #expect(result.errors.contains("invalid_utf8_replaced 2"))
  }

  @Test func jsonLinesAreTextsOfTheirOwn() throws {
    // Joined, the two would give "ab" twice in one text; apart, "a" and "b" never touch.
    let lines = "{\"text\": \"xa\"}\n{\"text\": \"bx\"}\n{\"text\": \"xa\"}\n{\"text\": \"bx\"}\n"
    let result = try Tool.data("learn-bpe", "--pre-tokenizer", "none", input: Data(lines.utf8))
    #expect(
      result.status == 0 && result.text.contains("[\"x\", \"a\"]") && !result.text.contains("[\"a\", \"b\"]"))
    #expect(result.errors.contains("documents_in 4"))
  }

  @Test func outputThatCannotBeWritten() throws {
    let scratch = try Scratch()
    let input = try scratch.write("in.txt", Self.text)
    let full = try Tool.data("learn-bpe", input, "--merges", "10", "-o", "/dev/full/x.json")
    #expect(full.status == 74 && full.errors.contains("error"))
    #expect(try Tool.data("learn-bpe", scratch.path("missing.txt")).status == 74)
  }
}
