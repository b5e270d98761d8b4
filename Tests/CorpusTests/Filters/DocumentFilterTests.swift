import Corpus
import Foundation
import Support
import Testing

@Suite(.timeLimit(.minutes(60))) struct DocumentFilterTests {
  /// The fast measures and the reference agree to the sixth decimal, which is the precision of the output.
  private func compare(_ text: String) throws {
    let given = ["min-words": 1.0, "min-chars": 1, "min-lines": 1]
    let ours = try FilterFixture.values(text, given: given)
    for (name, value) in ReferenceFilter.values(text) {
      let other = try #require(ours[name], "\(name)")
      #expect(abs(value - other) <= 1e-6, "\(name) of \(text.debugDescription)")
    }
  }

  @Test func measuresWebDocuments() throws {
    for text in FilterFixture.webDocuments(160, seed: 3) { try compare(text) }
  }

  @Test func measuresUnusualTexts() throws {
    let texts = [
      "", "a", "\n", "\r\n", "\r\n\r\n", "\n\n\n", " ", "word", "word\n", "\u{a0}\u{3000}", "...",
      "....... -- …",
      "a\n\na\n\na", "a\r\nb\r\na\r\n", "a\r", "\u{0}\u{1}", "é", "日本語のテキスト。", "สวัสดีชาวโลก สวัสดี",
      "don't DON'T can’t it's we'll they've n't 's o'clock rock'n'roll cats' 'twas",
      "a.b A.B a.B A.b 1.5 1,000 a,b",
      "10:30 1/2 a/b COVID-19 well-known 1-2 a--b x-1",
      "http://a.b/c?d=e&f=(g). www.x.y, HTTPS://Z <http://q> www.",
      "www", "http:/", "https://", "a_b a@b.c AT&T x&", String(repeating: "ab ", count: 3000),
      String(repeating: "the same line\n", count: 50),
      String(repeating: "é", count: 29) + "\n" + String(repeating: "é", count: 31),
      String(repeating: "日", count: 200) + "\n" + String(repeating: "x", count: 199), "•a\n -b\n\t• c\nd -",
      "x...\ny… \nz....\n..", "\u{301}a\u{301} ❤️ 👩‍👩‍👧 \u{200b}",
      "one two one two one two one two one two one two",
    ]
    for text in texts { try compare(text) }
  }

  @Test func measuresRandomTexts() throws {
    var random = RandomText(seed: 5)
    for _ in 0..<400 {
      // The reference knows fewer terminals and uses the Unicode version of the Swift library.
      let text = String(decoding: random.text(upTo: 60), as: UTF8.self)
      let ours = try FilterFixture.values(text)
      for (name, value) in ReferenceFilter.values(text) where name.hasPrefix("gopher") {
        let isKnown = text.unicodeScalars.allSatisfy { ($0.properties.age.map { $0 <= (15, 0) } ?? false) }
        if isKnown { #expect(abs(value - ours[name]!) <= 1e-6, "\(name) of \(text.debugDescription)") }
      }
    }
    // Few different words, so that sequences of all lengths are repeated.
    var few = RandomGenerator(seed: 6)
    for round in 0..<300 {
      let words = ["a", "bb", "ccc", "a.", "b\nc", "é"].prefix(2 + round % 5)
      let text = (0..<few.below(80)).map { _ in words[few.below(words.count)] }.joined(separator: " ")
      try compare(text)
    }
  }

  @Test func measuresAMegabyteOfOneWord() throws {
    let values = try FilterFixture.values(String(repeating: "a", count: 1 << 20))
    #expect(values["gopher-min-words"] == 1 && values["gopher-min-word-length"] == 1_048_576)
    let repeated = try FilterFixture.values(String(repeating: "a ", count: 1 << 19))
    #expect(repeated["gopher-min-words"] == 524_288)
    #expect(repeated["gopher-top-2-gram"]! > 1.49 && repeated["gopher-duplicate-10-grams"]! > 0.49)
  }

  /// For each rule, a text that just passes and one that just fails.
  static let edges: [(rule: String, inside: String, outside: String)] = {
    func words(_ count: Int, _ word: String = "word") -> String {
      (0..<count).map { "\(word)\(["a", "b", "c"][$0 % 3])" }.joined(separator: " ")
    }
    let long = String(repeating: "x", count: 199)
    return [
      ("gopher-min-words", words(50), words(49)), ("gopher-max-words", words(100_000), words(100_001)),
      ("gopher-min-word-length", "abc abc", "abc ab"),
      ("gopher-max-word-length", "abcdefghij", "abcdefghijk"),
      ("gopher-hash-ratio", words(9) + " #", words(8) + " #"),
      ("gopher-ellipsis-ratio", words(9) + " …", words(8) + " ..."),
      (
        "gopher-bullet-lines", String(repeating: "- a\n", count: 9) + "a",
        String(repeating: "• a\n", count: 10) + "a"
      ),
      (
        "gopher-ellipsis-lines", String(repeating: "a...\n", count: 3) + String(repeating: "a\n", count: 7),
        String(repeating: "a… \n", count: 4) + String(repeating: "a\n", count: 7)
      ),
      ("gopher-alphabetic-words", "a b c d 5", "a b c 5"), ("gopher-stop-words", "the of", "the the Of"),
      ("gopher-duplicate-paragraphs", "a\n\nb\n\nc\n\na", "a\n\nb\n\na"),
      ("gopher-duplicate-paragraph-chars", "abc\n\nabc\n\n1234567", "abc\n\nabc\n\n12"),
      ("gopher-duplicate-lines", "a\nb\nc\na", "a\nb\na"),
      ("gopher-duplicate-line-chars", "abc\nabc\n1234567", "abc\nabc\n12"),
      ("gopher-top-2-gram", "ab cd efghi jklmn opqrstu", "ab cd efghi jklmn opqrst"),
      ("gopher-top-3-gram", "a b c " + long, "a b c d e f g"),
      ("gopher-top-4-gram", "a b c d " + long, "a b c d e f g"),
      ("fineweb-terminal-lines", "a.\nb\nc\nd\ne\nf\ng\nh", "a.\nb\nc\nd\ne\nf\ng\nh\ni"),
      (
        "fineweb-short-lines",
        "abc\ndef\n\(long)\n\(long)", "abc\ndef\nghi\njkl\nmno\npqr\nstu\n\(long)\n\(long)\n\(long)"
      ),
      ("fineweb-duplicate-line-chars", "a\na\n\(long.dropLast(101))", "a\na\n\(long.dropLast(102))"),
      ("fineweb-newline-ratio", "a b c d\n\n\nf g h i j k", "a b c d\n\n\nf g h i j"),
      ("mc4-long-lines", "\(long)y\n\(long)z\n\(long)w", "\(long)y\n\(long)z\n\(long)"),
      ("c4-lorem-ipsum", "Lorem, ipsum", "x LOREM ipsum"), ("c4-curly-brackets", "}", "a {"),
      ("c4-sentences", "Ab. Cd! Ef? Gh. Ij.", "Ab. Cd! Ef... Gh. Ij. ?"),
    ]
  }()

  @Test(arguments: edges.map(\.rule)) func rulesDecideAtTheirThreshold(rule: String) throws {
    let edge = try #require(Self.edges.first { $0.rule == rule })
    let threshold = try #require(FilterRule.all.first { $0.name == rule }?.threshold)
    let inside = try FilterFixture.run([edge.inside], [rule]).result.documents.count
    let outside = try FilterFixture.run([edge.outside], [rule]).result.documents.count
    #expect(inside == 1 && outside == 0, "\(rule) \(threshold)")
  }

  @Test(arguments: 5...10) func duplicateNGramsDecideAtTheirThreshold(n: Int) throws {
    // n one-letter words twice, and enough other text for their share to equal the threshold.
    let rule = "gopher-duplicate-\(n)-grams"
    let threshold = try #require(FilterRule.all.first { $0.name == rule }?.threshold)
    let gram = (0..<n).map { String(Unicode.Scalar(UInt8(97 + $0))) }.joined(separator: " ")
    let total = Int((Double(n) / threshold).rounded(.up))
    func text(_ length: Int) -> String {
      let start = "\(gram) 12 \(gram) "
      return start + String(repeating: "x", count: max(length - start.count, 0))
    }
    #expect(try FilterFixture.failed(text(total), [rule]) == nil)
    #expect(try FilterFixture.failed(text(total - 1), [rule]) == rule)
  }

  @Test func everyDocumentRuleHasAnEdgeTest() {
    let tested = Set(Self.edges.map(\.rule) + (5...10).map { "gopher-duplicate-\($0)-grams" })
    let rules = FilterRule.all.filter { !$0.group.isEmpty && !$0.isLineRule }.map(\.name)
    #expect(Set(rules) == tested)
  }

  @Test func appliesLengthBounds() throws {
    let texts = ["one", "one two", "one two three!", "a\n\nb\nc"]
    func kept(_ given: [String: Double]) throws -> [Int] {
      let kept = FilterFixture.texts(try FilterFixture.run(texts, [], given: given).result.documents)
      return texts.indices.filter { kept.contains(texts[$0]) }
    }
    #expect(try kept(["min-words": 2]) == [1, 2, 3])
    #expect(try kept(["min-words": 3]) == [2, 3])
    #expect(try kept(["max-words": 2]) == [0, 1])
    #expect(try kept(["min-chars": 7]) == [1, 2])
    #expect(try kept(["min-chars": 4, "max-chars": 7]) == [1, 3])
    #expect(try kept(["min-lines": 2]) == [3])
    #expect(try kept(["max-lines": 2]) == [0, 1, 2])
  }

  @Test func dropsEmptyDocuments() throws {
    let (result, counts) = try FilterFixture.run(["", " \n", "\u{3000}", "a"], ["c4-javascript"])
    #expect(FilterFixture.texts(result.documents) == ["a"] && counts.count(CountName("dropped_empty")) == 3)
    let kept = try FilterFixture.run(
      ["", "a"], ["fineweb-short-lines"], set: ["fineweb-short-lines=1"], without: ["empty"])
    #expect(kept.result.documents.count == 2)
  }

  @Test func countsTheFirstRuleInOrder() throws {
    let text = "- a\n- a\n- a"
    #expect(try FilterFixture.failed(text, ["fineweb", "gopher"]) == "gopher-duplicate-lines")
    #expect(try FilterFixture.failed(text, ["fineweb,gopher-quality"]) == "gopher-min-words")
    let names = FilterRule.all.map(\.name)
    #expect(Set(names).count == names.count)
    let (_, counts) = try FilterFixture.run([text, text], ["gopher"])
    #expect(
      counts.count(CountName("dropped_gopher_duplicate_lines")) == 2 && counts.count(.documentsDropped) == 2)
    #expect(counts.count(.documentsOut) == 0)
  }

  @Test func rejectedDocumentsKeepTheirTextAndNameTheRule() throws {
    let texts = ["word", "two words", "Some {text}."]
    let (result, _) = try FilterFixture.run(texts, ["c4-curly-brackets"], given: ["min-words": 2]) {
      $0.keepsRejected = true
    }
    let rejected = try #require(result.rejected)
    #expect(FilterFixture.texts(rejected) == [texts[0], texts[2]])
    #expect(FilterFixture.texts(result.documents) == [texts[1]])
    let notes = try FilterFixture.annotations(rejected)
    #expect(notes.map { $0["rule"]?.string } == ["min-words", "c4-curly-brackets"])
    #expect(notes.map { $0["value"]?.number } == [1, 1] && notes[0]["threshold"]?.number == 2)
    #expect(notes.allSatisfy { $0["kept"]?.bool == false })
  }

  @Test func annotationKeepsEveryDocument() throws {
    let texts = FilterFixture.webDocuments(60, seed: 8) + [""]
    let (result, counts) = try FilterFixture.run(texts, ["gopher", "c4", "fineweb"]) { $0.annotates = true }
    #expect(FilterFixture.texts(result.documents) == texts)
    let notes = try FilterFixture.annotations(result.documents)
    let plain = try FilterFixture.run(texts, ["gopher", "c4", "fineweb"])
    // The kept documents, and the rule of the others, are the same without annotation.
    #expect(notes.count { $0["kept"]?.bool == true } == plain.result.documents.count)
    for rule in FilterRule.all where !rule.isLineRule && !rule.group.isEmpty {
      let name = rule.name.split(separator: "-").joined(separator: "_")
      let here = counts.count(CountName("flagged_\(name)")),
        there = plain.counts.count(CountName("dropped_\(name)"))
      #expect(here == there && notes.count { $0["rule"]?.string == rule.name } == here, "\(name)")
    }
  }

  @Test func rejectsAnExistingAnnotationField() throws {
    let (once, _) = try FilterFixture.run(["a \"filter\": b"], ["gopher"]) { $0.annotates = true }
    var filter = DocumentFilter(try FilterSelection(rules: ["fineweb"]))
    filter.annotates = true
    var counts = Summary()
    #expect(throws: Failure.self) { try filter.filter(once.documents, counts: &counts) }
    filter.annotationField = "fineweb"
    #expect(try filter.filter(once.documents, counts: &counts).documents.count == 1)
  }

  @Test func selectsRulesByName() throws {
    func names(_ rules: [String], _ without: [String] = [], _ set: [String] = []) throws -> [String] {
      try FilterSelection(rules: rules, without: without, thresholds: set).rules.map(\.rule.name)
    }
    #expect(try names(["mc4"]) == ["empty", "mc4-long-lines"])
    #expect(try names(["c4, mc4"], ["c4", "empty"]) == ["mc4-long-lines"])
    #expect(try names(["gopher"]).count == 1 + 13 + 10)
    #expect(try names(["c4"], [], ["c4-sentences=3"]).count == 10)
    for bad in [["gopher-x"], ["min-words"], ["gopher-min"]] {
      #expect(throws: Failure.self) { try names(bad) }
    }
    for bad in [
      "c4-sentences", "c4-sentences=x", "c4=3", "fineweb-short-lines=1", "c4-javascript=1", "=", "x=1",
    ] {
      #expect(throws: Failure.self) { try names(["c4"], [], [bad]) }
    }
  }
}
