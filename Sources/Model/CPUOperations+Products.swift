import CKernels

extension CPUOperations {
  package func multiply(
    _ a: Operand<Scalar>, transposed transposesA: Bool, _ b: Operand<Scalar>, transposed transposesB: Bool,
    factor: Double, into c: Matrix<Scalar>, adding: Bool
  ) {
    let inner = transposesA ? a.rows : a.columns
    precondition(
      (transposesA ? a.columns : a.rows) == c.rows && (transposesB ? b.rows : b.columns) == c.columns)
    precondition((transposesB ? b.columns : b.rows) == inner && (a.isHalf || !b.isHalf))
    let packs = transposesA ? !transposesB && self.packs(a, transposed: true) : self.packs(a)
    let right = matching(b, a, packs: packs)
    if isFew(c.rows) && !transposesA && transposesB && factor == 1 && !adding {
      return multiplyFew(a, right, into: c, finish: nil)
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
      return multiplyColumns(of: a, b, factor: factor, into: c, adding: adding, sums: nil)
    }
    let (a, b) =
      a.isHalf && !products.isHalfNative
      ? widened(a, right, scratch.shared(Scalar.self, a.count + b.count)) : (a, right)
    let gemm = products.gemm(isHalf: a.isHalf), bytes = a.elementBytes
    let tile = ProductTile(rows: c.rows, columns: c.columns, inner: inner)
    forTiles(tile, rows: c.rows, columns: c.columns) { rows, columns, _ in
      let row = rows.lowerBound, column = columns.lowerBound
      gemm(
        transposesA, transposesB, rows.count, columns.count, inner, factor,
        a.pointer + (transposesA ? row : row * a.stride) * bytes, a.stride,
        b.pointer + (transposesB ? column * b.stride : column) * bytes, b.stride, adding ? 1 : 0,
        c.pointer + row * c.stride + column, c.stride)
    }
  }

  package func multiply(
    _ a: Operand<Scalar>, _ b: Operand<Scalar>, transposed: Bool, finish: ProductFinish<Scalar>
  ) {
    let (rows, columns) = (a.rows, transposed ? b.rows : b.columns)
    precondition((transposed ? b.columns : b.rows) == a.columns && (a.isHalf || !b.isHalf))
    finish.check(rows: rows, columns: columns)
    let b = matching(b, a, packs: packs(a))
    if isFew(rows) && transposed { return multiplyFew(a, b, into: nil, finish: finish) }
    let kernels = kernels
    forTiles(of: a, b, transposed: transposed, in: finish.target, place: finish.result) {
      product, rows, columns in
      finish.apply(kernels, to: product, rows: rows, columns: columns)
    }
  }

  package func addProduct(
    ofTransposed a: Operand<Scalar>, _ b: Operand<Scalar>, factor: Double, to c: Matrix<Scalar>,
    columnSums sums: Vector<Scalar>
  ) {
    precondition(a.columns == c.rows && b.columns == c.columns && a.rows == b.rows && a.isHalf == b.isHalf)
    precondition(sums.count == a.columns)
    if packs(a, transposed: true) {
      return multiplyColumns(of: a, b, factor: factor, into: c, adding: true, sums: sums)
    }
    multiply(a, transposed: true, b, transposed: false, factor: factor, into: c, adding: true)
    addColumnSums(of: a, factor: factor, to: sums)
  }

