import Corpus
import Testing

/// Each pair of steps whose order can be seen, by a text that would come out otherwise were they swapped.
@Suite struct NormalizerOrderTests {
  private func normalized(_ text: String, _ options: NormalizationOptions) throws -> String {
    String(decoding: try Normalizer(options).normalize(Array(text.utf8)), as: UTF8.self)
  }

  @Test func transformComesFirst() throws {
    // It makes a zero-width space, sees a ligature, makes a capital, makes an accent, a dash and white space.
    for (rules, text, result) in [
      ("x > \\u200b;", "axb", "ab"), ("ﬁ > y;", "ﬁ", "y"), ("x > Y;", "x", "y"), ("x > e\\u0301;", "x", "e"),
      ("x > —;", "axb", "a - b"), ("x > ' ';", "axxb", "a b"),
    ] {
      let options = NormalizationOptions(
        letterCase: .lower, stripsAccents: true, transform: rules, plainsPunctuation: true)
      #expect(try normalized(text, options) == result, "\(rules)")
    }
    // Words come last: what it makes of a space is one word.
    #expect(try normalized("a b", NormalizationOptions(transform: "' ' > '_';", tokenizes: true)) == "a_b")
  }

  @Test func controlsBeforeForm() throws {
    #expect(try normalized("e\u{ad}\u{301}", NormalizationOptions(form: .nfc)) == "é")
  }

  @Test func formBeforeCaseAndAfterIt() throws {
    // The sign ℡ has no small letter, the letters that it stands for do; ǰ exists only as a small letter.
    #expect(try normalized("℡", NormalizationOptions(letterCase: .lower)) == "tel")
    #expect(try normalized("J\u{30c}", NormalizationOptions(form: .nfc, letterCase: .lower)) == "\u{1f0}")
  }

  @Test func formBeforeAccents() throws {
    // A mathematical letter is of no script until it is an e.
    #expect(try normalized("𝐞\u{301}", NormalizationOptions(stripsAccents: true)) == "e")
  }

  @Test func caseBeforeAccents() throws {
    // The iota subscript is a mark, folded it is a letter.
    #expect(try normalized("ᾳ", NormalizationOptions(letterCase: .fold, stripsAccents: true)) == "αι")
  }

  @Test func formBeforePunctuation() throws {
    #expect(try normalized("″", NormalizationOptions(plainsPunctuation: true)) == "''")
    #expect(try normalized("″", NormalizationOptions(form: .nfc, plainsPunctuation: true)) == "\"")
  }

  @Test func accentsBeforePunctuation() throws {
    // The mark on a letter goes; on a quote it would stay, and it is on a letter until the dash is spaced.
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
