/// A matrix in the form that matmuls take it: its numbers themselves or, in bf16, rounded to 16 bits each.
///
/// Where operands are the numbers themselves, an operand and its matrix are the same memory, and operations that turn one
/// into the other work in place.
package struct Operand<Scalar: Real>: Sendable {
  package let address: DeviceAddress
  package let rows, columns: Int
  /// Elements from row to row.
  package let stride: Int
  package let isBF16: Bool

  package init(_ address: DeviceAddress, rows: Int, columns: Int, stride: Int? = nil, isBF16: Bool) {
    (self.address, self.rows, self.columns, self.isBF16) = (address, rows, columns, isBF16)
    self.stride = stride ?? columns
  }

  /// The numbers of `matrix` as they are, whatever the precision.
  package init(_ matrix: Matrix<Scalar>) {
    self.init(
      matrix.address, rows: matrix.rows, columns: matrix.columns, stride: matrix.stride, isBF16: false)
  }

  package var elementBytes: Int { isBF16 ? 2 : MemoryLayout<Scalar>.stride }
  package var isDense: Bool { stride == columns }
  package var count: Int { rows * columns }
  package var byteCount: Int { count * elementBytes }

  package func address(ofByte offset: Int) -> DeviceAddress { address.advanced(by: offset) }

  package func rows(_ range: Range<Int>) -> Operand {
    Operand(
      address.advanced(by: range.lowerBound * stride * elementBytes), rows: range.count, columns: columns,
      stride: stride, isBF16: isBF16)
  }

  package func columns(_ range: Range<Int>) -> Operand {
    Operand(
      address.advanced(by: range.lowerBound * elementBytes), rows: rows, columns: range.count,
      stride: stride, isBF16: isBF16)
  }

  /// The numbers themselves, unless they are bf16.
  package var reals: Matrix<Scalar>? {
    isBF16 ? nil : Matrix(address, rows: rows, columns: columns, stride: stride)
  }
}
