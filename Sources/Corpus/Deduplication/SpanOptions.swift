package struct SpanOptions: Sendable, Equatable {
  package var unit: SpanUnit
  /// Units in the shortest span that is cut.
  package var length: Int
  /// Whether the first of equal spans stays, or none.
  package var keepsFirst: Bool
  /// Seed of the hashes; the result does not depend on it.
  package var seed: UInt64

  package init(unit: SpanUnit = .word, length: Int = 50, keepsFirst: Bool = true, seed: UInt64 = 1) {
    self.unit = unit
    self.length = length
    self.keepsFirst = keepsFirst
    self.seed = seed
  }
}
