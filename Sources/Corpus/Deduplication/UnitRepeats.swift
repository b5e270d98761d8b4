/// Which units of a batch occurred before, and where.
package struct UnitRepeats: Sendable {
  /// For each unit, whether it is a repeat.
  package var isRepeat: [Bool]
  /// For each repeat, its first occurrence; empty if locations are not remembered.
  package var firsts: [DocumentLocation] = []
}
