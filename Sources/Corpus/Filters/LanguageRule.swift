import Support

/// Which languages to keep.
package struct LanguageRule: Sendable {
  package let identifier: LanguageIdentifier
  /// The indices of the languages to keep. If empty, every language is kept whose score reaches the
  /// threshold.
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

  /// What the rules need to know about a text.
  struct Answer {
    /// nil if the model knows no word of the text.
    var best: LanguageIdentifier.Guess?
    /// The highest score of a language to keep, and of a language to drop.
    var kept = 0.0
    var dropped = 0.0
  }

  func answer(_ text: UnsafeRawBufferPointer) -> Answer {
    // Scores add up to one, so with a threshold above one half only the best language can reach it.
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
