import CModelKernels

/// The columns of a right operand as the products of many rows take them.
struct Panels<Scalar: Real> {
  fileprivate let packed: UnsafePointer<Scalar>
  /// Numbers of k, and words that hold them.
  fileprivate let depth, words: Int
  fileprivate let isBF16: Bool
}

/// GEMMFunctions of many rows by our own kernel, which wants the right operand packed.
extension CPUOperations {
  /// Rows and columns of one piece of a product, which stays in a core's cache with what it is made of: whole blocks of the
  /// kernel's, and so small that the threads end together.
  private var pieceRows: Int { 54 }
  private var pieceColumns: Int { 512 }

  /// Whether products of `a`, or of its transpose, are made this way: packing has to be worth its while.
  func packs(_ a: Operand<Scalar>, transposed: Bool = false) -> Bool {
    let inner = transposed ? a.rows : a.columns
    return a.rows >= 128 && gemms.packs && (!a.isBF16 || gemms.packsBF16 && inner % 2 == 0)
  }

  /// Packs all columns of op(b), in memory that the next call overwrites, for products of `isBF16` left operands.
  func panels(_ b: Operand<Scalar>, transposed: Bool, isBF16: Bool) -> Panels<Scalar> {
    let kernels = kernels
    let (columns, depth) = transposed ? (b.rows, b.columns) : (b.columns, b.rows)
    let words = isBF16 ? depth / 2 : depth, width = Int(PKM_PANEL_COLUMNS)
    let count = (columns + width - 1) / width
    let packed = packing.shared(Scalar.self, count * width * words)
    // Pieces of what lies together in b: some of its rows.
    let pieces = transposed ? count : words, together = transposed ? 4 : 64
    let pack = transposed ? kernels.pack_panels_nt : kernels.pack_panels_nn
    pool.forEach((pieces + together - 1) / together) { index, _ in
      let first = index * together
      pack!(
        first, min(first + together, pieces), columns, depth, b.pointer, b.stride, packed,
        isBF16 && !b.isBF16,
        isBF16)
    }
    return Panels(packed: packed, depth: depth, words: words, isBF16: isBF16)
  }

  /// Hands on factor · a · panels piece by piece; `columns` are those of the panels in the product.
  ///
  /// `place` is what `body` reads or writes at the same rows and columns, which is fetched meanwhile.
  func forTiles(
    of a: Operand<Scalar>, panels: Panels<Scalar>, columns: Range<Int>, factor: Double = 1,
    place: Operand<Scalar>? = nil,
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
      let first = columns.lowerBound + column, taken = first..<first + width
      kernels.gemm_panels(
        rows.count, width, panels.depth, factor, a.rows(rows).pointer, a.stride,
        panels.packed + column * panels.words, product.pointer, width,
        place?.rows(rows).columns(taken).outputTile ?? pkm_output_tile(), panels.isBF16)
      body(product, rows, taken)
    }
  }

  /// c (+)= factor · aᵀ b, and `sums` += factor · the sums of a's columns, where they are wanted.
  ///
  /// For operands of which ``packs(_:transposed:)`` is true.
  func transposedMatmul(
    of a: Operand<Scalar>, _ b: Operand<Scalar>, factor: Double, into c: Matrix<Scalar>, adding: Bool,
    sums: Vector<Scalar>?
  ) {
    // So many rows and columns of b that they stay in the cache that the cores share.
    let most = a.isBF16 ? 4096 : 2048, parts = (b.columns + 1023) / 1024
    let width = ((b.columns + parts - 1) / parts + 63) / 64 * 64
    for first in stride(from: 0, to: a.rows, by: most) {
      let rows = first..<min(first + most, a.rows)
      for column in stride(from: 0, to: b.columns, by: width) {
        let columns = column..<min(column + width, b.columns)
        transposedMatmul(
          of: a.rows(rows),
          panels: panels(b.rows(rows).columns(columns), transposed: false, isBF16: a.isBF16), factor: factor,
          into: c.columns(columns), adding: adding || first > 0, sums: column == 0 ? sums : nil)
      }
    }
  }

  private func transposedMatmul(
    of a: Operand<Scalar>, panels: Panels<Scalar>, factor: Double, into c: Matrix<Scalar>, adding: Bool,
    sums: Vector<Scalar>?
  ) {
    let kernels = kernels, piece = Int(PKM_GEMM_TN_COLUMNS), half = piece / 2
    let spaces = scratch.perWorker(Scalar.self, Int(PKM_GEMM_TN_BUFFER_GROUPS), workers: pool.threads)
    // Pieces of one size, and the last four by halves, so that the threads end together.
    let large = max(0, (a.columns + piece - 1) / piece - 4)
    let small = (a.columns - large * piece + half - 1) / half
    pool.forEach(large + small) { index, worker in
      let first = index < large ? index * piece : (large + index) * half
      let columns = first..<min(first + (index < large ? piece : half), a.columns), part = c.rows(columns)
      kernels.gemm_tn(
        columns.count, c.columns, panels.depth, factor, a.columns(columns).pointer, a.stride, panels.packed,
        adding, part.pointer, c.stride, sums?[columns].pointer, spaces.base + worker * spaces.stride,
        panels.isBF16)
    }
  }
}
