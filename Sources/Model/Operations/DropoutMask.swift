/// Decides by counter which elements dropout keeps, so that no mask is stored: element i survives where a hash of
/// (key, i) says so.
package struct DropoutMask: Sendable, Equatable {
  package let key: UInt64
  package let probability: Double

  package static let none = DropoutMask(key: 0, probability: 0)

  package init(key: UInt64, probability: Double) {
    self.key = key
    self.probability = probability
  }
}
