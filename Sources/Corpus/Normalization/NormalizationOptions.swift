/// What normalization does to text.
///
/// The steps, in order:
/// 1. ``transform``, if given;
/// 2. controls (``cleansControls``): drops control characters other than white space, zero-width and
///    bidirectional formatting characters, soft hyphens, byte order marks and noncharacters. The zero-width
///    joiner and non-joiner are kept where they shape the text: after letters of Arabic, Indic and related
///    scripts, and in emoji;
/// 3. the normalization ``form``;
/// 4. ``letterCase``, and then the form again;
/// 5. accents (``stripsAccents``): drops nonspacing marks on Latin, Greek and Cyrillic letters; other scripts
///    keep theirs (without a form, the text becomes NFC);
/// 6. punctuation (``plainsPunctuation``): typographic quotes, dashes and ellipses become ASCII;
/// 7. white space (``cleansWhitespace``), after all steps that may produce some: a run of white space becomes
///    one space, or one line end if it contains one, or two if it contains more; at both ends of the text it
///    is dropped. Line ends are LF, CR, CRLF, VT, FF, U+0085, U+2028 and U+2029. In documents of one line,
///    line ends inside the line become spaces;
/// 8. sentences (``splitsSentences``): replaces the white space between sentences by a line end. A line end
///    in the text also ends a sentence;
/// 9. words (``tokenizes``): separates words and punctuation marks by one space, in place of any white space
///    there except line ends, which are kept.
///
/// Applying steps 2 to 7 twice gives the same result as once: if a step makes work for an earlier one, the
/// steps are repeated. The same holds for steps 2 to 8, and for steps 2 to 7 and 9. After step 9, however, an
/// abbreviation is a word and a full stop, in which step 8 would see the end of a sentence.
///
/// Code points that are unassigned in this version of Unicode are kept and counted: a later version may treat
/// them differently, and may also change the boundaries of steps 8 and 9. The forms and the case folding of
/// assigned code points will not change.
package struct NormalizationOptions: Sendable, Equatable {
  package enum Form: String, Sendable, CaseIterable { case nfc, nfkc, nfd, nfkd, none }

  package enum LetterCase: String, Sendable, CaseIterable {
    case none
    /// Lower case by the rules of the ``locale``, final sigma included.
    case lower
    /// Unicode's full case folding, for comparing rather than reading, with the special rules for Turkic
    /// languages if the ``locale`` is one.
    case fold
  }

  package var form: Form
  package var letterCase: LetterCase
  package var stripsAccents: Bool
  /// An ICU transliterator: its name (`Latin-ASCII`) or its rules (`ä > ae;`).
  package var transform: String?
  package var plainsPunctuation: Bool
  package var cleansWhitespace: Bool
  package var cleansControls: Bool
  package var splitsSentences: Bool
  package var tokenizes: Bool
  /// The locale for case, words and sentences, by ICU's name: `tr`, `en`, `en@ss=none`; empty for the root
  /// locale.
  ///
  /// For languages whose abbreviations ICU knows (de, en, es, fr, it, pt, …) an abbreviation does not end a
  /// sentence, unless the locale says `ss=none`.
  package var locale: String
  /// If false, all text goes through ICU: slow, but a reference for testing the fast path.
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
