import CModelKernels

/// A right operand, packed in panels of columns for GEMM of many rows.
struct Panels<Scalar: Real> {
  fileprivate let packed: UnsafePointer<Scalar>
  /// The numbers of k, and the groups that hold them (see the kernels).
  fileprivate let depth, groups: Int
  fileprivate let isBF16: Bool
}

/// GEMM of many rows by our own kernel, which takes the right operand packed.
extension CPUOperations {
  /// The size of an output tile: it stays in the cache of a core together with its operands, holds whole
  /// blocks of the kernel, and is small enough for the threads to end together. Cores with a matrix unit have
  /// larger caches, and more rows read the panels less often.
  private func packedTile(isBF16: Bool) -> OutputTile {
    OutputTile(rows: isBF16 && gemms.hasTiles ? 128 : 54, columns: 512)
  }

  /// Whether matmuls of `a`, or of its transpose, pack the right operand: only many rows make up for it.
  func packs(_ a: Operand<Scalar>, transposed: Bool = false) -> Bool {
    let inner = transposed ? a.rows : a.columns
    return a.rows >= 128 && gemms.packs && (!a.isBF16 || gemms.packsBF16 && inner % 2 == 0)
  }

  /// Packs all columns of op(b) for left operands of a precision, and calls `body` with the panels.
  func withPanels<Result>(
    _ b: Operand<Scalar>, transposed: Bool, isBF16: Bool, _ body: (Panels<Scalar>) -> Result
  ) -> Result {
    let kernels = kernels
    let (columns, depth) = transposed ? (b.rows, b.columns) : (b.columns, b.rows)
    let groups = isBF16 ? depth / 2 : depth, width = Int(PKM_PANEL_COLUMNS)
    let count = (columns + width - 1) / width
    return scratch.withBuffer(of: Scalar.self, count: count * width * groups) { packed in
      // Work items read adjacent memory of b: some of its rows.
      let items = transposed ? count : groups, together = transposed ? 4 : 64
      let pack = transposed ? kernels.pack_panels_nt : kernels.pack_panels_nn
      pool.forEach((items + together - 1) / together) { index, _ in
        let first = index * together
        pack!(
          first, min(first + together, items), columns, depth, b.pointer, b.stride, packed,
          isBF16 && !b.isBF16, isBF16)
      }
      return body(Panels(packed: packed, depth: depth, groups: groups, isBF16: isBF16))
    }
  }

  /// Calls `body` with each output tile of factor · a · panels; `columns` are those of the panels in the
  /// result.
  ///
  /// `result` is what `body` reads or writes at the same rows and columns; it is prefetched.
  func forTiles(
    of a: Operand<Scalar>, panels: Panels<Scalar>, columns: Range<Int>, factor: Double = 1,
    result: Operand<Scalar>? = nil,
    _ body: (_ tile: Matrix<Scalar>, _ rows: Range<Int>, _ columns: Range<Int>) -> Void
  ) {
    let kernels = kernels, size = packedTile(isBF16: panels.isBF16)
    scratch.withBuffers(of: Scalar.self, count: size.rows * size.columns, workers: pool.threads) { buffers in
      let down = (a.rows + size.rows - 1) / size.rows
      let across = (columns.count + size.columns - 1) / size.columns
      // Tiles of the same columns follow each other, so that the cores read the same panels.
      pool.forEach(down * across) { index, worker in
        let row = index % down * size.rows, column = index / down * size.columns
        let rows = row..<min(row + size.rows, a.rows), width = min(size.columns, columns.count - column)
        let tile = Matrix(buffers[worker], rows: rows.count, columns: width)
        let first = columns.lowerBound + column, taken = first..<first + width
        kernels.gemm_panels(
          rows.count, width, panels.depth, factor, a.rows(rows).pointer, a.stride,
          panels.packed + column * panels.groups, tile.pointer, width,
          result?.rows(rows).columns(taken).outputTile ?? pkm_output_tile(), panels.isBF16)
        body(tile, rows, taken)
      }
    }
  }

  /// c (+)= factor · aᵀ b and, unless it is nil, `sums` += factor · the column sums of a, for operands that
  /// ``packs(_:transposed:)`` accepts.
  func transposedMatmul(
    of a: Operand<Scalar>, _ b: Operand<Scalar>, factor: Double, into c: Matrix<Scalar>, adding: Bool,
    sums: Vector<Scalar>?
  ) {
    // As many rows and columns of b as stay in the cache that the cores share.
    let most = a.isBF16 ? 4096 : 2048, parts = (b.columns + 1023) / 1024
    let width = ((b.columns + parts - 1) / parts + 63) / 64 * 64
    for first in stride(from: 0, to: a.rows, by: most) {
      let rows = first..<min(first + most, a.rows)
      for column in stride(from: 0, to: b.columns, by: width) {
        let columns = column..<min(column + width, b.columns)
        withPanels(b.rows(rows).columns(columns), transposed: false, isBF16: a.isBF16) { panels in
          transposedMatmul(
            of: a.rows(rows), panels: panels, factor: factor, into: c.columns(columns),
            adding: adding || first > 0, sums: column == 0 ? sums : nil)
        }
      }
    }
  }

  private func transposedMatmul(
    of a: Operand<Scalar>, panels: Panels<Scalar>, factor: Double, into c: Matrix<Scalar>, adding: Bool,
    sums: Vector<Scalar>?
  ) {
    let kernels = kernels, width = Int(PKM_GEMM_TN_COLUMNS), half = width / 2
    // Spans of columns of one width, and the last four by halves, so that the threads end together.
    let large = max(0, (a.columns + width - 1) / width - 4)
    let small = (a.columns - large * width + half - 1) / half
    scratch.withBuffers(
      of: Scalar.self, count: Int(PKM_GEMM_TN_BUFFER_GROUPS), workers: pool.threads
    ) { buffers in
      pool.forEach(large + small) { index, worker in
        let first = index < large ? index * width : (large + index) * half
        let columns = first..<min(first + (index < large ? width : half), a.columns), part = c.rows(columns)
        kernels.gemm_tn(
          columns.count, c.columns, panels.depth, factor, a.columns(columns).pointer, a.stride, panels.packed,
          adding, part.pointer, c.stride, sums?[columns].pointer, buffers[worker], panels.isBF16)
      }
    }
  }
}
