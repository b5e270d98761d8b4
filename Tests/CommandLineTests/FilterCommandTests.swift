import Foundation
import Support
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(60))) struct FilterCommandTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func run(_ arguments: String..., input: String = "") throws -> Subprocess.Result {
    try Tool.data.run(["filter"] + arguments, input: Data(input.utf8), in: scratch.url)
  }

  private func lines(_ text: String) throws -> [[String: Any]] {
    try text.split(separator: "\n").map {
      try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
  }

  private static let model = Repository.path("Tests/CorpusTests/Fixtures/languages.ftz")

  @Test func documentsGoAndAreCounted() throws {
    let result = try run(
      "--min-words", "2", "--rules", "c4-curly-brackets,c4-lorem-ipsum", "--summary", "s.json",
      input: "one\ntwo words\n\n{ a set }\nsome Lorem Ipsum\n")
    #expect(result.status == 0 && result.text == "two words\n")
    let counts = try readSummary(scratch.path("s.json"))
    let expected = [
      "documents_in": 5, "documents_out": 1, "documents_dropped": 4, "dropped_empty": 1,
      "dropped_min_words": 1,
      "dropped_c4_lorem_ipsum": 1, "dropped_c4_curly_brackets": 1, "bytes_in": 42, "bytes_out": 10,
    ]
    for (name, count) in expected { #expect(counts[name] as? Int == count, "\(name)") }
    let nothing = try run("--rules", "gopher", "--summary", "s.json")
    #expect(nothing.status == 0 && nothing.output.isEmpty)
    #expect(try readSummary(scratch.path("s.json"))["dropped_gopher_top_2_gram"] as? Int == 0)
  }

  @Test func jsonLinesPassByteForByteAndTheRejectedSayWhy() throws {
    let kept = "{ \"n\":1.0, \"text\" : \"a b c d\\u00e9\" }"
    try scratch.write("a.jsonl", "\(kept)\n{\"text\":\"a\",\"id\":7}\n")
    let result = try run("--min-words", "2", "--rejected", "r.jsonl", "a.jsonl")
    #expect(result.status == 0 && result.text == kept + "\n")
    let rejected = try scratch.text("r.jsonl")
    #expect(
      rejected
        == "{\"text\":\"a\",\"id\":7,\"filter\":{\"kept\":false,\"rule\":\"min-words\",\"value\":1,\"threshold\":2}}\n"
    )
    // Of text, too, and as often as one likes.
    #expect(
      try run("--min-words", "2", "--rejected", "r2.jsonl", "--input-format", "text", input: "a\nb c\n").text
        == "b c\n")
    #expect(try lines(scratch.text("r2.jsonl"))[0]["text"] as? String == "a")
    let again = try run("--min-words", "2", "--rejected", "r3.jsonl", "r.jsonl")
    #expect(again.status == 64 && again.errors.contains("--annotation-field"))
  }

  @Test func annotation() throws {
    let result = try run("--rules", "gopher-min-words,gopher-hash-ratio", "--annotate", input: "a # b\n\n")
    let documents = try lines(result.text)
    #expect(documents.count == 2 && documents.map { $0["text"] as? String } == ["a # b", ""])
    let note = try #require(documents[0]["filter"] as? [String: Any])
    #expect(note["kept"] as? Bool == false && note["rule"] as? String == "gopher-min-words")
    let values = try #require(note["values"] as? [String: Double])
    #expect(
      values["gopher-min-words"] == 2 && values["gopher-hash-ratio"] == 0.333333 && values["empty"] == 0)
    #expect(try run("--rules", "c4", "--annotate", "--output-format", "text").status == 64)
    #expect(try run("--rules", "c4", "--annotate", "--rejected", "x").status == 64)
  }

  @Test func linesOfPages() throws {
    try scratch.write("page.txt", "Home\nThis is the text of the page.\nAnd so it goes on.\nContact\n")
    let result = try run("--rules", "c4", "--set", "c4-sentences=2", "--documents", "file", "page.txt")
    #expect(result.text == "This is the text of the page.\nAnd so it goes on.\n")
  }

  @Test func blocklists() throws {
    try scratch.write("words.txt", "bad thing\n")
    try scratch.write("hosts.txt", "# hosts\nevil.org\n")
    try scratch.write(
      "in.jsonl",
      """
      {"text":"one Bad  thing","url":"http://a.org/"}
      {"text":"two bad thingy","url":"http://b.org/"}
      {"text":"three","url":"http://www.evil.org/x"}

      """)
    let result = try run(
      "--blocklist", "words.txt", "--url-blocklist", "hosts.txt", "--summary", "s.json", "in.jsonl")
    #expect(try lines(result.text).map { $0["text"] as? String } == ["two bad thingy"])
    let counts = try readSummary(scratch.path("s.json"))
    #expect(counts["dropped_blocklist"] as? Int == 1 && counts["dropped_url_blocklist"] as? Int == 1)
  }

  /// With a wrong field no list would block anything.
  @Test func saysWhereNoDocumentHasAURL() throws {
    try scratch.write("hosts.txt", "bad.com\n")
    let document = #"{"text":"a","url":"http://bad.com/"}"# + "\n"
    let wrong = try run(
      "--quiet", "--url-blocklist", "hosts.txt", "--url-field", "link", input: document + document)
    #expect(wrong.status == 0 && wrong.text == document + document)
    #expect(wrong.errors.contains(#"none of the 2 documents has a URL in the field "link""#))
    let right = try run("--quiet", "--url-blocklist", "hosts.txt", input: document + #"{"text":"b"}"# + "\n")
    #expect(right.text == #"{"text":"b"}"# + "\n" && right.errors.isEmpty)
  }

  @Test func languages() throws {
    let input = """
      A few yards down the passage, in the narrow way hewn out of the living rock, she had paused.
      Bet kā jums šķiet? Kādam cilvēkam bija divi dēli; un viņš gāja pie pirmā un sacīja.
      Wale watumishi wakatoka, wakaenda njiani, wakawaleta watu wote, wabaya na wema.

      """
    let rows = input.split(separator: "\n").map { "\($0)\n" }
    #expect(
      try run("--language-model", Self.model, "--language", "en,sw", input: input).text == rows[0] + rows[2])
    #expect(
      try run("--language-model", Self.model, "--drop-language", "en", input: input).text == rows[1] + rows[2]
    )
    let missing = try run("--language", "en", input: input)
    #expect(missing.status == 64 && missing.errors.contains("lid.176.ftz"))
    let absent = try run("--language-model", "none.ftz", input: input)
    #expect(absent.status == 64 && absent.errors.contains("lid.176.ftz"))
    let unknown = try run("--language-model", Self.model, "--language", "xx", input: input)
    #expect(unknown.status == 64 && unknown.errors.contains("en et eu lv sw uk"))
    #expect(try run("--language-model", Self.model, "--language-threshold", "1.5").status == 64)
  }

  @Test func usage() throws {
    let nothing = try run(input: "text\n")
    #expect(nothing.status == 64 && nothing.errors.contains("--rules gopher,fineweb"))
    #expect(try run("--rules", "gofer").status == 64)
    #expect(try run("--rules", "c4", "--set", "c4-sentences=many").status == 64)
    #expect(try run("--min-words", "5", "--max-words", "4").status == 64)
    #expect(try run("--min-chars=-1").status == 64)
    #expect(try run("--blocklist", "missing").status == 74)
    let table = try run("--list-rules")
    #expect(table.status == 0)
    for name in ["gopher-top-3-gram", "at most 0.18", "arXiv 1910.10683", "fineweb-newline-ratio"] {
      #expect(table.text.contains(name))
    }
  }

  @Test func threadsDoNotMatter() throws {
    let text = (0..<60_000).map {
      "The number of words that line \($0 % 97) has is \($0)\($0 % 5 == 0 ? "." : "")\n"
    }
    .joined()
    let rules = ["gopher-min-word-length", "gopher-duplicate-5-grams", "c4-terminal-punctuation"]
    let one = try run(
      "--threads", "1", "--rules", rules.joined(separator: ","), "--rejected", "1", input: text)
    let two = try run(
      "--threads", "2", "--rules", rules[2], "--rules", rules[0], "--rules", rules[1], "--rejected", "2",
      input: text)
    #expect(one.status == 0 && one.output == two.output && one.output.count > 100_000)
    #expect(try scratch.text("1") == scratch.text("2") && scratch.text("1").count > 1_000_000)
  }

  @Test func aStageOfARecipe() throws {
    try scratch.write("words.txt", "forbidden\n")
    try scratch.write(
      "in.txt",
      (0..<300).map { "Document number \($0) of the recipe is \($0 % 3 == 0 ? "forbidden" : "fine").\n" }
        .joined())
    func recipe(_ filter: String) -> String {
      "inputs: in.txt\noutput: out\nstages:\n  - filter: {\(filter)}\n  - learn-bpe: {merges: 20}\n  - encode\n"
    }
    let options =
      "blocklist: words.txt, rules: [gopher-stop-words, mc4], without: mc4, set: {gopher-stop-words: 1}"
    try scratch.write("r.yaml", recipe(options))
    let result = try Tool.data.run(["run", "r.yaml", "--quiet", "--summary", "s.json"], in: scratch.url)
    #expect(result.status == 0, "\(result.errors)")
    #expect(try readSummary(scratch.path("s.json"))["documents_out"] as? Int == 200)
    // The content of the list is part of what decides whether the stage is done.
    try scratch.write("words.txt", "fine\n")
    let changed = try Tool.data.run(["run", "r.yaml", "--quiet", "--summary", "s.json"], in: scratch.url)
    #expect(try changed.status == 0 && readSummary(scratch.path("s.json"))["documents_out"] as? Int == 100)
    for bad in [
      "rejected: x.jsonl", "rules: nonsense", "language-model: none.ftz", "min-wrods: 3", "min-words: -1",
    ] {
      try scratch.write("r.yaml", recipe(bad))
      let refused = try Tool.data.run(["run", "r.yaml"], in: scratch.url)
      #expect(refused.status == 64 && refused.errors.contains("r.yaml:4"), "\(bad): \(refused.errors)")
    }
  }
}
