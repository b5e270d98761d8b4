package struct SpanOptions: Sendable, Equatable {
  package var unit: SpanUnit
  /// The number of units in the shortest span that is removed.
  package var length: Int
  /// Whether the first of equal spans is kept, or none.
  package var keepsFirst: Bool
  /// The seed of the hashes. The result does not depend on it.
  package var seed: UInt64

  package init(unit: SpanUnit = .word, length: Int = 50, keepsFirst: Bool = true, seed: UInt64 = 1) {
    self.unit = unit
    self.length = length
    self.keepsFirst = keepsFirst
    self.seed = seed
  }
}
