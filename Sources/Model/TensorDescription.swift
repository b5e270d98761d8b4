/// Name, shape and first content of a tensor, before there is memory for it.
package struct TensorDescription: Sendable, Equatable {
  package let name: String
  package let shape: [Int]
  package let distribution: Distribution
  /// The memory whose value table this is.
  package var memoryIndex: Int?
  /// Whether the large products multiply with it.
  package var isOperand = false
  /// Kept in bfloat16 alone.
  package var isBF16 = false

  package var count: Int { shape.reduce(1, *) }

  init(
    _ name: String, _ shape: [Int], _ distribution: Distribution, memoryIndex: Int? = nil,
    isOperand: Bool = false, isBF16: Bool = false
  ) {
    self.isOperand = isOperand
    self.isBF16 = isBF16
    self.name = name
    self.shape = shape
    self.distribution = distribution
    self.memoryIndex = memoryIndex
  }
}
