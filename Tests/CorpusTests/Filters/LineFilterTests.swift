import Corpus
import Foundation
import Support
import Testing

@Suite(.timeLimit(.minutes(60))) struct LineFilterTests {
  /// The text that the line rules keep; nil if the document is dropped.
  private func filtered(_ text: String, _ rules: [String], set: [String] = []) throws -> String? {
    FilterFixture.texts(try FilterFixture.run([text], rules, set: set).result.documents).first
  }

  @Test func removesLinesAndKeepsDocuments() throws {
    let text =
      "Keep this line.\nhome\nTwo words.\n\nEnable Javascript to see this.\n  \"And this one!\"  \nMore..."
    let (result, counts) = try FilterFixture.run([text], ["c4"], without: ["c4-sentences"])
    #expect(FilterFixture.texts(result.documents) == ["Keep this line.\n\"And this one!\""])
    #expect(counts.count(CountName("lines_removed_c4_terminal_punctuation")) == 3)
    #expect(counts.count(CountName("lines_removed_c4_line_words")) == 1)
    #expect(counts.count(CountName("lines_removed_c4_javascript")) == 1)
    #expect(counts.count(.documentsChanged) == 1 && counts.count(.documentsOut) == 1)
  }

  @Test func appliesEachRuleAlone() throws {
    let long = String(repeating: "é", count: 1000)
    let cases: [(rule: String, kept: String, removed: String)] = [
      ("c4-long-words", "a \(long) b", "a \(long)x b"), ("c4-line-words", "a b  c", "a\u{3000}b"),
      ("c4-terminal-punctuation", "x.", "x. y"), ("c4-terminal-punctuation", "x..", "x..."),
      ("c4-terminal-punctuation", "x'", "x…"), ("c4-javascript", "java script", "a JAVASCRIPT b"),
      ("c4-policy", "cookies", "this site uses Cookies"), ("c4-policy", "terms  of use", "Terms of Use"),
    ]
    for (rule, kept, removed) in cases {
      #expect(try filtered("\(kept)\n\(removed)", [rule]) == kept, "\(rule)")
    }
    #expect(try filtered("a b\nc", ["c4-line-words"], set: ["c4-line-words=2"]) == "a b")
    #expect(try filtered("a bbb\ncccc", ["c4-long-words"], set: ["c4-long-words=3"]) == "a bbb")
  }

  @Test func citations() throws {
    let text = "A[1] b[] c[edit] d[citation needed] e[12a] f[Edit] [3"
    let (result, counts) = try FilterFixture.run([text], ["c4-citations"])
    #expect(FilterFixture.texts(result.documents) == ["A b c d e[12a] f[Edit] [3"])
    #expect(counts.count(.citationsRemoved) == 4 && counts.count(.documentsChanged) == 1)
    // A citation after the full stop leaves a space, so C4 drops the line.
    #expect(try filtered("So it is. [2]\nYes.", ["c4-citations", "c4-terminal-punctuation"]) == "Yes.")
  }

  @Test func dropsDocumentsWithoutLines() throws {
    let (result, counts) = try FilterFixture.run(["home\nindex", "a."], ["c4-terminal-punctuation"])
    #expect(FilterFixture.texts(result.documents) == ["a."] && counts.count(CountName("dropped_empty")) == 1)
    #expect(counts.count(CountName("lines_removed_c4_terminal_punctuation")) == 0)
  }

  @Test func keepsCleanTextUnchanged() throws {
    let text = "One line here.\nAnother line here."
    let (result, counts) = try FilterFixture.run([text], ["c4"], without: ["c4-sentences"])
    #expect(FilterFixture.texts(result.documents) == [text] && counts.count(.documentsChanged) == 0)
  }

  @Test func ignoresRemovedLinesLikeC4() throws {
    // As in C4's code, a line that an earlier rule removed is not searched for { and lorem ipsum.
    #expect(try filtered("A good line.\nvar x = {", ["c4"], set: ["c4-sentences=1"]) == "A good line.")
    #expect(try filtered("A good line.\nHe said {.", ["c4"], set: ["c4-sentences=1"]) == nil)
    #expect(
      try filtered("A good line.\nHe said { in javascript.", ["c4"], set: ["c4-sentences=1"])
        == "A good line.")
    #expect(
      try filtered("A good line.\nThe lorem ipsum in javascript.", ["c4"], set: ["c4-sentences=1"]) == nil)
  }

  @Test func laterRulesSeeTheRemainingText() throws {
    let text = "menu\nmenu\nmenu\nmenu\nA line that ends as a sentence should, and is long."
    #expect(try filtered(text, ["fineweb"]) == nil)
    #expect(try filtered(text, ["fineweb", "c4-terminal-punctuation"])?.hasPrefix("A line") == true)
    // The rules of Gopher are evaluated first.
    #expect(try filtered(text, ["gopher-duplicate-lines", "c4-terminal-punctuation"]) == nil)
  }

  @Test func sentences() throws {
    func count(_ text: String) throws -> Double? {
      try FilterFixture.values(text, ["c4-sentences"])["c4-sentences"]
    }
    #expect(try count("One. Two! Three? Four") == 4)
    #expect(try count("One.\nTwo\nThree.") == 3)
    #expect(try count("He said: \"Go.\" And 3.14 is pi... Well") == 2)
    #expect(try count("你好。世界！") == 2)
    #expect(try count("Wait!?! (Really.) Yes.") == 3)
  }
}
