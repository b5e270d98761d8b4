/// Receives the words of a text in order.
protocol WordVisitor {
  /// Returns whether to continue.
  mutating func visit(_ word: ScannedWord) -> Bool
}
