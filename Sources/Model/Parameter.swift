/// A named tensor of the model, a view into its arena.
package struct Parameter<Scalar: Real> {
  /// How its gradient is kept and which optimizer updates it.
  package enum Role: Equatable, Sendable {
    /// With a gradient of its own shape.
    case dense
    /// The value table of the memory with this index, whose gradient is a list of touched rows.
    case memoryValues(Int)
  }

  /// Dotted path, as in checkpoints: `blocks.1.memory.values`, blocks counted from 0.
  package let name: String
  package let shape: [Int]
  package let role: Role
  /// Its numbers; empty where they are kept in bfloat16 alone.
  package let value: UnsafeMutableBufferPointer<Scalar>
  /// Its numbers in the form that they are kept in.
  package let stored: Operand<Scalar>
  /// Nil for value tables and in models made without training.
  package let gradient: UnsafeMutableBufferPointer<Scalar>?
  /// What products multiply, nil for tensors that enter none.
  ///
  /// In half precision it is a copy, to be kept up to date, unless products round it as they pack it.
  package let operand: Operand<Scalar>?

  package var count: Int { shape.reduce(1, *) }
  /// As a checkpoint keeps it.
  package var bytes: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: stored.pointer, count: count * stored.elementBytes)
  }

  /// The last dimension is the columns, all before it are rows.
  package var matrix: Matrix<Scalar> { Parameter.matrix(value, shape) }
  package var gradientMatrix: Matrix<Scalar>? { gradient.map { Parameter.matrix($0, shape) } }

  static func matrix(_ buffer: UnsafeMutableBufferPointer<Scalar>, _ shape: [Int]) -> Matrix<
    Scalar
  > {
    Matrix(buffer.baseAddress!, rows: shape.dropLast().reduce(1, *), columns: shape.last!)
  }
}
