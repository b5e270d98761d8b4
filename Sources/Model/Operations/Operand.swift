import CModelKernels

/// A matrix in the form that products take it: its numbers themselves or, in half precision, bfloat16 in 16 bits each.
///
/// Where operands are the numbers themselves, what makes one of a matrix works in place: both are the same memory.
package struct Operand<Scalar: Real> {
  package let pointer: UnsafeMutableRawPointer
  package let rows, columns: Int
  /// Elements from row to row.
  package let stride: Int
  /// bfloat16.
  package let isBF16: Bool

  package init(
    _ pointer: UnsafeMutableRawPointer, rows: Int, columns: Int, stride: Int? = nil, isBF16: Bool
  ) {
    (self.pointer, self.rows, self.columns, self.isBF16) = (pointer, rows, columns, isBF16)
    self.stride = stride ?? columns
  }

  /// The numbers of `matrix` as they are, whatever the precision.
  package init(_ matrix: Matrix<Scalar>) {
    self.init(
      matrix.pointer, rows: matrix.rows, columns: matrix.columns, stride: matrix.stride, isBF16: false)
  }

  package var elementBytes: Int { isBF16 ? 2 : MemoryLayout<Scalar>.stride }
  package var isDense: Bool { stride == columns }
  package var count: Int { rows * columns }

  package func rows(_ range: Range<Int>) -> Operand {
    Operand(
      pointer + range.lowerBound * stride * elementBytes, rows: range.count, columns: columns, stride: stride,
      isBF16: isBF16)
  }

  package func columns(_ range: Range<Int>) -> Operand {
    Operand(
      pointer + range.lowerBound * elementBytes, rows: rows, columns: range.count, stride: stride,
      isBF16: isBF16)
  }

  /// A dense matrix in the same memory, `first` elements after its start.
  package func part(from first: Int, rows: Int, columns: Int) -> Operand {
    Operand(pointer + first * elementBytes, rows: rows, columns: columns, isBF16: isBF16)
  }

  /// Where numbers are computed that are to become this operand: in place or, for half precision, at the start of
  /// `space`.
  package func source(_ space: Matrix<Scalar>) -> Matrix<Scalar> {
    reals ?? Matrix(space.pointer, rows: rows, columns: columns)
  }

  /// The numbers themselves, unless they are bfloat16.
  package var reals: Matrix<Scalar>? {
    isBF16
      ? nil
      : Matrix(pointer.assumingMemoryBound(to: Scalar.self), rows: rows, columns: columns, stride: stride)
  }

  /// Where it lies, for kernels that fetch it.
  var place: output_tile {
    output_tile(start: pointer, row: stride * elementBytes, element: elementBytes)
  }

  /// Where kernels write bfloat16 beside reals; nil where the reals are the operand.
  var bf16Pointer: UnsafeMutableRawPointer? { isBF16 ? pointer : nil }
}
