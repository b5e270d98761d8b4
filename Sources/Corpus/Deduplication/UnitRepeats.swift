/// Which units of a batch came before, and where.
package struct UnitRepeats: Sendable {
  /// Of each unit.
  package var isRepeat: [Bool]
  /// Of each that is, where it came first; empty where that is not remembered.
  package var firsts: [DocumentLocation] = []
}
