import Foundation
import TestSupport
import Testing

/// The methods that take parts out of documents, and decontamination.
@Suite(.long, .timeLimit(.minutes(60))) struct DedupPartsCommandTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func run(_ arguments: String..., input: String = "") throws -> Subprocess.Result {
    try Tool.data.run(["dedup"] + arguments, input: Data(input.utf8), in: scratch.url)
  }

  private func report(_ name: String) throws -> [[String: Any]] {
    try scratch.text(name).split(separator: "\n").map {
      try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
  }

  @Test func repeatedParagraphsGoAndTheShareIsNoted() throws {
    try scratch.write(
      "a.jsonl",
      """
      {"id":1,"text":"A title\\nHome | About\\n\\nSome words."}
      {"id":2,"text":"home about!\\n\\nOther words here."}
      {"id":3,"text":"Home | About"}
      {"id":4,"text":"untouched","x":[1, 2]}
      {"id":5,"text":"some words\\nonly this"}

      """)
    let result = try run(
      "--method", "paragraph", "--min-words", "3", "--report", "r.jsonl", "--summary", "s.json", "a.jsonl")
    #expect(
      result.text == """
        {"id":1,"text":"A title\\nHome | About\\n\\nSome words."}
        {"id":2,"text":"Other words here.","dedup_removed":0.4333}
        {"id":4,"text":"untouched","x":[1, 2]}

        """)
    let counts = try readSummary(scratch.path("s.json"))
    let expected = [
      "documents_in": 5, "documents_out": 3, "documents_changed": 1, "duplicates_removed": 1,
      "documents_too_short": 1, "units_in": 9, "units_removed": 3, "words_in": 20, "words_out": 11,
    ]
    for (name, count) in expected { #expect(counts[name] as? Int == count, "\(name)") }
    #expect((counts["top_repeated_1"] as? String)?.hasPrefix("2 times: ") == true)
    let report = try report("r.jsonl")
    #expect(report.map { $0["reason"] as? String } == ["units_removed", "duplicate", "too_short"])
    #expect(report.map { $0["line"] as? Int } == [2, 3, 5])
    let firsts = report.map { ($0["duplicate_of"] as? [[String: Any]])?.first?["line"] as? Int }
    #expect(firsts == [1, 1, 1])
    // A second run finds nothing and leaves the note as it is.
    #expect(try run("--method", "paragraph", input: result.text).text == result.text)
  }

  @Test func samplesAreWhatWasRemoved() throws {
    let scratch = try Scratch()
    // Texts with escapes lie elsewhere in memory than their lines.
    let lines = ["same line of words", #"other words\nsame line of words"#, "third one"].map {
      "{\"text\":\"\($0)\"}\n"
    }
    let file = try scratch.write("a.jsonl", lines.joined())
    for (method, name) in [("paragraph", "units_removed"), ("substring", "spans_removed")] {
      let length = method == "substring" ? ["--min-length", "3"] : []
      let result = try Tool.data.run(
        ["dedup", "--method", method, "--summary", scratch.path("s.json"), file] + length)
      #expect(result.status == 0, "\(result.errors)")
      let samples = try readSummary(scratch.path("s.json"))["samples"] as? [String: [[String: String]]]
      let texts = samples?[name]?.map { $0["text"]?.trimmingCharacters(in: .whitespacesAndNewlines) }
      #expect(texts == ["same line of words"], "\(method)")
    }
  }

  @Test func paragraphsBeyondTheMemoryGiveTheSame() throws {
    func line(_ number: Int) -> String {
      String(String(number).unicodeScalars.map { Character(UnicodeScalar($0.value + 49)!) })
    }
    // 2.1 million distinct lines need more than 48 MB with their places.
    let text = (0..<3_200_000).map { "\(line($0 * 7919 % 2_100_001))\n" }.joined()
    let inMemory = try run("--method", "paragraph", "--report", "1", input: text)
    let onDisk = try run(
      "--method", "paragraph", "--memory", "64M", "--threads", "1", "--report", "2", input: text)
    #expect(onDisk.errors.contains("memory is full"))
    let isSame = inMemory.output == onDisk.output && inMemory.output.count > 10_000_000
    let reportIsSame = try scratch.text("1") == scratch.text("2")
    #expect(isSame && reportIsSame)
  }

  @Test func repeatedSpansAreCut() throws {
    let span = (0..<60).map { "word\($0)" }.joined(separator: " ")
    try scratch.write("a.txt", "first: \(span)\nsecond: \(span), then more\n\n\(span)\n")
    let result = try run(
      "--method", "substring", "--report", "r.jsonl", "--summary", "s.json", "--work-dir", "w", "a.txt")
    // "word59," is another word than "word59".
    #expect(result.text == "first: \(span)\nsecond: word59, then more\n")
    let counts = try readSummary(scratch.path("s.json"))
    let expected = [
      "documents_in": 4, "documents_out": 2, "documents_changed": 1, "documents_empty": 1,
      "documents_emptied": 1,
      "spans_removed": 2,
    ]
    for (name, count) in expected { #expect(counts[name] as? Int == count, "\(name)") }
    let report = try report("r.jsonl")
    #expect(report.map { $0["reason"] as? String } == ["repeated_span", "repeated_span", "empty", "emptied"])
    #expect(report[0]["start"] as? Int == 8)
    #expect((report[0]["duplicate_of"] as? [String: Any])?["line"] as? Int == 1)
    // The work directory is done: it gives the same at once, and is refused for another job.
    #expect(try run("--method", "substring", "--work-dir", "w", "a.txt").text == result.text)
    #expect(try run("--method", "substring", "--min-length", "9", "--work-dir", "w", "a.txt").status == 64)
    let bytes = try run("--method", "substring", "--unit", "byte", "a.txt")
    #expect(bytes.text == "first: \(span)\nsecond, then more\n")
    #expect(
      try run("--method", "substring", "--every-copy", "a.txt").text == "first:\nsecond: word59, then more\n")
  }

  @Test func spansAreCountedInTokens() throws {
    let span = "one two three four five six seven eight nine ten"
    try scratch.write("a.jsonl", "{\"text\":\"say \(span)\"}\n{\"n\":1,\"text\":\"so \(span), é\"}\n")
    let learned = try Tool.data.run(
      ["learn-bpe", "--merges", "20", "--quiet", "a.jsonl", "-o", "bpe.json"], in: scratch.url)
    #expect(learned.status == 0, "\(learned.errors)")
    let tokens = try Tool.data.run(
      ["encode", "--tokenizer", "bpe.json", "--format", "ids", "--quiet"], input: Data(" \(span)".utf8),
      in: scratch.url
    ).text.split(separator: " ").count
    func cut(_ length: Int, _ more: String...) throws -> Subprocess.Result {
      try Tool.data.run(
        ["dedup", "--method", "substring", "--tokenizer", "bpe.json", "--min-length", "\(length)", "a.jsonl"]
          + more, in: scratch.url)
    }
    let found = try cut(tokens, "--report", "r.jsonl")
    #expect(found.text == "{\"text\":\"say \(span)\"}\n{\"n\":1,\"text\":\"so, é\"}\n", "\(found.errors)")
    #expect(try report("r.jsonl").first?["bytes"] as? Int == span.utf8.count + 1)
    // One token more is none of both.
    #expect(try cut(tokens + 1).text == scratch.text("a.jsonl"))
    #expect(try cut(9, "--unit", "word").status == 64)
    #expect(try run("--tokenizer", "bpe.json", "a.jsonl").status == 64)
    #expect(try run("--method", "substring", "--unit", "token", "a.jsonl").status == 64)
  }

  @Test func spansFromAPipeAndAnyThreadsAreTheSame() throws {
    var lines: [String] = []
    for number in 0..<4000 {
      lines.append(
        "\(number) " + (0..<40).map { "w\((number % 400) * 3 + $0 * $0 % 31)" }.joined(separator: " "))
    }
    let text = lines.joined(separator: "\n") + "\n"
    try scratch.write("a.txt", text)
    let one = try run("--method", "substring", "--min-length", "12", "--threads", "1", "a.txt")
    let two = try run(
      "--method", "substring", "--min-length", "12", "--threads", "2", "--seed", "9", input: text)
    #expect(one.status == 0 && one.output == two.output && one.output.count < text.utf8.count / 5)
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.url.path).sorted() == ["a.txt"])
  }

  @Test func contaminatedDocumentsAreDroppedOrMarked() throws {
    let question = "What is the name of the river that flows through the old town of the capital"
    try scratch.write("eval.jsonl", "{\"question\":\"\(question)?\",\"answer\":\"Vltava\"}\n")
    let leaked = "Quiz: what is the NAME of the river, that flows through the old town of the capital! Vltava"
    let text = "The name of the river is Vltava.\n\(leaked)\n"
    let dropped = try run(
      "--against", "eval.jsonl", "--report", "r.jsonl", "--summary", "s.json", input: text)
    #expect(dropped.text == "The name of the river is Vltava.\n")
    let line = try #require(try report("r.jsonl").first)
    #expect(line["reason"] as? String == "contaminated" && line["line"] as? Int == 2)
    #expect(line["ngram"] as? String == "what is the name of the river that flows through the old town")
    #expect((line["evaluation"] as? [String: Any])?["file"] as? String == "eval.jsonl")
    let counts = try readSummary(scratch.path("s.json"))
    let expected = [
      "documents_in": 2, "documents_out": 1, "documents_contaminated": 1, "evaluation_texts": 1,
      "evaluation_texts_too_short": 1, "evaluation_ngrams": 4,
    ]
    for (name, count) in expected { #expect(counts[name] as? Int == count, "\(name)") }
    let marked = try run("--against", "eval.jsonl", "--mark", input: text).text.split(separator: "\n")
    #expect(marked.count == 2 && marked[0] == "{\"text\":\"The name of the river is Vltava.\"}")
    #expect(
      marked[1].contains("\"contamination\":{\"evaluation\":{\"file\":\"eval.jsonl\",\"line\":1},\"ngram\":"))
    // Nothing could be found with this length, which is no proof that the text is clean.
    let tooLong = try run("--against", "eval.jsonl", "--ngram", "17", input: text)
    #expect(tooLong.status == 65 && tooLong.errors.contains("none of its 2 evaluation texts has 17 words"))
    #expect(try run("--against", "missing.jsonl", input: text).status == 74)
    #expect(try run("--against", "-", input: text).status == 64)
    #expect(try run("--method", "none", input: text).status == 64)
    #expect(try run("--mark", input: text).status == 64)
  }

  @Test func aMatchIsReportedAndMarkedInTheseBytes() throws {
    try scratch.write("eval.jsonl", "{\"q\":\"one two three\"}\n")
    try scratch.write("a.jsonl", #"{"text":"say \"one\" two three four"}"# + "\n")
    let match =
      #""evaluation":{"file":"eval.jsonl","line":1},"ngram":"one two three","shared_ngrams":1,"ngrams":3"#
    #expect(
      try run("a.jsonl", "--against", "eval.jsonl", "--ngram", "3", "--mark", "--report", "r.jsonl").text
        == #"{"text":"say \"one\" two three four","contamination":{\#(match)}}"# + "\n")
    #expect(
      try scratch.text("r.jsonl")
        == #"{"file":"a.jsonl","line":1,"method":"none","reason":"contaminated",\#(match)}"# + "\n")
  }

  @Test(arguments: ["exact", "paragraph", "minhash", "substring"])
  func decontaminationComesBeforeAnyMethod(method: String) throws {
    let secret = (0..<15).map { "secret\(Character(UnicodeScalar(97 + $0)!))" }.joined(separator: " ")
    try scratch.write("eval.txt", secret + "\n")
    let text = "plain line\nit says \(secret)\nplain line\n"
    func dedup(_ arguments: [String], input: String) throws -> Subprocess.Result {
      let length = method == "substring" ? ["--min-length", "2"] : []
      return try Tool.data.run(
        ["dedup", "--method", method] + length + arguments, input: Data(input.utf8), in: scratch.url)
    }
    let alone = try dedup([], input: "plain line\nplain line\n")
    let both = try dedup(
      ["--against", "eval.txt", "--report", "r.jsonl", "--summary", "s.json"], input: text)
    #expect(both.status == 0 && both.text == alone.text && alone.text == "plain line\n", "\(both.errors)")
    #expect(try Set(report("r.jsonl").compactMap { $0["line"] as? Int }) == [2, 3])
    let counts = try readSummary(scratch.path("s.json"))
    #expect(counts["documents_contaminated"] as? Int == 1)
    #expect(counts["documents_in"] as? Int == 3 && counts["words_in"] as? Int == 21)
    #expect(counts["documents_out"] as? Int == 1 && counts["words_out"] as? Int == 2)
  }
}
