import CModelKernels

extension CPUOperations {
  package func matmul(
    _ a: Operand<Scalar>, transposed transposesA: Bool, _ b: Operand<Scalar>, transposed transposesB: Bool,
    factor: Double, into c: Matrix<Scalar>, adding: Bool
  ) {
    let inner = transposesA ? a.rows : a.columns
    precondition(
      (transposesA ? a.columns : a.rows) == c.rows && (transposesB ? b.rows : b.columns) == c.columns)
    precondition((transposesB ? b.columns : b.rows) == inner && (a.isBF16 || !b.isBF16))
    let packs = transposesA ? !transposesB && self.packs(a, transposed: true) : self.packs(a)
    withRight(b, matching: a, packs: packs) { right in
      if isSkinny(c.rows) && !transposesA && transposesB && factor == 1 && !adding {
        return skinnyMatmul(a, right, into: c, epilogue: nil)
      }
      if packs && !transposesA {
        // The tiles go through the cache, because rows of c may be so far apart that they evict each other
        // from it.
        return forTiles(of: a, b, transposed: transposesB, factor: factor, in: nil, result: Operand(c)) {
          tile, rows, columns in
          write(tile, into: c.rows(rows).columns(columns), adding: adding)
        }
      }
      if packs {
        return transposedMatmul(of: a, b, factor: factor, into: c, adding: adding, sums: nil)
      }
      withMultipliable(a, right) { a, b in
        let gemm = gemms.gemm(isBF16: a.isBF16), bytes = a.elementBytes
        let tile = OutputTile(rows: c.rows, columns: c.columns, inner: inner)
        forTiles(tile, rows: c.rows, columns: c.columns) { rows, columns, _ in
          let row = rows.lowerBound, column = columns.lowerBound
          gemm(
            transposesA, transposesB, rows.count, columns.count, inner, factor,
            a.pointer + (transposesA ? row : row * a.stride) * bytes, a.stride,
            b.pointer + (transposesB ? column * b.stride : column) * bytes, b.stride, adding ? 1 : 0,
            c.pointer + row * c.stride + column, c.stride)
        }
      }
    }
  }

  package func matmul(
    _ a: Operand<Scalar>, _ b: Operand<Scalar>, transposed: Bool, epilogue: Epilogue<Scalar>
  ) {
    let (rows, columns) = (a.rows, transposed ? b.rows : b.columns)
    precondition((transposed ? b.columns : b.rows) == a.columns && (a.isBF16 || !b.isBF16))
    epilogue.check(rows: rows, columns: columns)
    let kernels = kernels
    withRight(b, matching: a, packs: packs(a)) { b in
      if isSkinny(rows) && transposed { return skinnyMatmul(a, b, into: nil, epilogue: epilogue) }
      forTiles(of: a, b, transposed: transposed, in: epilogue.target, result: epilogue.result) {
        tile, rows, columns in
        epilogue.apply(kernels, to: tile, rows: rows, columns: columns)
      }
    }
  }

  package func addMatmul(
    ofTransposed a: Operand<Scalar>, _ b: Operand<Scalar>, factor: Double, to c: Matrix<Scalar>,
    columnSums sums: Vector<Scalar>
  ) {
    precondition(a.columns == c.rows && b.columns == c.columns && a.rows == b.rows && a.isBF16 == b.isBF16)
    precondition(sums.count == a.columns)
    if packs(a, transposed: true) {
      return transposedMatmul(of: a, b, factor: factor, into: c, adding: true, sums: sums)
    }
    matmul(a, transposed: true, b, transposed: false, factor: factor, into: c, adding: true)
    addColumnSums(of: a, factor: factor, to: sums)
  }

  /// Calls `body` with each output tile of factor · a op(b), on the thread that computed it.
  ///
  /// The tiles are in `target`, if it is given, or in memory that the next tile overwrites. They have the
  /// size of `tile`, if it is given, or lie inside of such tiles. `result` is what `body` reads or writes at
  /// the same rows and columns.
  func forTiles(
    of a: Operand<Scalar>, _ b: Operand<Scalar>, transposed: Bool, factor: Double = 1,
    in target: Matrix<Scalar>?, tile: OutputTile? = nil, result: Operand<Scalar>? = nil,
    _ body: (_ tile: Matrix<Scalar>, _ rows: Range<Int>, _ columns: Range<Int>) -> Void
  ) {
    if packs(a) {
      // As many columns as stay in the cache that the cores share; the number does not depend on the rows.
      let groups = a.columns / (a.isBF16 ? 2 : 1)
      let most = max(min(512, (1 << 22) / groups / 64 * 64), (1 << 20) / groups / 512 * 512, 64)
      let count = transposed ? b.rows : b.columns
      for first in stride(from: 0, to: count, by: most) {
        let columns = first..<min(first + most, count)
        withPanels(
          transposed ? b.rows(columns) : b.columns(columns), transposed: transposed, isBF16: a.isBF16
        ) { panels in
          forTiles(of: a, panels: panels, columns: columns, factor: factor, result: result, body)
        }
      }
      return
    }
    let tile =
      tile
      ?? OutputTile(
        rows: a.rows, columns: transposed ? b.rows : b.columns, inner: a.columns, area: 1 << 17)
    let size = target == nil ? tile.rows * tile.columns : 0
    withRight(b, matching: a, packs: false) { right in
      withMultipliable(a, right) { a, b in
        scratch.withBuffers(of: Scalar.self, count: size, workers: pool.threads) { buffers in
          let gemm = gemms.gemm(isBF16: a.isBF16)
          forTiles(tile, rows: a.rows, columns: transposed ? b.rows : b.columns) { rows, columns, worker in
            let tile =
              target?.rows(rows).columns(columns)
              ?? Matrix(buffers[worker], rows: rows.count, columns: columns.count)
            let right = transposed ? b.rows(columns) : b.columns(columns)
            gemm(
              false, transposed, rows.count, columns.count, a.columns, factor, a.rows(rows).pointer, a.stride,
              right.pointer, b.stride, 0, tile.pointer, tile.stride)
            body(tile, rows, columns)
          }
        }
      }
    }
  }

