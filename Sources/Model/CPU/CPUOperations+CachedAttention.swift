import CModelKernels

/// Attention over the keys and values that generation keeps.
extension CPUOperations {
  @_specialize(where Scalar == Float)
  package func attention(
    heads: Int, appending qkv: Matrix<Scalar>, to pieces: [CacheSpan<Scalar>], out: Matrix<Scalar>
  ) {
    let width = out.columns / heads
    var most = 0
    for piece in pieces {
      let (keys, values) = (piece.cache.keys, piece.cache.values), seen = piece.position + piece.rows.count
      precondition(qkv.columns == 3 * out.columns && keys.columns == out.columns && seen <= keys.rows)
      precondition(values.columns == out.columns && values.rows == keys.rows && values.stride == keys.stride)
      most = max(
        most,
        piece.rows.count == 1
          ? kernels.kv_attention_scratch(seen, heads, width) : (piece.rows.count + 2 * width) * seen)
    }
    // Of many sequences each is a task, so that its rows are read from end to end; of few the heads are shared out.
    let parts = min(heads, (2 * pool.threads + pieces.count - 1) / pieces.count)
    let together = (heads + parts - 1) / parts, groups = (heads + together - 1) / together
    let spaces = scratch.perWorker(Scalar.self, most, workers: pool.threads)
    pool.forEach(pieces.count * groups) { task, worker in
      let piece = pieces[task / groups], first = task % groups * together
      let group = first..<min(first + together, heads)
      let space = spaces.base + worker * spaces.stride
      append(qkv, group.lowerBound * width..<group.upperBound * width, to: piece)
      if piece.rows.count == 1 {
        // What this thread will most likely take up then.
        let next = pieces[min((task + pool.threads) / groups, pieces.count - 1)]
        attend(piece, heads: group, width: width, qkv: qkv, before: next, space, out: out)
      } else {
        for head in group { attend(piece, head: head, width: width, qkv: qkv, space, out: out) }
      }
    }
  }

  /// On the calling thread: some columns of the new tokens' keys and values.
  @_specialize(where Scalar == Float)
  private func append(_ qkv: Matrix<Scalar>, _ columns: Range<Int>, to piece: CacheSpan<Scalar>) {
    let new = qkv.rows(piece.rows), d = qkv.columns / 3
    func append(_ part: Int, to kept: Operand<Scalar>) {
      let first = part * d + columns.lowerBound, from = new.columns(first..<first + columns.count)
      let to = kept.rows(piece.position..<piece.position + piece.rows.count).columns(columns)
      if let reals = to.reals {
        write(from, into: reals)
      } else {
        kernels.round_to_bf16(from.rows, from.columns, from.pointer, from.stride, to.pointer, to.stride)
      }
    }
    append(1, to: piece.cache.keys)
    append(2, to: piece.cache.values)
  }

  /// On the calling thread: one new token.
  @_specialize(where Scalar == Float)
  private func attend(
    _ piece: CacheSpan<Scalar>, heads: Range<Int>, width: Int, qkv: Matrix<Scalar>,
    before next: CacheSpan<Scalar>, _ space: UnsafeMutablePointer<Scalar>, out: Matrix<Scalar>
  ) {
    let row = piece.rows.lowerBound, columns = heads.lowerBound * width..<heads.upperBound * width
    let (keys, values) = (piece.cache.keys.columns(columns), piece.cache.values.columns(columns))
    kernels.kv_attention(
      piece.position + 1, heads.count, width, 1 / Double(width).squareRoot(),
      qkv.pointer + row * qkv.stride + columns.lowerBound, keys.pointer, values.pointer,
      next.cache.keys.columns(columns).pointer, keys.stride, space,
      out.pointer + row * out.stride + columns.lowerBound, keys.isBF16)
  }

  /// On the calling thread: several new tokens, as of a prompt.
  private func attend(
    _ piece: CacheSpan<Scalar>, head: Int, width: Int, qkv: Matrix<Scalar>,
    _ space: UnsafeMutablePointer<Scalar>, out: Matrix<Scalar>
  ) {
    let gemm = gemms.exact
    let new = piece.rows.count, seen = piece.position + new, columns = head * width..<(head + 1) * width
    let scores = Matrix(space, rows: new, columns: seen)
    let queries = qkv.rows(piece.rows).columns(columns), result = out.rows(piece.rows).columns(columns)
    func reals(_ kept: Operand<Scalar>, _ part: Int) -> Matrix<Scalar> {
      let kept = kept.rows(0..<seen).columns(columns)
      if let reals = kept.reals { return reals }
      let wide = Matrix(space + new * seen + part * seen * width, rows: seen, columns: width)
      kernels.widen_bf16(seen, width, kept.pointer, kept.stride, wide.pointer, width)
      return wide
    }
    let keys = reals(piece.cache.keys, 0), values = reals(piece.cache.values, 1)
    gemm(
      false, true, new, seen, width, 1, queries.pointer, queries.stride, keys.pointer, keys.stride, 0,
      scores.pointer, seen)
    kernels.causal_softmax(
      new, piece.position, seen, 1 / Double(width).squareRoot(), scores.pointer, seen)
    gemm(
      false, false, new, width, seen, 1, scores.pointer, seen, values.pointer, values.stride, 0,
      result.pointer, result.stride)
  }
}
