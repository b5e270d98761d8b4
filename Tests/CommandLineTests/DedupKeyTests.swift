import Foundation
import TestSupport
import Testing

/// Which texts count as equal, by every method that compares words.
@Suite(.timeLimit(.minutes(60))) struct DedupKeyTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// Methods that compare whole short texts.
  static let methods = [
    "--key normalized", "--method paragraph", "--method minhash", "--method minhash --verify",
    "--method minhash --shingle character --ngram 2 --threshold 0.99 --verify",
  ]

  private func dedup(_ options: String, _ texts: [String]) throws -> [String] {
    try scratch.write("in.txt", texts.map { $0 + "\n" }.joined())
    let result = try Tool.data.run(
      ["dedup", "--quiet"] + options.split(separator: " ").map(String.init) + ["in.txt"], in: scratch.url)
    #expect(result.status == 0, "\(result.errors)")
    return result.text.split(separator: "\n").map(String.init)
  }

  @Test(arguments: methods) func differentWordsAreKept(method: String) throws {
    let texts = [
      "कल मैं घर", "कुल मैं घर", "かき です", "がき です", "はは", "ぱぱ", "ばば", "กา", "กำ", "கல்", "கில்", "كَتَبَ", "كُتِبَ",
      "ספָר", "ספֶר", "ཀ", "ཀི", "မာ", "မိ",
    ]
    #expect(try dedup(method, texts) == texts)
  }

  @Test(arguments: methods) func differentWritingsOfAWordAreNot(method: String) throws {
    // Each pair is one text: case, accents, width, punctuation, and the order of marks and their composition.
    for (one, other) in [
      ("Élève modèle", "eleve, MODELE!"), ("й Ёлка", "и елка"), ("がき", "か\u{3099}き"), ("ｶﾞｷ", "ガキ"),
      ("ש\u{5c1}\u{5b8}", "ש\u{5b8}\u{5c1}"), ("Việt", "viet"), ("page 12", "Page 97."),
    ] {
      #expect(try dedup(method, [one, other]) == [one], "\(one) and \(other)")
    }
  }

  @Test(arguments: methods.dropLast()) func sumsDifferWhereDigitsCount(method: String) throws {
    let questions = (0..<1000).map { "What is \($0 / 32 * 41 + 1) plus \($0 % 32 * 7 + 3)?" }
    #expect(try dedup(method, questions).count < 20)
    let options = method + " --key-keep digits" + (method.contains("minhash") ? " --threshold 1" : "")
    #expect(try dedup(options, questions) == questions)
  }

  @Test(arguments: methods.dropLast()) func punctuationAndCaseDifferWhereTheyCount(method: String) throws {
    let texts = ["a b c d e f", "A b c d e f", "a b c d e f!", "a, b c d e f"]
    let exact = method.contains("minhash") ? " --threshold 1" : ""
    #expect(try dedup(method, texts).count == 1)
    #expect(try dedup(method + exact + " --key-keep case", texts) == [texts[0], texts[1]])
    #expect(try dedup(method + exact + " --key-keep punctuation", texts) == [texts[0], texts[2], texts[3]])
    #expect(try dedup(method + exact + " --key-keep digits,punctuation,case", texts) == texts)
    // Punctuation alone is still no text to compare.
    if method != "--key normalized" {
      #expect(
        try dedup(method + " --key-keep punctuation", ["***", "a", "***", "a"]) == ["***", "a", "***"])
    }
  }

  @Test func recipesSayWhatIsKept() throws {
    try scratch.write("sums.txt", (0..<100).map { "What is \($0 * 3) plus \($0 * 7)?\n" }.joined())
    func documents(_ options: String) throws -> Int? {
      let stages = ["dedup: {\(options)}", "learn-bpe: {merges: 5}", "encode"].map { "  - \($0)\n" }
      try scratch.write("r.yaml", "inputs: {train: sums.txt}\noutput: out\nstages:\n\(stages.joined())")
      let result = try Tool.data.run(["run", "--quiet", "r.yaml"], in: scratch.url)
      #expect(result.status == 0, "\(result.errors)")
      let index = try readSummary(scratch.path("out/index.json"))
      return (index["splits"] as? [String: [String: Any]])?["train"]?["documents"] as? Int
    }
    // The lengths of the two numbers make five keys.
    #expect(try documents("key: normalized") == 5)
    #expect(try documents("key: normalized, key-keep: digits") == 100)
    #expect(try documents("key: normalized, key-keep: [digits, case]") == 100)
  }

  @Test func contaminationComparesTheSameWords() throws {
    try scratch.write("eval.txt", "what is 12 plus 30 then\n")
    let text = ["What is 44 plus 55 then?", "What is 12 plus 30 then?"]
    #expect(try dedup("--against eval.txt --ngram 6", text) == [])
    #expect(try dedup("--against eval.txt --ngram 6 --key-keep digits", text) == [text[0]])
  }

  @Test(arguments: ["exact", "paragraph", "minhash", "substring"])
  func whiteSpaceIsThatOfAllScripts(method: String) throws {
    try scratch.write("in.txt", "eins\n\u{3000}\n\u{a0}\u{2003}\nzwei\n\u{3000} \u{85}\n")
    let result = try Tool.data.run(
      ["dedup", "--method", method, "--summary", "s.json", "in.txt"], in: scratch.url)
    #expect(result.text == "eins\nzwei\n")
    #expect(try readSummary(scratch.path("s.json"))["documents_empty"] as? Int == 3)
  }

  @Test func suchLinesEndParagraphs() throws {
    try scratch.write("in.txt", "a\nb\n\u{3000}\nc\n\u{a0}\na\nb\n")
    let result = try Tool.data.run(["dedup", "--documents", "paragraph", "in.txt"], in: scratch.url)
    #expect(result.text == "a\nb\n\nc\n\n")
    // Within a document, for --unit paragraph.
    try scratch.write("in.jsonl", "{\"text\":\"a\\nb\\n\u{3000}\\nc\\n\u{a0}\\na\\nb\"}\n")
    let cut = try Tool.data.run(
      ["dedup", "--method", "paragraph", "--unit", "paragraph", "in.jsonl"], in: scratch.url)
    #expect(cut.text.hasPrefix("{\"text\":\"a\\nb\\n\u{3000}\\nc\""), "\(cut.text)")
  }

  @Test(arguments: [
    ("empty.jsonl", "", "no evaluation text was found"), ("blank.txt", "\n \n\u{3000}\n", "evaluation text"),
    ("short.jsonl", "{\"q\":\"two words\"}\n", "none of its 1 evaluation texts has 13 words"),
    ("numbers.jsonl", "{\"q\":12}\n", "no evaluation text was found"),
  ])
  func anEvaluationSetWithoutWordsIsAnError(name: String, text: String, expected: String) throws {
    try scratch.write(name, text)
    try scratch.write("good.txt", (0..<20).map { "word\($0)" }.joined(separator: " ") + "\n")
    try scratch.write("in.txt", "a text\n")
    for others in [[], ["--against", "good.txt"]] {
      let result = try Tool.data.run(
        ["dedup", "in.txt", "--against", name, "-o", "out.txt"] + others, in: scratch.url)
      #expect(result.status == 65 && result.errors.contains(name) && result.errors.contains(expected))
      #expect(!scratch.names.contains("out.txt"))
    }
    let wrongField = try Tool.data.run(
      ["dedup", "in.txt", "--against", "good.jsonl", "--against-field", "x"], in: scratch.url)
    #expect(wrongField.status != 0)
  }
}
