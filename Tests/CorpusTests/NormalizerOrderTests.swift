import Corpus
import Testing

/// For each pair of steps whose order is observable, a text whose result would differ if they were swapped.
@Suite(.timeLimit(.minutes(60))) struct NormalizerOrderTests {
  private func normalized(_ text: String, _ options: NormalizationOptions) throws -> String {
    String(decoding: try Normalizer(options).normalize(Array(text.utf8)), as: UTF8.self)
  }

  @Test func transformComesFirst() throws {
    // The transform produces a zero-width space, matches a ligature, and produces a capital, an accent, a
    // dash and white space.
    for (rules, text, result) in [
      ("x > \\u200b;", "axb", "ab"), ("ﬁ > y;", "ﬁ", "y"), ("x > Y;", "x", "y"), ("x > e\\u0301;", "x", "e"),
      ("x > —;", "axb", "a - b"), ("x > ' ';", "axxb", "a b"),
    ] {
      let options = NormalizationOptions(
        letterCase: .lower, stripsAccents: true, transform: rules, plainsPunctuation: true)
      #expect(try normalized(text, options) == result, "\(rules)")
    }
    // Words come last: a space that the transform replaces does not separate words.
    #expect(try normalized("a b", NormalizationOptions(transform: "' ' > '_';", tokenizes: true)) == "a_b")
  }

  @Test func controlsBeforeForm() throws {
    #expect(try normalized("e\u{ad}\u{301}", NormalizationOptions(form: .nfc)) == "é")
  }

  @Test func formBeforeCaseAndAfterIt() throws {
    // The sign ℡ has no lower case, but its decomposition has; ǰ exists only in lower case.
    #expect(try normalized("℡", NormalizationOptions(letterCase: .lower)) == "tel")
    #expect(try normalized("J\u{30c}", NormalizationOptions(form: .nfc, letterCase: .lower)) == "\u{1f0}")
  }

  @Test func formBeforeAccents() throws {
    // A mathematical letter belongs to no script until it is normalized to e.
    #expect(try normalized("𝐞\u{301}", NormalizationOptions(stripsAccents: true)) == "e")
  }

  @Test func caseBeforeAccents() throws {
    // The iota subscript is a mark; case folding turns it into a letter.
    #expect(try normalized("ᾳ", NormalizationOptions(letterCase: .fold, stripsAccents: true)) == "αι")
  }

  @Test func formBeforePunctuation() throws {
    #expect(try normalized("″", NormalizationOptions(plainsPunctuation: true)) == "''")
    #expect(try normalized("″", NormalizationOptions(form: .nfc, plainsPunctuation: true)) == "\"")
  }

  @Test func accentsBeforePunctuation() throws {
    // A mark on a letter is removed, and a mark on a quote would be kept. It follows a letter until the dash
    // is spaced.
    #expect(
      try normalized("a\u{301}—\u{301}b", NormalizationOptions(stripsAccents: true, plainsPunctuation: true))
        == "a - \u{301}b")
  }

  @Test func punctuationBeforeWhiteSpace() throws {
    #expect(try normalized("a — b —", NormalizationOptions(plainsPunctuation: true)) == "a - b -")
  }

  @Test func cleanUpBeforeSentencesAndWords() throws {
    let options = NormalizationOptions(plainsPunctuation: true, splitsSentences: true, tokenizes: true)
    #expect(try normalized(" One…\u{200b}  Two。 “Three”\u{2028}", options) == "One . . .\nTwo .\n\" Three \"")
  }

  @Test func sentencesBeforeWords() throws {
    let options = NormalizationOptions(splitsSentences: true, tokenizes: true, locale: "en")
    #expect(try normalized("Mr. Fox ran. Why?", options) == "Mr . Fox ran .\nWhy ?")
  }
}
