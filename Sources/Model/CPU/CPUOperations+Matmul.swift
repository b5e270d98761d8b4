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
    let right = matching(b, a, packs: packs)
    if isSkinny(c.rows) && !transposesA && transposesB && factor == 1 && !adding {
      return skinnyMatmul(a, right, into: c, epilogue: nil)
    }
    if packs && !transposesA {
      // By way of a piece in cache: rows of c may lie so that they displace each other from it.
      forTiles(of: a, b, transposed: transposesB, factor: factor, in: nil, place: Operand(c)) {
        product, rows, columns in
        write(product, into: c.rows(rows).columns(columns), adding: adding)
      }
      return
    }
    if packs {
      return transposedMatmul(of: a, b, factor: factor, into: c, adding: adding, sums: nil)
    }
    let (a, b) =
      a.isBF16 && !gemms.isBF16Native
      ? widened(a, right, scratch.shared(Scalar.self, a.count + b.count)) : (a, right)
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

  package func matmul(
    _ a: Operand<Scalar>, _ b: Operand<Scalar>, transposed: Bool, epilogue: Epilogue<Scalar>
  ) {
    let (rows, columns) = (a.rows, transposed ? b.rows : b.columns)
    precondition((transposed ? b.columns : b.rows) == a.columns && (a.isBF16 || !b.isBF16))
    epilogue.check(rows: rows, columns: columns)
    let b = matching(b, a, packs: packs(a))
    if isSkinny(rows) && transposed { return skinnyMatmul(a, b, into: nil, epilogue: epilogue) }
    let kernels = kernels
    forTiles(of: a, b, transposed: transposed, in: epilogue.target, place: epilogue.result) {
      product, rows, columns in
      epilogue.apply(kernels, to: product, rows: rows, columns: columns)
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

  /// Hands on factor · a op(b) piece by piece, each on the thread that computed it.
  ///
  /// The pieces stand in memory that the next piece overwrites, or where they belong in `target`. They are of `tile`, if it is
  /// given, or begin where tiles of it would. `place` is what `body` reads or writes at the same rows and columns.
  func forTiles(
    of a: Operand<Scalar>, _ b: Operand<Scalar>, transposed: Bool, factor: Double = 1,
    in target: Matrix<Scalar>?, tile: OutputTile? = nil, place: Operand<Scalar>? = nil,
    _ body: (_ product: Matrix<Scalar>, _ rows: Range<Int>, _ columns: Range<Int>) -> Void
  ) {
    if packs(a) {
      // So many columns that they stay in the cache that the cores share, and the same for any number of rows.
      let words = a.columns / (a.isBF16 ? 2 : 1)
      let most = max(min(512, (1 << 22) / words / 64 * 64), (1 << 20) / words / 512 * 512, 64)
      let count = transposed ? b.rows : b.columns
      for first in stride(from: 0, to: count, by: most) {
        let columns = first..<min(first + most, count)
        let right = panels(
          transposed ? b.rows(columns) : b.columns(columns), transposed: transposed, isBF16: a.isBF16)
        forTiles(of: a, panels: right, columns: columns, factor: factor, place: place, body)
      }
      return
    }
    let right = matching(b, a, packs: false)
    let tile =
      tile
      ?? OutputTile(
        rows: a.rows, columns: transposed ? b.rows : b.columns, inner: a.columns, area: 1 << 17)
    let isWidened = a.isBF16 && !gemms.isBF16Native
    let wide = isWidened ? (a.count + b.count + 15) / 16 * 16 : 0
    let piece = target == nil ? tile.rows * tile.columns + 16 * 17 : 0
    let space = scratch.shared(Scalar.self, wide + pool.threads * piece)
    let (a, b) = isWidened ? widened(a, right, space) : (a, right)
    let gemm = gemms.gemm(isBF16: a.isBF16)
    forTiles(tile, rows: a.rows, columns: transposed ? b.rows : b.columns) { rows, columns, worker in
      let product =
        target?.rows(rows).columns(columns)
        ?? Matrix(space + wide + worker * piece, rows: rows.count, columns: columns.count)
      let right = transposed ? b.rows(columns) : b.columns(columns)
      gemm(
        false, transposed, rows.count, columns.count, a.columns, factor, a.rows(rows).pointer, a.stride,
        right.pointer, b.stride, 0, product.pointer, product.stride)
      body(product, rows, columns)
    }
  }

  /// On the calling thread: y (+)= x.
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

  /// At most so many rows, those of generation, are multiplied with b as it lies in memory: 32 floats, and half as many
  /// doubles.
  func isSkinny(_ rows: Int) -> Bool { rows <= 128 / MemoryLayout<Scalar>.stride }

  // c = a bᵀ, or what `finish` makes of it. The rows of a are packed; b is read once, and not packed. Each thread reads its
  // part of b from end to end, so that what follows is fetched ahead, and packs a for itself: where another thread has read,
  // writing takes longer.
  @_specialize(where Scalar == Float)
  private func skinnyMatmul(
    _ a: Operand<Scalar>, _ b: Operand<Scalar>, into c: Matrix<Scalar>?, epilogue: Epilogue<Scalar>?
  ) {
    let kernels = kernels
    let words = a.isBF16 ? (a.columns + 1) / 2 : a.columns
    let packing = a.rows > 1 ? 128 / MemoryLayout<Scalar>.stride * words : 0
    // One for each thread, of whole blocks of the kernel's.
    let part = max(24, (b.rows + 12 * pool.threads - 1) / (12 * pool.threads) * 12)
    // By way of a piece in cache: rows of the result may lie so that they displace each other from it.
    let piece = 192, rest = 12
    let result = c.map { Operand($0) } ?? epilogue!.result
    let spaces = scratch.perWorker(Scalar.self, packing + a.rows * (piece + rest), workers: pool.threads)
    pool.forEach((b.rows + part - 1) / part) { index, worker in
      let space = spaces.base + worker * spaces.stride
      if a.rows > 1 { kernels.pack_skinny(a.rows, a.columns, 0, words, a.pointer, a.stride, space, a.isBF16) }
      let start = index * part, end = min(start + part, b.rows)
      var first = start
      while first < end {
        let columns = first..<(end - first <= piece + rest ? end : first + piece)
        let rows = b.rows(columns).pointer
        let product =
          c?.columns(columns) ?? Matrix(space + packing, rows: a.rows, columns: columns.count)
        if a.rows > 1 {
          kernels.gemm_skinny(
            a.rows, columns.count, a.columns, space, rows, b.stride, first == start, product.pointer,
            product.stride, result.columns(columns).outputTile, a.isBF16)
        } else {
          kernels.gemv(
            columns.count, a.columns, a.pointer, rows, b.stride, product.pointer, a.isBF16)
        }
        epilogue?.apply(kernels, to: product, rows: 0..<a.rows, columns: columns)
        first = columns.upperBound
      }
    }
  }

  /// b in the form of a: by the way where it is packed, else by a pass over it.
  private func matching(_ b: Operand<Scalar>, _ a: Operand<Scalar>, packs: Bool) -> Operand<Scalar> {
    guard !packs, a.isBF16, let reals = b.reals else { return b }
    let half = Operand<Scalar>(
      rounding.shared(UInt16.self, b.count), rows: b.rows, columns: b.columns, isBF16: true)
    round(reals, into: half)
    return half
  }

  /// Both operands as reals in `space`, for libraries and processors without products of bfloat16.
  private func widened(_ a: Operand<Scalar>, _ b: Operand<Scalar>, _ space: UnsafeMutablePointer<Scalar>) -> (
    Operand<Scalar>, Operand<Scalar>
  ) {
    let kernels = kernels
    let wide = (
      Matrix(space, rows: a.rows, columns: a.columns),
      Matrix(space + a.count, rows: b.rows, columns: b.columns)
    )
    for (half, real) in [(a, wide.0), (b, wide.1)] {
      forRows(half.rows, width: half.columns) {
        kernels.widen_bf16(
          $0.count, half.columns, half.rows($0).pointer, half.stride, real.rows($0).pointer, real.stride)
      }
    }
    return (Operand(wide.0), Operand(wide.1))
  }
}

extension Epilogue {
  /// Where the product itself can stand: what is made of it replaces it there.
  fileprivate var target: Matrix<Scalar>? {
    switch self {
    case .round(let out), .bias(_, let out): out.reals
    case .biasGELU(_, let kept, let out): (kept ?? out).reals
    case .residual(_, _, _, let out): out
    // What stands there is needed yet.
    case .geluBackward: nil
    }
  }

  /// What is made of the product.
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
    case .biasGELU(let bias, let kept, let out):
      precondition(fits(out) && bias.count == columns)
      precondition(kept.map { fits($0) && $0.stride == out.stride && $0.isBF16 == out.isBF16 } ?? true)
    case .geluBackward(let h, let again):
      precondition(fits(h) && fits(again) && h.stride == again.stride && h.isBF16 == again.isBF16)
    case .residual(let stream, let bias, _, let out):
      precondition(fits(Operand(stream)) && fits(Operand(out)) && bias.count == columns)
      precondition(stream.isDense && out.isDense && stream.pointer != out.pointer)
    }
  }

  /// On the calling thread, of one piece of the product.
  @_specialize(where Scalar == Float)
  fileprivate func apply(
    _ kernels: pkm_kernel_table, to x: Matrix<Scalar>, rows: Range<Int>, columns: Range<Int>
  ) {
    func piece(_ operand: Operand<Scalar>) -> Operand<Scalar> { operand.rows(rows).columns(columns) }
    switch self {
    case .round(let out):
      guard let reals = out.reals?.rows(rows).columns(columns) else {
        return kernels.round_to_bf16(x.rows, x.columns, x.pointer, x.stride, piece(out).pointer, out.stride)
      }
      for row in 0..<x.rows where reals.pointer != x.pointer {
        (reals.pointer + row * reals.stride).update(from: x.pointer + row * x.stride, count: x.columns)
      }
    case .bias(let bias, let out):
      kernels.add_bias(
        x.rows, x.columns, bias[columns].pointer, x.pointer, x.stride, piece(out).pointer, out.stride,
        out.isBF16)
    case .biasGELU(let bias, let kept, let out):
      kernels.bias_gelu(
        x.rows, x.columns, bias[columns].pointer, x.pointer, x.stride, kept.map { piece($0).pointer },
        piece(out).pointer, out.stride, out.isBF16)
    case .geluBackward(let h, let again):
      kernels.gelu_backward(
        x.rows, x.columns, piece(h).pointer, x.pointer, x.stride, piece(again).pointer, h.stride, h.isBF16)
    case .residual(let stream, let bias, let mask, let out):
      let first = rows.lowerBound * out.columns + columns.lowerBound
      kernels.residual(
        x.rows, x.columns, stream.pointer + first, x.pointer, x.stride, bias[columns].pointer, UInt64(first),
        mask.kernelMask, out.pointer + first, out.columns)
    }
  }
}
