extension CPUOperations {
  package func multiply(
    _ a: Operand<Scalar>, transposed transposesA: Bool, _ b: Operand<Scalar>, transposed transposesB: Bool,
    factor: Double, into c: Matrix<Scalar>, adding: Bool
  ) {
    let inner = transposesA ? a.rows : a.columns
    precondition(
      (transposesA ? a.columns : a.rows) == c.rows && (transposesB ? b.rows : b.columns) == c.columns)
    precondition((transposesB ? b.columns : b.rows) == inner && a.isHalf == b.isHalf)
    if c.rows <= Self.fewRows && !transposesA && transposesB && factor == 1 && !adding {
      return multiplyFew(a, b, into: c)
    }
    let (a, b) = a.isHalf && !products.isHalfNative ? widened(a, b) : (a, b)
    let gemm = products.gemm(isHalf: a.isHalf), bytes = a.elementBytes
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

  /// At most so many rows, those of generation, are multiplied with b as it lies in memory: 32 floats, and half as many
  /// doubles.
  private static var fewRows: Int { 128 / MemoryLayout<Scalar>.stride }

  // c = a bᵀ. Of the rows of a, a is packed; b is read once, and not packed.
  private func multiplyFew(_ a: Operand<Scalar>, _ b: Operand<Scalar>, into c: Matrix<Scalar>) {
    let kernels = kernels
    var packed: UnsafeMutablePointer<Scalar>?
    if a.rows > 1 {
      let words = a.isHalf ? (a.columns + 1) / 2 : a.columns, block = 512
      let space = scratch.shared(Scalar.self, Self.fewRows * words)
      pool.forEach((words + block - 1) / block) { index, _ in
        kernels.pack_few(
          a.rows, a.columns, index * block, min((index + 1) * block, words), a.pointer, a.stride, space,
          a.isHalf)
      }
      packed = space
    }
    // At least 128 KiB of floats a task, and whole blocks of the kernel's.
    let block = max(24, (1 << 15) / max(b.columns, 1) / 24 * 24)
    pool.forEach((b.rows + block - 1) / block) { index, _ in
      let part = index * block..<min((index + 1) * block, b.rows)
      let rows = b.rows(part).pointer, out = c.pointer + part.lowerBound
      if let packed {
        kernels.product_few(a.rows, part.count, a.columns, packed, rows, b.stride, out, c.stride, a.isHalf)
      } else {
        kernels.product_row(part.count, a.columns, a.pointer, rows, b.stride, out, a.isHalf)
      }
    }
  }

  /// Both operands as reals, for libraries and processors without products of bfloat16.
  private func widened(_ a: Operand<Scalar>, _ b: Operand<Scalar>) -> (Operand<Scalar>, Operand<Scalar>) {
    let kernels = kernels
    let space = scratch.shared(Scalar.self, a.count + b.count)
    let wide = (
      Matrix(space, rows: a.rows, columns: a.columns),
      Matrix(space + a.count, rows: b.rows, columns: b.columns)
    )
    for (half, real) in [(a, wide.0), (b, wide.1)] {
      forRows(half.rows, width: half.columns) {
        kernels.from_operand(
          $0.count, half.columns, half.rows($0).pointer, half.stride, real.rows($0).pointer, real.stride)
      }
    }
    return (Operand(wide.0), Operand(wide.1))
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
