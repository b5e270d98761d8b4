/// A row-major view of numbers owned by an ``Arena``: `rows` × `columns`, rows `stride` elements apart.
package struct Matrix<Scalar: Real> {
  package let pointer: UnsafeMutablePointer<Scalar>
  package let rows: Int
  package let columns: Int
  package let stride: Int

  package init(_ pointer: UnsafeMutablePointer<Scalar>, rows: Int, columns: Int, stride: Int? = nil) {
    self.pointer = pointer
    self.rows = rows
    self.columns = columns
    self.stride = stride ?? columns
  }

  /// Rows follow each other without a gap.
  package var isDense: Bool { stride == columns }
  package var count: Int { rows * columns }

  package func rows(_ range: Range<Int>) -> Matrix {
    Matrix(pointer + range.lowerBound * stride, rows: range.count, columns: columns, stride: stride)
  }

  package func columns(_ range: Range<Int>) -> Matrix {
    Matrix(pointer + range.lowerBound, rows: rows, columns: range.count, stride: stride)
  }
}

extension Matrix {
  /// All elements of a dense matrix in order.
  package var elements: Vector<Scalar> {
    precondition(isDense)
    return Vector(pointer, count: count)
  }
}
