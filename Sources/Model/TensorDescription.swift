/// Name, shape and initial distribution of a tensor, before it has memory.
package struct TensorDescription: Sendable, Equatable {
  package let name: String
  package let shape: [Int]
  package let distribution: Distribution
  /// The index of the memory, if this is its value table.
  package var memoryIndex: Int?
  /// Whether matmuls multiply with it.
  package var isOperand = false
  /// Whether it is stored in bf16 alone.
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
