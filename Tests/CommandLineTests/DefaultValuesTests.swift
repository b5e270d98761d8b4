import Foundation
import Support
import TestSupport
import Testing

/// The default of an option is the value that it has where nobody gives it: the output is that of the value, and not that
/// of the next one.
@Suite(.timeLimit(.minutes(60))) struct DefaultValuesTests {
  private struct Case: Sendable, CustomTestStringConvertible {
    let command: String
    let option: String
    let value: String
    /// Values that give something else.
    let others: [String]

    init(_ command: String, _ option: String, _ value: String, not others: String...) {
      (self.command, self.option, self.value, self.others) = (command, option, value, others)
    }

    var testDescription: String { "\(command) \(option)" }
  }

  private static let cases = [
    // As in tokenizers and gigatoken; in word mode as in subword-nmt.
    Case("learn-bpe --merges 50 rare.txt", "--min-frequency", "1", not: "2"),
    Case("learn-bpe --mode word --merges 50 rare.txt", "--min-frequency", "2", not: "1", "3"),
    Case("learn-bpe --merges 50 rare.txt", "--mode", "byte-level", not: "word"),
    Case("learn-bpe --merges 50 numbers.txt", "--pre-tokenizer", "gpt2", not: "cl100k", "whitespace"),
    Case("learn-bpe --mode word --merges 50 rare.txt", "--codes-format", "subword-nmt", not: "fastbpe"),
    Case("normalize forms.txt", "--form", "nfkc", not: "nfc", "nfkd", "none"),
    Case("normalize forms.txt", "--case", "none", not: "lower", "fold"),
    Case("normalize bad.txt", "--invalid", "replace", not: "drop"),
    Case("normalize latin.txt", "--encoding", "utf-8", not: "windows-1252"),
    Case("normalize two.jsonl", "--text-field", "text", not: "body"),
    Case("normalize paragraphs.txt", "--documents", "line", not: "paragraph"),
    Case("dedup near.txt", "--method", "exact", not: "minhash", "substring"),
    Case("dedup case.txt", "--key", "text", not: "normalized"),
    Case("dedup --method paragraph cut.jsonl", "--min-words", "1", not: "3"),
    Case("dedup --method paragraph cut.jsonl", "--min-characters", "1", not: "12"),
    Case("dedup --method substring spans.jsonl", "--min-length", "50", not: "49", "51"),
    Case("dedup --method substring spans.jsonl", "--unit", "word", not: "byte"),
    Case("dedup --against evaluation.txt runs.txt", "--ngram", "13", not: "12", "14"),
    Case("dedup --method minhash near.txt", "--ngram", "5", not: "1"),
    Case("dedup --method minhash near.txt", "--threshold", "0.7", not: "0.99"),
    Case("dedup --method minhash near.txt", "--keep", "first", not: "longest"),
  ]

  private func write(to scratch: Scratch) throws {
    try scratch.write("rare.txt", "abc abc abc xy xy rq\n")
    try scratch.write("numbers.txt", "in 12345 12345 it's it's 12345\n")
    try scratch.write("forms.txt", "ﬁnd ½ É E\u{301}\n")
    try scratch.write("bad.txt", Array("good\n".utf8) + [0x61, 0xff, 0x0a])
    try scratch.write("latin.txt", [0x63, 0x61, 0x66, 0xe9, 0x0a])
    try scratch.write("two.jsonl", "{\"text\":\"ﬁ\",\"body\":\"ﬁ\"}\n")
    try scratch.write("paragraphs.txt", "a\nb\n\nc\n")
    try scratch.write("case.txt", "One text\none text\n")
    // Sixty words, with two others at their end, and once more with one word in six changed.
    let words = (0..<60).map { "word\($0)" }
    let near = (words + ["and", "more"]).joined(separator: " ")
    let far = words.enumerated().map { $0 % 6 == 5 ? "other\($0)" : $1 }.joined(separator: " ")
    try scratch.write("near.txt", words.joined(separator: " ") + "\n\(near)\n\(far)\n")
    try scratch.write(
      "cut.jsonl",
      """
      {"text":"a line of several words\\nsome others"}
      {"text":"a line of several words\\none"}
      {"text":"a line of several words\\nmore here"}
      {"text":"a line of several words"}

      """)
    // Texts that share 49 and 50 words.
    func shared(_ name: String, _ count: Int) -> [String] { (0..<count).map { "\(name)\($0)" } }
    let spans = [
      ["begin"] + shared("a", 49) + ["one"], ["start"] + shared("a", 49) + ["two"],
      ["begin"] + shared("b", 50) + ["three"], ["start"] + shared("b", 50) + ["four"],
    ]
    try scratch.write(
      "spans.jsonl", spans.map { "{\"text\":\"\($0.joined(separator: " "))\"}\n" }.joined())
    try scratch.write("evaluation.txt", shared("e", 30).joined(separator: " ") + "\n")
    let runs = [12, 13].map { "before " + shared("e", $0).joined(separator: " ") + " after it\n" }
    try scratch.write("runs.txt", runs.joined())
  }

  @Test(arguments: cases) private func isTheValueThatIsNotGiven(one: Case) throws {
    let scratch = try Scratch()
    try write(to: scratch)
    func output(_ more: [String]) throws -> Data {
      let arguments = one.command.split(separator: " ").map(String.init) + more
      let result = try Tool.data.run(arguments + ["--quiet"], in: scratch.url)
      #expect(result.status == 0, "\(arguments): \(result.errors)")
      return result.output
    }
    let bare = try output([])
    #expect(!bare.isEmpty)
    #expect(try output([one.option, one.value]) == bare, "\(one.value) is not the default")
    for other in one.others {
      #expect(
        try output([one.option, other]) != bare, "\(other) gives the same, so that the test shows nothing")
    }
  }

  /// What the summary of a run says about values that no small output shows.
  @Test func ofTheBandsOfMinHash() throws {
    let scratch = try Scratch()
    try write(to: scratch)
    func summary(_ more: String...) throws -> [String: Int] {
      let result = try Tool.data.run(
        ["dedup", "--method", "minhash", "near.txt", "-o", "out.txt", "--summary", "s.json"] + more,
        in: scratch.url)
      #expect(result.status == 0, "\(result.errors)")
      return try readSummary(scratch.path("s.json")).compactMapValues { $0 as? Int }
    }
    let bare = try summary()
    #expect(bare["bands"] == 12 && bare["rows"] == 9)
    #expect(try summary("--threshold", "0.7", "--hashes", "112")["bands"] == 12)
    let others = [try summary("--threshold", "0.8"), try summary("--hashes", "128")]
    for other in others { #expect((other["bands"], other["rows"]) != (12, 9)) }
  }

  @Test func ofTheSeedOfAShuffle() throws {
    let scratch = try Scratch()
    try SampleDataset.write(scratch.path("in"))
    func shard(_ name: String, _ more: String...) throws -> [String: Data] {
      let result = try Tool.data.run(["shard", "in", "-o", name, "--quiet"] + more, in: scratch.url)
      #expect(result.status == 0, "\(result.errors)")
      return try SampleDataset.files(scratch.path(name)).filter { $0.key != "index.json" }
    }
    let bare = try shard("bare")
    #expect(try shard("one", "--seed", "1", "--level", "1") == bare)
    #expect(try shard("two", "--seed", "2") != bare)
    #expect(try shard("level", "--level", "3") != bare)
  }
}
