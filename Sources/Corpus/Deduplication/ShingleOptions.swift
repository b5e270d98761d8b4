/// What two documents are compared by: runs of consecutive words or characters of their comparison keys.
package struct ShingleOptions: Sendable, Equatable, Codable {
  package enum Unit: String, Sendable, CaseIterable, Codable { case word, character }

  package var unit: Unit
  /// The number of units in a shingle.
  package var length: Int
  package var seed: UInt64
  /// What the comparison keys keep.
  package var keep: KeptDetails

  package init(unit: Unit = .word, length: Int = 5, seed: UInt64 = 1, keep: KeptDetails = []) {
    self.unit = unit
    self.length = length
    self.seed = seed
    self.keep = keep
  }
}
