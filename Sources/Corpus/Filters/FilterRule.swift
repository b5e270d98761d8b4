import Support

/// A rule: its name, meaning, source and threshold.
package struct FilterRule: Sendable {
  package enum Bound: Sendable, Equatable {
    /// The document is kept if the measured value is at least the threshold; nil if the user must give the
    /// threshold.
    case minimum(Double?)
    /// The document is kept if the measured value is at most the threshold.
    case maximum(Double?)
    /// A line rule without a threshold.
    case none
  }
  enum Subject: Sendable {
    case document(FilterMeasure)
    case line(LineRule)
  }

  package let name: String
  /// The name in `--rules` for all rules of one source.
  package let group: String
  package let bound: Bound
  package let meaning: String
  let subject: Subject

  /// Whether the rule applies to lines rather than documents.
  package var isLineRule: Bool {
    if case .line = subject { return true }
    return false
  }

  func isAbout(_ line: LineRule) -> Bool {
    if case .line(line) = subject { return true }
    return false
  }

  /// Whether the rule changes lines but removes none.
  package var isEdit: Bool {
    if case .line(.citations) = subject { return true }
    return false
  }

  /// `dropped_gopher_min_words`, `lines_removed_c4_javascript`.
  package var countName: CountName {
    let name = name.split(separator: "-").joined(separator: "_")
    switch subject {
    case .document: return CountName("dropped_\(name)")
    case .line(.citations): return .citationsRemoved
    case .line: return CountName("lines_removed_\(name)")
    }
  }

  package var threshold: Double? {
    switch bound {
    case .minimum(let value), .maximum(let value): value
    case .none: nil
    }
  }
}

extension FilterRule {
  /// All rules in the order of evaluation. The first one that a document fails is counted.
  package static let all: [FilterRule] = general + gopherRepetition + gopherQuality + mc4 + c4 + fineWeb

  private static func document(
    _ name: String, _ group: String, _ bound: Bound, _ measure: FilterMeasure, _ meaning: String
  ) -> FilterRule {
    FilterRule(name: name, group: group, bound: bound, meaning: meaning, subject: .document(measure))
  }

  private static func line(
    _ name: String, _ bound: Bound, _ rule: LineRule, _ meaning: String
  ) -> FilterRule {
    FilterRule(name: name, group: "c4", bound: bound, meaning: meaning, subject: .line(rule))
  }

  private static let general: [FilterRule] = [
    document("empty", "", .maximum(0), .isEmpty, "only white space (always on)"),
    document("url-blocklist", "", .maximum(0), .blockedURL, "the URL is on --url-blocklist"),
    document("min-words", "", .minimum(nil), .words, "words, punctuation not counted"),
    document("max-words", "", .maximum(nil), .words, "words, punctuation not counted"),
    document("min-chars", "", .minimum(nil), .characters, "characters (code points)"),
    document("max-chars", "", .maximum(nil), .characters, "characters (code points)"),
    document("min-lines", "", .minimum(nil), .lines, "lines, empty ones not counted"),
    document("max-lines", "", .maximum(nil), .lines, "lines, empty ones not counted"),
    document("blocklist", "", .maximum(0), .blockedPhrases, "occurrences of phrases on --blocklist"),
    document("language", "", .minimum(0.65), .languageScore, "score of the best of the languages to keep"),
    document("drop-language", "", .maximum(nil), .languageScore, "a language to drop reaches the threshold"),
  ]

