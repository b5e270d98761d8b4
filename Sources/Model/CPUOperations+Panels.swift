import CKernels

/// The columns of a right operand as the products of many rows take them.
struct Panels<Scalar: Real> {
  fileprivate let packed: UnsafePointer<Scalar>
  /// Numbers of k, and words that hold them.
  fileprivate let depth, words: Int
  fileprivate let isHalf: Bool
}

/// Products of many rows by our own kernel, which wants the right operand packed.
extension CPUOperations {
  /// Rows and columns of one piece of a product, which stays in a core's cache with what it is made of.
  private var pieceRows: Int { 126 }
  private var pieceColumns: Int { 512 }

  /// Whether products of `a` are made this way: packing has to be worth its while.
  func packs(_ a: Operand<Scalar>) -> Bool {
    a.rows >= 128 && products.packs && (!a.isHalf || products.packsHalf && a.columns % 2 == 0)
  }

  /// Packs all columns of op(b), in memory that the next call overwrites.
  func panels(_ b: Operand<Scalar>, transposed: Bool) -> Panels<Scalar> {
    let kernels = kernels
    let (columns, depth) = transposed ? (b.rows, b.columns) : (b.columns, b.rows)
    let words = b.isHalf ? depth / 2 : depth, width = Int(PKM_PANEL_COLUMNS)
    let count = (columns + width - 1) / width, together = 4
    let packed = packing.shared(Scalar.self, count * width * words)
    pool.forEach((count + together - 1) / together) { index, _ in
      let first = index * together
      kernels.pack_panels(
        transposed, first, min(first + together, count), columns, depth, b.pointer, b.stride,
        packed + first * width * words, b.isHalf)
    }
    return Panels(packed: packed, depth: depth, words: words, isHalf: b.isHalf)
  }

  /// Hands on factor · a · panels piece by piece; `columns` are those of the panels in the product.
  func forTiles(
    of a: Operand<Scalar>, panels: Panels<Scalar>, columns: Range<Int>, factor: Double = 1,
    _ body: (_ product: Matrix<Scalar>, _ rows: Range<Int>, _ columns: Range<Int>) -> Void
  ) {
    let kernels = kernels, pieceRows = pieceRows, pieceColumns = pieceColumns
    let spaces = scratch.perWorker(Scalar.self, pieceRows * pieceColumns, workers: pool.threads)
    let down = (a.rows + pieceRows - 1) / pieceRows,
      across = (columns.count + pieceColumns - 1) / pieceColumns
    // Pieces of the same columns follow each other, so that the cores read the same panels.
    pool.forEach(down * across) { index, worker in
      let row = index % down * pieceRows, column = index / down * pieceColumns
      let rows = row..<min(row + pieceRows, a.rows), width = min(pieceColumns, columns.count - column)
      let product = Matrix(spaces.base + worker * spaces.stride, rows: rows.count, columns: width)
      kernels.multiply_panels(
        rows.count, width, panels.depth, factor, a.rows(rows).pointer, a.stride,
        panels.packed + column * panels.words, product.pointer, width, panels.isHalf)
      let first = columns.lowerBound + column
      body(product, rows, first..<first + width)
    }
  }
}