  /// y (+)= x, on the calling thread.
  func write(_ x: Matrix<Scalar>, into y: Matrix<Scalar>, adding: Bool = false) {
    for row in 0..<x.rows {
      let from = x.pointer + row * x.stride, to = y.pointer + row * y.stride
      if adding { kernels.add(x.columns, from, to) } else { to.update(from: from, count: x.columns) }
    }
  }

  private func forTiles(
    _ tile: OutputTile, rows: Int, columns: Int,
    _ body: (_ rows: Range<Int>, _ columns: Range<Int>, _ worker: Int) -> Void
  ) {
    let down = (rows + tile.rows - 1) / tile.rows, across = (columns + tile.columns - 1) / tile.columns
    pool.forEach(down * across) { index, worker in
      let row = index / across * tile.rows, column = index % across * tile.columns
      body(row..<min(row + tile.rows, rows), column..<min(column + tile.columns, columns), worker)
    }
  }

  /// Whether a matmul of so many rows, as in generation, takes the skinny GEMM, which does not pack b: up to
  /// 32 in float, 16 in double.
  func isSkinny(_ rows: Int) -> Bool { rows <= 128 / MemoryLayout<Scalar>.stride }

  /// c = a bᵀ, or the epilogue of it.
  ///
  /// Each thread reads its part of b once, from end to end, so that the next rows are prefetched, and packs a
  /// for itself, because writing memory that another thread has read takes longer.
  @_specialize(where Scalar == Float)
  private func skinnyMatmul(
    _ a: Operand<Scalar>, _ b: Operand<Scalar>, into c: Matrix<Scalar>?, epilogue: Epilogue<Scalar>?
  ) {
    let kernels = kernels
    let groups = a.isBF16 ? (a.columns + 1) / 2 : a.columns
    let packing = a.rows > 1 ? 128 / MemoryLayout<Scalar>.stride * groups : 0
    // One part for each thread, in whole blocks of the kernel's 12 rows of b.
    let part = max(24, (b.rows + 12 * pool.threads - 1) / (12 * pool.threads) * 12)
    // The tiles go through the cache, because rows of the result may be so far apart that they evict each
    // other from it. The last tile of a part has up to 12 more columns.
    let tileColumns = 192, rest = 12
    let result = c.map { Operand($0) } ?? epilogue!.result
    scratch.withBuffers(
      of: Scalar.self, count: packing + a.rows * (tileColumns + rest), workers: pool.threads
    ) { buffers in
      pool.forEach((b.rows + part - 1) / part) { index, worker in
        let packed = buffers[worker]
        if a.rows > 1 {
          kernels.pack_skinny(a.rows, a.columns, 0, groups, a.pointer, a.stride, packed, a.isBF16)
        }
        let start = index * part, end = min(start + part, b.rows)
        var first = start
        while first < end {
          let columns = first..<(end - first <= tileColumns + rest ? end : first + tileColumns)
          let rows = b.rows(columns).pointer
          let tile = c?.columns(columns) ?? Matrix(packed + packing, rows: a.rows, columns: columns.count)
          if a.rows > 1 {
            kernels.gemm_skinny(
              a.rows, columns.count, a.columns, packed, rows, b.stride, first == start, tile.pointer,
              tile.stride, result.columns(columns).outputTile, a.isBF16)
          } else {
            kernels.gemv(columns.count, a.columns, a.pointer, rows, b.stride, tile.pointer, a.isBF16)
          }
          epilogue?.apply(kernels, to: tile, rows: 0..<a.rows, columns: columns)
          first = columns.upperBound
        }
      }
    }
  }

