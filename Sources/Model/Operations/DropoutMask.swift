/// Decides which elements dropout keeps by a hash of (key, index), so that no mask is stored.
package struct DropoutMask: Sendable, Equatable {
  package let key: UInt64
  package let probability: Double

  package static let none = DropoutMask(key: 0, probability: 0)

  package init(key: UInt64, probability: Double) {
    self.key = key
    self.probability = probability
  }
}
