extension DocumentFilter {
  /// The result of the rules for one document.
  struct Verdict {
    /// The first rule that the document fails, by its index among the rules of the run.
    var failed: (rule: Int, value: Double)?
    /// The measured value for every rule, if all are evaluated.
    var values: [(rule: Int, value: Double)] = []
    var language: LanguageIdentifier.Guess?
    /// The numbers of removed lines and citations, and the first removed line as a range of the text.
    var removed: [(rule: LineRule, count: Int, first: Range<Int>?)] = []
    /// The new text, if it differs from the old one.
    var text: [UInt8]?
  }
}
