import Support

/// Which languages stay.
package struct LanguageRule: Sendable {
  package let identifier: LanguageIdentifier
  /// Numbers of languages; none: every language of which the model is sure enough.
  let kept: [Int]
  let dropped: [Int]
  let threshold: Double

  package init(
    identifier: LanguageIdentifier, kept: [String], dropped: [String], threshold: Double
  ) throws {
    self.identifier = identifier
    self.threshold = threshold
    func numbers(_ names: [String]) throws -> [Int] {
      try names.map { name in
        if let number = identifier.languages.firstIndex(of: name) { return number }
        let known = identifier.languages.sorted().prefix(200).joined(separator: " ")
        throw Failure(
          .usage, "the language model has no label \"\(name)\"", remedy: "Its labels are: \(known)")
      }
    }
    self.kept = try numbers(kept)
    self.dropped = try numbers(dropped)
  }

  /// What the rules ask about a text.
  struct Answer {
    /// nil: the model knows nothing in the text.
    var best: LanguageIdentifier.Guess?
    /// The highest score of a language to keep, and of one to drop.
    var kept = 0.0
    var dropped = 0.0
  }

  func answer(_ text: UnsafeRawBufferPointer) -> Answer {
    // Scores sum up to one: above a half only the best can reach the threshold.
    let count = threshold > 0.5 || kept.isEmpty && dropped.isEmpty ? 1 : identifier.languages.count
    let guesses = identifier.guesses(text, count: count)
    func highest(_ languages: [Int]) -> Double {
      guesses.first { languages.contains($0.language) }?.score ?? 0
    }
    return Answer(
      best: guesses.first, kept: kept.isEmpty ? guesses.first?.score ?? 0 : highest(kept),
      dropped: highest(dropped))
  }
}
