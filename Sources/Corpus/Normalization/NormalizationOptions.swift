/// What normalization does to text.
///
/// The steps, in their order:
/// 1. ``transform``, if any;
/// 2. controls (``cleansControls``): drops control characters other than white space, zero-width and bidirectional
///    formatting characters, soft hyphens, byte order marks and noncharacters. The zero-width joiner and non-joiner stay
///    where they shape the text: after letters of Arabic, Indic and related scripts, and in emoji;
/// 3. the normalization ``form``;
/// 4. ``letterCase``, and the form again;
/// 5. accents (``stripsAccents``): nonspacing marks on Latin, Greek and Cyrillic letters go, other scripts keep theirs
///    (without a form, the text becomes NFC);
/// 6. punctuation (``plainsPunctuation``): typographic quotes, dashes and ellipses to ASCII;
/// 7. white space (``cleansWhitespace``), after all that may make some: a run of it becomes one space, or a line end if
///    it holds one, or two if it holds more; it goes at both ends. Line ends are LF, CR, CRLF, VT, FF, U+0085, U+2028
///    and U+2029; in documents of one line those inside the line become spaces;
/// 8. sentences (``splitsSentences``): a line end between them, in place of the white space there. A line end in the
///    text ends a sentence;
/// 9. words (``tokenizes``): one space between words and punctuation marks, in place of any white space there but line
///    ends, which stay.
///
/// Steps 2 to 7 applied twice are the same as once: where one step makes work for an earlier one, they are repeated. So
/// are steps 2 to 8, and steps 2 to 7 and 9; after step 9 an abbreviation is a word and a full stop, in which step 8
/// sees the end of a sentence.
///
/// Code points that this version of Unicode does not assign stay and are counted: a later version may treat them
/// otherwise, as it may the boundaries of steps 8 and 9. The forms and the folding of assigned ones will not change.
package struct NormalizationOptions: Sendable, Equatable {
  package enum Form: String, Sendable, CaseIterable { case nfc, nfkc, nfd, nfkd, none }

  package enum LetterCase: String, Sendable, CaseIterable {
    case none
    /// Small letters of the ``locale``; final sigma is seen.
    case lower
    /// Unicode's full case folding, for comparing rather than reading; that for Turkic languages where the
    /// ``locale`` is of one.
    case fold
  }

  package var form: Form
  package var letterCase: LetterCase
  package var stripsAccents: Bool
  /// A transliterator of ICU: its name (`Latin-ASCII`) or its rules (`ä > ae;`).
  package var transform: String?
  package var plainsPunctuation: Bool
  package var cleansWhitespace: Bool
  package var cleansControls: Bool
  package var splitsSentences: Bool
  package var tokenizes: Bool
  /// Whose letters, words and sentences they are, by ICU's name: `tr`, `en`, `en@ss=none`; empty for the root locale.
  ///
  /// Of a language whose abbreviations ICU knows (de, en, es, fr, it, pt, …) those end no sentence, unless `ss=none`.
  package var locale: String
  /// Off, everything goes through ICU: slow, and the judge of the fast path.
  package var usesFastPath = true

  package init(
    form: Form = .nfkc, letterCase: LetterCase = .none, stripsAccents: Bool = false, transform: String? = nil,
    plainsPunctuation: Bool = false, cleansWhitespace: Bool = true, cleansControls: Bool = true,
    splitsSentences: Bool = false, tokenizes: Bool = false, locale: String = ""
  ) {
    self.form = form
    self.letterCase = letterCase
    self.stripsAccents = stripsAccents
    self.transform = transform
    self.plainsPunctuation = plainsPunctuation
    self.cleansWhitespace = cleansWhitespace
    self.cleansControls = cleansControls
    self.splitsSentences = splitsSentences
    self.tokenizes = tokenizes
    self.locale = locale
  }
}
