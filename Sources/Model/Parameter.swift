/// A named tensor of the model, a view of its arena.
package struct Parameter<Scalar: Real>: Sendable {
  /// How its gradient is stored and which optimizer updates it.
  package enum Role: Equatable, Sendable {
    /// Its gradient has its shape.
    case dense
    /// It is the value table of the memory with this index; its gradient is a list of reads.
    case memoryValues(Int)
  }

  /// A dotted path, as in checkpoints: `blocks.1.memory.values`, blocks counted from 0.
  package let name: String
  package let shape: [Int]
  package let role: Role
  /// Its numbers; empty if they are stored in bf16 alone.
  package let value: Vector<Scalar>
  /// Its numbers as they are stored: in checkpoints, too.
  package let stored: Operand<Scalar>
  /// Nil for value tables and in models made without training.
  package let gradient: Vector<Scalar>?
  /// What matmuls multiply; nil for tensors that no matmul reads.
  ///
  /// In bf16 it is a copy that must be kept up to date, unless the device rounds weights while it multiplies.
  package let operand: Operand<Scalar>?

  package var count: Int { shape.reduce(1, *) }

  /// The last dimension is the columns, all before it are rows.
  package var matrix: Matrix<Scalar> { value.matrix(rows: count / shape.last!, columns: shape.last!) }
  package var gradientMatrix: Matrix<Scalar>? {
    gradient?.matrix(rows: count / shape.last!, columns: shape.last!)
  }
}
