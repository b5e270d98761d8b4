/// Is shown the words of a text in order.
protocol WordVisitor {
  /// Whether to go on.
  mutating func visit(_ word: ScannedWord) -> Bool
}
