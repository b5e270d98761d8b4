/// A row-major view of numbers in device memory: `rows` × `columns`, rows `stride` elements apart.
package struct Matrix<Scalar: Real>: Sendable {
  package let address: DeviceAddress
  package let rows: Int
  package let columns: Int
  package let stride: Int

  package init(_ address: DeviceAddress, rows: Int, columns: Int, stride: Int? = nil) {
    self.address = address
    self.rows = rows
    self.columns = columns
    self.stride = stride ?? columns
  }

  /// Whether rows follow each other without a gap.
  package var isDense: Bool { stride == columns }
  package var count: Int { rows * columns }

  package func rows(_ range: Range<Int>) -> Matrix {
    Matrix(
      address.advanced(by: range.lowerBound * stride * MemoryLayout<Scalar>.stride), rows: range.count,
      columns: columns, stride: stride)
  }

  package func columns(_ range: Range<Int>) -> Matrix {
    Matrix(
      address.advanced(by: range.lowerBound * MemoryLayout<Scalar>.stride), rows: rows,
      columns: range.count, stride: stride)
  }

  /// All elements of a dense matrix in order.
  package var elements: Vector<Scalar> {
    precondition(isDense)
    return Vector(address, count: count)
  }
}