  private static let gopherRepetition: [FilterRule] = {
    let group = "gopher-repetition"
    return [
      document(
        "gopher-duplicate-paragraphs", group, .maximum(0.3), .duplicateParagraphs,
        "share of paragraphs that repeat an earlier one"),
      document(
        "gopher-duplicate-paragraph-chars", group, .maximum(0.2), .duplicateParagraphCharacters,
        "share of characters in repeated paragraphs"),
      document(
        "gopher-duplicate-lines", group, .maximum(0.3), .duplicateLines,
        "share of lines that repeat an earlier one"),
      document(
        "gopher-duplicate-line-chars", group, .maximum(0.2), .duplicateLineCharacters,
        "share of characters in repeated lines"),
    ]
      + zip(2...4, [0.2, 0.18, 0.16]).map { n, threshold in
        document(
          "gopher-top-\(n)-gram", group, .maximum(threshold), .topNGram(n),
          "share of characters in the most frequent sequence of \(n) words")
      }
      + zip(5...10, [0.15, 0.14, 0.13, 0.12, 0.11, 0.1]).map { n, threshold in
        document(
          "gopher-duplicate-\(n)-grams", group, .maximum(threshold), .duplicateNGrams(n),
          "share of characters in repeated sequences of \(n) words")
      }
  }()

  private static let gopherQuality: [FilterRule] = {
    let group = "gopher-quality"
    return [
      document("gopher-min-words", group, .minimum(50), .words, "words, punctuation not counted"),
      document("gopher-max-words", group, .maximum(100_000), .words, "words, punctuation not counted"),
      document(
        "gopher-min-word-length", group, .minimum(3), .meanWordLength, "mean characters per word"),
      document(
        "gopher-max-word-length", group, .maximum(10), .meanWordLength, "mean characters per word"),
      document("gopher-hash-ratio", group, .maximum(0.1), .hashRatio, "# signs per word"),
      document("gopher-ellipsis-ratio", group, .maximum(0.1), .ellipsisRatio, "ellipses (... or …) per word"),
      document(
        "gopher-bullet-lines", group, .maximum(0.9), .bulletLines, "share of lines that start with • or -"),
      document(
        "gopher-ellipsis-lines", group, .maximum(0.3), .ellipsisLines,
        "share of lines that end in an ellipsis"),
      document(
        "gopher-alphabetic-words", group, .minimum(0.8), .alphabeticWords,
        "share of words with a letter, punctuation counted among the words"),
      document(
        "gopher-stop-words", group, .minimum(2), .stopWords,
        "how many of these occur: the be to of and that have with"),
    ]
  }()

  private static let mc4: [FilterRule] = [
    document("mc4-long-lines", "mc4", .minimum(3), .longLines, "lines of 200 characters or more")
  ]

  private static let c4: [FilterRule] = [
    line("c4-long-words", .maximum(1000), .longWords, "characters of the line's longest word"),
    line("c4-citations", .none, .citations, "removes [1], [edit] and [citation needed] from lines"),
    line(
      "c4-terminal-punctuation", .none, .terminalPunctuation,
      "lines must end in . ? ! \" or ', and not in ..."),
    line("c4-line-words", .minimum(3), .words, "words in a line, separated by white space"),
    line("c4-javascript", .none, .javascript, "lines must not mention javascript"),
    line(
      "c4-policy", .none, .policy,
      "lines must not mention terms of use, privacy or cookie policy, use of cookies"),
    document("c4-lorem-ipsum", "c4", .maximum(0), .loremIpsum, "lines with lorem ipsum"),
    document("c4-curly-brackets", "c4", .maximum(0), .curlyBrackets, "lines with {"),
    document("c4-sentences", "c4", .minimum(5), .sentences, "sentences in the lines that are kept"),
  ]

  private static let fineWeb: [FilterRule] = [
    document(
      "fineweb-terminal-lines", "fineweb", .minimum(0.12), .terminalLines,
      "share of lines that end in terminal punctuation of any script"),
    document(
      "fineweb-short-lines", "fineweb", .maximum(0.67), .shortLines,
      "share of lines of at most 30 characters"),
    document(
      "fineweb-duplicate-line-chars", "fineweb", .maximum(0.01), .duplicateCharactersOfLines,
      "share of characters in lines that repeat an earlier one"),
    document("fineweb-newline-ratio", "fineweb", .maximum(0.3), .newlineRatio, "line feeds per word"),
  ]
}
