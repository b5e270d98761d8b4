extension DocumentFilter {
  /// What the rules say of one document.
  struct Verdict {
    /// The first rule that it fails, by its number among the rules of the run.
    var failed: (rule: Int, value: Double)?
    /// The value of every rule, where all are asked.
    var values: [(rule: Int, value: Double)] = []
    var language: LanguageIdentifier.Guess?
    /// Lines taken out, and citations cut; the first of the lines, as a range of the text.
    var removed: [(rule: LineRule, count: Int, first: Range<Int>?)] = []
    /// The text that stays, where it is another one.
    var text: [UInt8]?
  }
}
