import Corpus
import Support
import Testing

/// Measures of texts in which a mistake would show.
@Suite(.timeLimit(.minutes(60))) struct FilterEdgeTests {
  private func value(_ rule: String, _ text: String) throws -> Double {
    try #require(try FilterFixture.values(text, [rule])[rule])
  }

  /// A quotation mark after a sentence belongs to it, and a sentence begins with the next word.
  @Test func quotationMarksBeginNoSentence() throws {
    #expect(try value("c4-sentences", #"He said "run.""#) == 1)
    #expect(try value("c4-sentences", #"He said "run." She ran."#) == 2)
    #expect(try value("c4-sentences", "Why?! No.") == 2)
    let lines = Array(repeating: #"He said "run.""#, count: 4).joined(separator: "\n")
    #expect(try value("c4-sentences", lines) == 4)
  }

  @Test func everyLineWithLoremIpsumCountsOnce() throws {
    #expect(try value("c4-lorem-ipsum", "Lorem ipsum dolor.\nMore text.\nlorem ipsum lorem ipsum.") == 2)
    #expect(try value("c4-curly-brackets", "a { b {\nc\n}\n{") == 2)
  }

  /// Characters count, not bytes.
  @Test func longLinesAreMeasuredInCharacters() throws {
    func lines(_ length: Int) -> String {
      (0..<3).map { "\($0)" + String(repeating: "é", count: length - 1) }.joined(separator: "\n")
    }
    #expect(try value("mc4-long-lines", lines(199)) == 0)
    #expect(try value("mc4-long-lines", lines(200)) == 3)
    #expect(try value("fineweb-short-lines", lines(30)) == 1)
    #expect(try value("fineweb-short-lines", lines(31)) == 0)
  }

  /// Words that differ in one letter only, wherever it is.
  @Test(arguments: 1...24) func similarWordsAreDifferentWords(length: Int) throws {
    for place in 0..<length {
      let words = "abcdefghijklmnopqrst".map { letter in
        String((0..<length).map { $0 == place ? letter : "x" })
      }
      let ours = try FilterFixture.values(words.joined(separator: " "), ["gopher-repetition"])
      #expect(ours["gopher-duplicate-5-grams"] == 0, "\(length), \(place)")
    }
  }

  /// FineWeb's rules measure what C4's rules have left.
  @Test func laterRulesSeeTheLinesThatAreKept() throws {
    let text = "This line ends well.\nmenu\nhome\nThis one ends well, too.\nindex"
    let rules = ["c4-terminal-punctuation", "fineweb-terminal-lines"]
    #expect(try FilterFixture.values(text, rules)["fineweb-terminal-lines"] == 1)
    #expect(try FilterFixture.values(text, ["fineweb-terminal-lines"])["fineweb-terminal-lines"] == 0.4)
  }
}