  /// Hands on factor · a op(b) piece by piece, each on the thread that computed it.
  ///
  /// The pieces stand in memory that the next piece overwrites, or where they belong in `target`. They are of `tile`, if it is
  /// given, or begin where tiles of it would. `place` is what `body` reads or writes at the same rows and columns.
  func forTiles(
    of a: Operand<Scalar>, _ b: Operand<Scalar>, transposed: Bool, factor: Double = 1,
    in target: Matrix<Scalar>?, tile: ProductTile? = nil, place: Operand<Scalar>? = nil,
    _ body: (_ product: Matrix<Scalar>, _ rows: Range<Int>, _ columns: Range<Int>) -> Void
  ) {
    if packs(a) {
      // So many columns that they stay in the cache that the cores share, and the same for any number of rows.
      let words = a.columns / (a.isHalf ? 2 : 1)
      let most = max(min(512, (1 << 22) / words / 64 * 64), (1 << 20) / words / 512 * 512, 64)
      let count = transposed ? b.rows : b.columns
      for first in stride(from: 0, to: count, by: most) {
        let columns = first..<min(first + most, count)
        let right = panels(
          transposed ? b.rows(columns) : b.columns(columns), transposed: transposed, isHalf: a.isHalf)
        forTiles(of: a, panels: right, columns: columns, factor: factor, place: place, body)
      }
      return
    }
    let right = matching(b, a, packs: false)
    let tile =
      tile
      ?? ProductTile(
        rows: a.rows, columns: transposed ? b.rows : b.columns, inner: a.columns, area: 1 << 17)
    let isWidened = a.isHalf && !products.isHalfNative
    let wide = isWidened ? (a.count + b.count + 15) / 16 * 16 : 0
    let piece = target == nil ? tile.rows * tile.columns + 16 * 17 : 0
    let space = scratch.shared(Scalar.self, wide + pool.threads * piece)
    let (a, b) = isWidened ? widened(a, right, space) : (a, right)
    let gemm = products.gemm(isHalf: a.isHalf)
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
    _ tile: ProductTile, rows: Int, columns: Int,
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
  func isFew(_ rows: Int) -> Bool { rows <= 128 / MemoryLayout<Scalar>.stride }

  // c = a bᵀ, or what `finish` makes of it. The rows of a are packed; b is read once, and not packed. Each thread reads its
  // part of b from end to end, so that what follows is fetched ahead, and packs a for itself: where another thread has read,
  // writing takes longer.
  @_specialize(where Scalar == Float)
  private func multiplyFew(
    _ a: Operand<Scalar>, _ b: Operand<Scalar>, into c: Matrix<Scalar>?, finish: ProductFinish<Scalar>?
  ) {
    let kernels = kernels
    let words = a.isHalf ? (a.columns + 1) / 2 : a.columns
    let packing = a.rows > 1 ? 128 / MemoryLayout<Scalar>.stride * words : 0
    // One for each thread, of whole blocks of the kernel's.
    let part = max(24, (b.rows + 12 * pool.threads - 1) / (12 * pool.threads) * 12)
    // By way of a piece in cache: rows of the result may lie so that they displace each other from it.
    let piece = 192, rest = 12
    let result = c.map { Operand($0) } ?? finish!.result
    let spaces = scratch.perWorker(Scalar.self, packing + a.rows * (piece + rest), workers: pool.threads)
    pool.forEach((b.rows + part - 1) / part) { index, worker in
      let space = spaces.base + worker * spaces.stride
      if a.rows > 1 { kernels.pack_few(a.rows, a.columns, 0, words, a.pointer, a.stride, space, a.isHalf) }
      let start = index * part, end = min(start + part, b.rows)
      var first = start
      while first < end {
        let columns = first..<(end - first <= piece + rest ? end : first + piece)
        let rows = b.rows(columns).pointer
        let product =
          c?.columns(columns) ?? Matrix(space + packing, rows: a.rows, columns: columns.count)
        if a.rows > 1 {
          kernels.product_few(
            a.rows, columns.count, a.columns, space, rows, b.stride, first == start, product.pointer,
            product.stride, result.columns(columns).place, a.isHalf)
        } else {
          kernels.product_row(
            columns.count, a.columns, a.pointer, rows, b.stride, product.pointer, a.isHalf)
        }
        finish?.apply(kernels, to: product, rows: 0..<a.rows, columns: columns)
        first = columns.upperBound
      }
    }
  }

  /// b in the form of a: by the way where it is packed, else by a pass over it.
  private func matching(_ b: Operand<Scalar>, _ a: Operand<Scalar>, packs: Bool) -> Operand<Scalar> {
    guard !packs, a.isHalf, let reals = b.reals else { return b }
    let half = Operand<Scalar>(
      rounding.shared(UInt16.self, b.count), rows: b.rows, columns: b.columns, isHalf: true)
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
        kernels.from_operand(
          $0.count, half.columns, half.rows($0).pointer, half.stride, real.rows($0).pointer, real.stride)
      }
    }
    return (Operand(wide.0), Operand(wide.1))
  }
}

