import CModelKernels

/// Attention over the KV cache of generation.
extension CPUOperations {
  @_specialize(where Scalar == Float)
  package func attention(
    heads: Int, appending qkv: Matrix<Scalar>, to spans: [CacheSpan<Scalar>], out: Matrix<Scalar>
  ) {
    let width = out.columns / heads
    var most = 0
    for span in spans {
      let (keys, values) = (span.cache.keys, span.cache.values), seen = span.position + span.rows.count
      precondition(qkv.columns == 3 * out.columns && keys.columns == out.columns && seen <= keys.rows)
      precondition(values.columns == out.columns && values.rows == keys.rows && values.stride == keys.stride)
      most = max(
        most,
        span.rows.count == 1
          ? kernels.kv_attention_scratch(seen, heads, width) : (span.rows.count + 2 * width) * seen)
    }
    // With many sequences each is one task, so that its rows are read from end to end; with few, the heads of
    // a sequence are shared out.
    let parts = min(heads, (2 * pool.threads + spans.count - 1) / spans.count)
    let together = (heads + parts - 1) / parts, groups = (heads + together - 1) / together
    scratch.withBuffers(of: Scalar.self, count: most, workers: pool.threads) { buffers in
      pool.forEach(spans.count * groups) { task, worker in
        let span = spans[task / groups], first = task % groups * together
        let group = first..<min(first + together, heads)
        append(qkv, group.lowerBound * width..<group.upperBound * width, to: span)
        if span.rows.count == 1 {
          // The span that this thread will most likely attend to next.
          let next = spans[min((task + pool.threads) / groups, spans.count - 1)]
          attend(span, heads: group, width: width, qkv: qkv, before: next, buffers[worker], out: out)
        } else {
          for head in group { attend(span, head: head, width: width, qkv: qkv, buffers[worker], out: out) }
        }
      }
    }
  }

  /// Appends some columns of the keys and values of the new tokens to the cache, on the calling thread.
  @_specialize(where Scalar == Float)
  private func append(_ qkv: Matrix<Scalar>, _ columns: Range<Int>, to span: CacheSpan<Scalar>) {
    let new = qkv.rows(span.rows), d = qkv.columns / 3
    func append(_ part: Int, to cached: Operand<Scalar>) {
      let first = part * d + columns.lowerBound, from = new.columns(first..<first + columns.count)
      let to = cached.rows(span.position..<span.position + span.rows.count).columns(columns)
      if let reals = to.reals {
        write(from, into: reals)
      } else {
        kernels.round_to_bf16(from.rows, from.columns, from.pointer, from.stride, to.pointer, to.stride)
      }
    }
    append(1, to: span.cache.keys)
    append(2, to: span.cache.values)
  }

  /// Attention of one new token, on the calling thread.
  @_specialize(where Scalar == Float)
  private func attend(
    _ span: CacheSpan<Scalar>, heads: Range<Int>, width: Int, qkv: Matrix<Scalar>,
    before next: CacheSpan<Scalar>, _ buffer: UnsafeMutablePointer<Scalar>, out: Matrix<Scalar>
  ) {
    let row = span.rows.lowerBound, columns = heads.lowerBound * width..<heads.upperBound * width
    let (keys, values) = (span.cache.keys.columns(columns), span.cache.values.columns(columns))
    kernels.kv_attention(
      span.position + 1, heads.count, width, 1 / Double(width).squareRoot(),
      qkv.pointer + row * qkv.stride + columns.lowerBound, keys.pointer, values.pointer,
      next.cache.keys.columns(columns).pointer, keys.stride, buffer,
      out.pointer + row * out.stride + columns.lowerBound, keys.isBF16)
  }

  /// Attention of several new tokens, as of a prompt, on the calling thread.
  private func attend(
    _ span: CacheSpan<Scalar>, head: Int, width: Int, qkv: Matrix<Scalar>,
    _ buffer: UnsafeMutablePointer<Scalar>, out: Matrix<Scalar>
  ) {
    let gemm = gemms.exact
    let new = span.rows.count, seen = span.position + new, columns = head * width..<(head + 1) * width
    let scores = Matrix(buffer, rows: new, columns: seen)
    let queries = qkv.rows(span.rows).columns(columns), result = out.rows(span.rows).columns(columns)
    func reals(_ cached: Operand<Scalar>, _ part: Int) -> Matrix<Scalar> {
      let cached = cached.rows(0..<seen).columns(columns)
      if let reals = cached.reals { return reals }
      let wide = Matrix(buffer + new * seen + part * seen * width, rows: seen, columns: width)
      kernels.widen_bf16(seen, width, cached.pointer, cached.stride, wide.pointer, width)
      return wide
    }
    let keys = reals(span.cache.keys, 0), values = reals(span.cache.values, 1)
    gemm(
      false, true, new, seen, width, 1, queries.pointer, queries.stride, keys.pointer, keys.stride, 0,
      scores.pointer, seen)
    kernels.causal_softmax(
      new, span.position, seen, 1 / Double(width).squareRoot(), scores.pointer, seen)
    gemm(
      false, false, new, width, seen, 1, scores.pointer, seen, values.pointer, values.stride, 0,
      result.pointer, result.stride)
  }
}
