import CKernels

/// A matrix in the form that products take it: its numbers themselves or, in half precision, bfloat16 in 16 bits each.
///
/// Where operands are the numbers themselves, what makes one of a matrix works in place: both are the same memory.
package struct Operand<Scalar: Real> {
  package let pointer: UnsafeMutableRawPointer
  package let rows, columns: Int
  /// Elements from row to row.
  package let stride: Int
  /// bfloat16.
  package let isHalf: Bool

  package init(
    _ pointer: UnsafeMutableRawPointer, rows: Int, columns: Int, stride: Int? = nil, isHalf: Bool
  ) {
    (self.pointer, self.rows, self.columns, self.isHalf) = (pointer, rows, columns, isHalf)
    self.stride = stride ?? columns
  }

  /// The numbers of `matrix` as they are, whatever the precision.
  package init(_ matrix: Matrix<Scalar>) {
    self.init(
      matrix.pointer, rows: matrix.rows, columns: matrix.columns, stride: matrix.stride, isHalf: false)
  }

  package var elementBytes: Int { isHalf ? 2 : MemoryLayout<Scalar>.stride }
  package var isDense: Bool { stride == columns }
  package var count: Int { rows * columns }

  package func rows(_ range: Range<Int>) -> Operand {
    Operand(
      pointer + range.lowerBound * stride * elementBytes, rows: range.count, columns: columns, stride: stride,
      isHalf: isHalf)
  }

  package func columns(_ range: Range<Int>) -> Operand {
    Operand(
      pointer + range.lowerBound * elementBytes, rows: rows, columns: range.count, stride: stride,
      isHalf: isHalf)
  }

  /// A dense matrix in the same memory, `first` elements after its start.
  package func part(from first: Int, rows: Int, columns: Int) -> Operand {
    Operand(pointer + first * elementBytes, rows: rows, columns: columns, isHalf: isHalf)
  }

  /// Where numbers are computed that are to become this operand: in place or, for half precision, at the start of
  /// `space`.
  package func source(_ space: Matrix<Scalar>) -> Matrix<Scalar> {
    reals ?? Matrix(space.pointer, rows: rows, columns: columns)
  }

  /// The numbers themselves, unless they are bfloat16.
  package var reals: Matrix<Scalar>? {
    isHalf
      ? nil
      : Matrix(pointer.assumingMemoryBound(to: Scalar.self), rows: rows, columns: columns, stride: stride)
  }

  /// Where it lies, for kernels that fetch it.
  var place: result_place {
    result_place(start: pointer, row: stride * elementBytes, element: elementBytes)
  }

  /// Where kernels write bfloat16 beside reals; nil where the reals are the operand.
  var halfPointer: UnsafeMutableRawPointer? { isHalf ? pointer : nil }
}

/// Numbers and their form as an operand; the same memory where operands are the numbers themselves.
package struct Twin<Scalar: Real> {
  package let real: Matrix<Scalar>
  package let operand: Operand<Scalar>

  package init(real: Matrix<Scalar>, operand: Operand<Scalar>) {
    (self.real, self.operand) = (real, operand)
  }

  package func rows(_ range: Range<Int>) -> Twin {
    Twin(real: real.rows(range), operand: operand.rows(range))
  }
}

extension ArenaPlan {
  package mutating func operand<T: Real>(_ rows: Int, _ columns: Int, isHalf: Bool) -> Operand<T> {
    if isHalf {
      return Operand(take(UInt16.self, rows * columns), rows: rows, columns: columns, isHalf: true)
    }
    return Operand(matrix(rows, columns))
  }

  package mutating func twin<T: Real>(_ rows: Int, _ columns: Int, isHalf: Bool) -> Twin<T> {
    twin(matrix(rows, columns), isHalf: isHalf)
  }

  package mutating func twin<T: Real>(_ matrix: Matrix<T>, isHalf: Bool) -> Twin<T> {
    Twin(
      real: matrix,
      operand: isHalf ? operand(matrix.rows, matrix.columns, isHalf: true) : Operand(matrix))
  }
}