extension ProductFinish {
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
      precondition(kept.map { fits($0) && $0.stride == out.stride && $0.isHalf == out.isHalf } ?? true)
    case .geluBackward(let h, let again):
      precondition(fits(h) && fits(again) && h.stride == again.stride && h.isHalf == again.isHalf)
    case .residual(let stream, let bias, _, let out):
      precondition(fits(Operand(stream)) && fits(Operand(out)) && bias.count == columns)
      precondition(stream.isDense && out.isDense && stream.pointer != out.pointer)
    }
  }

  /// On the calling thread, of one piece of the product.
  @_specialize(where Scalar == Float)
  fileprivate func apply(
    _ kernels: kernel_table, to x: Matrix<Scalar>, rows: Range<Int>, columns: Range<Int>
  ) {
    func piece(_ operand: Operand<Scalar>) -> Operand<Scalar> { operand.rows(rows).columns(columns) }
    switch self {
    case .round(let out):
      guard let reals = out.reals?.rows(rows).columns(columns) else {
        return kernels.to_operand(x.rows, x.columns, x.pointer, x.stride, piece(out).pointer, out.stride)
      }
      for row in 0..<x.rows where reals.pointer != x.pointer {
        (reals.pointer + row * reals.stride).update(from: x.pointer + row * x.stride, count: x.columns)
      }
    case .bias(let bias, let out):
      kernels.add_bias(
        x.rows, x.columns, bias[columns].pointer, x.pointer, x.stride, piece(out).pointer, out.stride,
        out.isHalf)
    case .biasGELU(let bias, let kept, let out):
      kernels.bias_gelu(
        x.rows, x.columns, bias[columns].pointer, x.pointer, x.stride, kept.map { piece($0).pointer },
        piece(out).pointer, out.stride, out.isHalf)
    case .geluBackward(let h, let again):
      kernels.gelu_backward(
        x.rows, x.columns, piece(h).pointer, x.pointer, x.stride, piece(again).pointer, h.stride, h.isHalf)
    case .residual(let stream, let bias, let mask, let out):
      let first = rows.lowerBound * out.columns + columns.lowerBound
      kernels.residual(
        x.rows, x.columns, stream.pointer + first, x.pointer, x.stride, bias[columns].pointer, UInt64(first),
        mask.kernelMask, out.pointer + first, out.columns)
    }
  }
}

/// The part of a product that one task computes: a function of the shape alone.
struct ProductTile {
  var rows: Int
  var columns: Int

  init(rows: Int, columns: Int) { (self.rows, self.columns) = (rows, columns) }

  /// Halves the longer side until there are enough tiles to share out.
  ///
  /// That is 8, or as many as keep a tile at `area` numbers, 512 × 512 if nobody reads them soon; but none goes below
  /// some 100 microseconds of work, because small ones spend their time packing operands.
  init(rows: Int, columns: Int, inner: Int, area: Int = 1 << 18) {
    var down = 1, across = 1
    self.rows = rows
    self.columns = columns
    while self.rows * self.columns * inner > 1 << 24,
      down * across < 8 || (down * across < 64 && self.rows * self.columns > area)
    {
      if self.rows >= self.columns { down *= 2 } else { across *= 2 }
      self.rows = ((rows + down - 1) / down + 15) / 16 * 16
      self.columns = ((columns + across - 1) / across + 15) / 16 * 16
    }
  }
}