  /// Calls `body` with b in the precision of a. A right operand that `packs` is rounded while it is packed,
  /// others beforehand.
  private func withRight(
    _ b: Operand<Scalar>, matching a: Operand<Scalar>, packs: Bool, _ body: (Operand<Scalar>) -> Void
  ) {
    guard !packs, a.isBF16, let reals = b.reals else { return body(b) }
    scratch.withBuffer(of: UInt16.self, count: b.count) { buffer in
      let rounded = Operand<Scalar>(buffer, rows: b.rows, columns: b.columns, isBF16: true)
      round(reals, into: rounded)
      body(rounded)
    }
  }

  /// Calls `body` with operands that the library can multiply: both widened to reals if it has no GEMM for
  /// bfloat16.
  private func withMultipliable(
    _ a: Operand<Scalar>, _ b: Operand<Scalar>, _ body: (Operand<Scalar>, Operand<Scalar>) -> Void
  ) {
    guard a.isBF16 && !gemms.isBF16Native else { return body(a, b) }
    scratch.withBuffer(of: Scalar.self, count: a.count + b.count) { buffer in
      let left = Matrix(buffer, rows: a.rows, columns: a.columns)
      let right = Matrix(buffer + a.count, rows: b.rows, columns: b.columns)
      widen(a, into: left)
      widen(b, into: right)
      body(Operand(left), Operand(right))
    }
  }

  private func widen(_ x: Operand<Scalar>, into y: Matrix<Scalar>) {
    let kernels = kernels
    forRows(x.rows, width: x.columns) {
      kernels.widen_bf16($0.count, x.columns, x.rows($0).pointer, x.stride, y.rows($0).pointer, y.stride)
    }
  }
}

extension Epilogue {
  /// Where the matmul can be stored before the epilogue replaces it; nil if the epilogue needs what is there.
  fileprivate var target: Matrix<Scalar>? {
    switch self {
    case .round(let out), .bias(_, let out): out.reals
    case .biasGELU(_, let saved, let out): (saved ?? out).reals
    case .residual(_, _, _, let out): out
    case .geluBackward: nil
    }
  }

  /// Where the epilogue writes.
  fileprivate var result: Operand<Scalar> {
    switch self {
    case .round(let out), .bias(_, let out), .biasGELU(_, _, let out): out
    case .geluBackward(let h, _): h
    case .residual(_, _, _, let out): Operand(out)
    }
  }

  fileprivate func check(rows: Int, columns: Int) {
    func fits(_ x: Operand<Scalar>) -> Bool { x.rows == rows && x.columns == columns }
    switch self {
    case .round(let out): precondition(fits(out))
    case .bias(let bias, let out): precondition(fits(out) && bias.count == columns)
    case .biasGELU(let bias, let saved, let out):
      precondition(fits(out) && bias.count == columns)
      precondition(saved.map { fits($0) && $0.stride == out.stride && $0.isBF16 == out.isBF16 } ?? true)
    case .geluBackward(let h, let recomputed):
      precondition(
        fits(h) && fits(recomputed) && h.stride == recomputed.stride && h.isBF16 == recomputed.isBF16)
    case .residual(let stream, let bias, _, let out):
      precondition(fits(Operand(stream)) && fits(Operand(out)) && bias.count == columns)
      precondition(stream.isDense && out.isDense && stream.pointer != out.pointer)
    }
  }

  /// Applies the epilogue to one output tile, on the calling thread.
  @_specialize(where Scalar == Float)
  fileprivate func apply(
    _ kernels: pkm_kernel_table, to x: Matrix<Scalar>, rows: Range<Int>, columns: Range<Int>
  ) {
    func tile(of operand: Operand<Scalar>) -> Operand<Scalar> { operand.rows(rows).columns(columns) }
    switch self {
    case .round(let out):
      guard let reals = out.reals?.rows(rows).columns(columns) else {
        return kernels.round_to_bf16(
          x.rows, x.columns, x.pointer, x.stride, tile(of: out).pointer, out.stride)
      }
      for row in 0..<x.rows where reals.pointer != x.pointer {
        (reals.pointer + row * reals.stride).update(from: x.pointer + row * x.stride, count: x.columns)
      }
    case .bias(let bias, let out):
      kernels.add_bias(
        x.rows, x.columns, bias[columns].pointer, x.pointer, x.stride, tile(of: out).pointer, out.stride,
        out.isBF16)
    case .biasGELU(let bias, let saved, let out):
      kernels.bias_gelu(
        x.rows, x.columns, bias[columns].pointer, x.pointer, x.stride, saved.map { tile(of: $0).pointer },
        tile(of: out).pointer, out.stride, out.isBF16)
    case .geluBackward(let h, let recomputed):
      kernels.gelu_backward(
        x.rows, x.columns, tile(of: h).pointer, x.pointer, x.stride, tile(of: recomputed).pointer, h.stride,
        h.isBF16)
    case .residual(let stream, let bias, let mask, let out):
      let first = rows.lowerBound * out.columns + columns.lowerBound
      kernels.residual(
        x.rows, x.columns, stream.pointer + first, x.pointer, x.stride, bias[columns].pointer, UInt64(first),
        mask.kernelMask, out.pointer + first, out.columns)
    }
  }
}
