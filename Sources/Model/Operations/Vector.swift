/// A view of consecutive numbers in device memory.
package struct Vector<Scalar: Real>: Sendable {
  package let address: DeviceAddress
  package let count: Int

  package init(_ address: DeviceAddress, count: Int) { (self.address, self.count) = (address, count) }

  package subscript(_ range: Range<Int>) -> Vector {
    Vector(address.advanced(by: range.lowerBound * MemoryLayout<Scalar>.stride), count: range.count)
  }

  /// The same numbers as a dense matrix.
  package func matrix(rows: Int, columns: Int) -> Matrix<Scalar> {
    precondition(rows * columns == count)
    return Matrix(address, rows: rows, columns: columns)
  }
}
