extension CPUOperations {
  package func multiply(
    _ a: Matrix<Scalar>, transposed transposesA: Bool, _ b: Matrix<Scalar>, transposed transposesB: Bool,
    factor: Double, into c: Matrix<Scalar>, adding: Bool
  ) {
    let inner = transposesA ? a.rows : a.columns
    precondition(
      (transposesA ? a.columns : a.rows) == c.rows && (transposesB ? b.rows : b.columns) == c.columns)
    precondition((transposesB ? b.columns : b.rows) == inner)
    let gemm = products.rounded, bytes = products.operandBytes
    let (a, b) = rounded(a, b)
    let tile = ProductTile(rows: c.rows, columns: c.columns, inner: inner)
    let down = (c.rows + tile.rows - 1) / tile.rows
    let across = (c.columns + tile.columns - 1) / tile.columns
    pool.forEach(down * across) { index, _ in
      let row = index / across * tile.rows, column = index % across * tile.columns
      gemm(
        transposesA, transposesB, min(tile.rows, c.rows - row), min(tile.columns, c.columns - column), inner,
        factor, a.pointer + (transposesA ? row : row * a.stride) * bytes, a.stride,
        b.pointer + (transposesB ? column * b.stride : column) * bytes, b.stride, adding ? 1 : 0,
        c.pointer + row * c.stride + column, c.stride)
    }
  }

  /// Both operands as a product takes them.
  private func rounded(_ a: Matrix<Scalar>, _ b: Matrix<Scalar>) -> (Operand, Operand) {
    guard let rounding = products.rounding else {
      return (Operand(a.pointer, stride: a.stride), Operand(b.pointer, stride: b.stride))
    }
    let space = scratch.shared(UInt8.self, (a.count + b.count) * rounding.bytes + 64)
    let second = UnsafeMutableRawPointer(space) + (a.count * rounding.bytes + 63) / 64 * 64
    for (matrix, target) in [(a, UnsafeMutableRawPointer(space)), (b, second)] {
      forRows(matrix.rows, width: matrix.columns) {
        rounding.kernel(
          $0.count, matrix.columns, matrix.rows($0).pointer, matrix.stride,
          target + $0.lowerBound * matrix.columns * rounding.bytes, matrix.columns)
      }
    }
    return (Operand(space, stride: a.columns), Operand(second, stride: b.columns))
  }
}

/// A matrix as a product takes it, rows `stride` elements apart; how large an element is depends on the products.
struct Operand {
  let pointer: UnsafeRawPointer
  let stride: Int

  init(_ pointer: UnsafeRawPointer, stride: Int) {
    self.pointer = pointer
    self.stride = stride
  }
}

extension Products {
  /// Of an element of an operand.
  var operandBytes: Int { rounding?.bytes ?? MemoryLayout<Scalar>.stride }

  /// x itself, or x rounded into `space`, on the calling thread.
  func operand(
    _ x: UnsafePointer<Scalar>, rows: Int, columns: Int, stride: Int, in space: UnsafeMutableRawPointer
  ) -> Operand {
    guard let rounding else { return Operand(x, stride: stride) }
    rounding.kernel(rows, columns, x, stride, space, columns)
    return Operand(space, stride: columns)
  }

  /// The rows of an operand from `row` on.
  func rows(of operand: Operand, from row: Int) -> UnsafeRawPointer {
    operand.pointer + row * operand.stride * operandBytes
  }
}

/// The part of a product that one task computes: a function of the shape alone.
struct ProductTile {
  var rows: Int
  var columns: Int

  /// Halves the longer side until there are enough tiles to share out.
  ///
  /// That is 8, or as many as keep a tile near 512 × 512; but none goes below some 100 microseconds of work, because
  /// small ones spend their time packing operands.
  init(rows: Int, columns: Int, inner: Int) {
    var down = 1, across = 1
    self.rows = rows
    self.columns = columns
    while self.rows * self.columns * inner > 1 << 24,
      down * across < 8 || (down * across < 64 && self.rows * self.columns > 1 << 18)
    {
      if self.rows >= self.columns { down *= 2 } else { across *= 2 }
      self.rows = ((rows + down - 1) / down + 15) / 16 * 16
      self.columns = ((columns + across - 1) / across + 15) / 16 * 16
    }
  }
}
