extension CPUOperations {
  /// Query rows of one block; scores exist for one block and head at a time.
  private var queryBlock: Int { 128 }

  package func attention(
    _ shape: AttentionShape, qkv: Matrix<Scalar>, out: Matrix<Scalar>, logSumExp: Vector<Scalar>
  ) {
    let kernels = kernels
    let length = shape.length, width = shape.headDimension, d = shape.heads * width
    let scale = 1 / Double(width).squareRoot()
    let scores = scratch.perWorker(Scalar.self, queryBlock * length, workers: pool.threads)
    pool.forEach(shape.sequences * shape.heads) { task, worker in
      let head = HeadViews(shape, task, qkv: qkv, out: out, logSumExp: logSumExp)
      let s = scores.base + worker * scores.stride
      for first in stride(from: 0, to: length, by: queryBlock) {
        let rows = min(queryBlock, length - first), seen = first + rows
        Scalar.gemm(
          false, true, rows, seen, width, 1, head.queries + first * 3 * d, 3 * d, head.keys, 3 * d, 0, s, seen
        )
        kernels.causal_softmax(rows, first, seen, scale, s, seen, head.logSumExp + first)
        Scalar.gemm(
          false, false, rows, width, seen, 1, s, seen, head.values, 3 * d, 0, head.out + first * d, d)
      }
    }
  }

  package func attention(
    heads: Int, appending qkv: Matrix<Scalar>, to cache: Matrix<Scalar>, at position: Int, out: Matrix<Scalar>
  ) {
    let kernels = kernels
    let d = out.columns, width = d / heads, new = qkv.rows, seen = position + new
    precondition(qkv.columns == 3 * d && cache.columns == 2 * d && seen <= cache.rows)
    for row in 0..<new {
      (cache.pointer + (position + row) * cache.stride).update(
        from: qkv.pointer + row * qkv.stride + d, count: 2 * d)
    }
    let spaces = scratch.perWorker(Scalar.self, new * seen + new, workers: pool.threads)
    pool.forEach(heads) { head, worker in
      let s = spaces.base + worker * spaces.stride
      let keys = cache.pointer + head * width, values = keys + d
      Scalar.gemm(
        false, true, new, seen, width, 1, qkv.pointer + head * width, qkv.stride, keys, cache.stride, 0, s,
        seen)
      kernels.causal_softmax(new, position, seen, 1 / Double(width).squareRoot(), s, seen, s + new * seen)
      Scalar.gemm(
        false, false, new, width, seen, 1, s, seen, values, cache.stride, 0, out.pointer + head * width,
        out.stride)
    }
  }

  package func attentionBackward(
    _ shape: AttentionShape, qkv: Matrix<Scalar>, out: Matrix<Scalar>, dOut: Matrix<Scalar>,
    logSumExp: Vector<Scalar>, dQKV: Matrix<Scalar>
  ) {
    let kernels = kernels
    let length = shape.length, width = shape.headDimension, d = shape.heads * width
    let scale = 1 / Double(width).squareRoot()
    let spaces = scratch.perWorker(Scalar.self, 2 * queryBlock * length, workers: pool.threads)
    pool.forEach(shape.sequences * shape.heads) { task, worker in
      let head = HeadViews(shape, task, qkv: qkv, out: out, logSumExp: logSumExp)
      let gradient = HeadViews(shape, task, qkv: dQKV, out: dOut, logSumExp: logSumExp)
      let p = spaces.base + worker * spaces.stride, dp = p + queryBlock * length
      // From the last block to the first: the last one sees every key and so writes, the others add.
      for first in stride(from: (length - 1) / queryBlock * queryBlock, through: 0, by: -queryBlock) {
        let rows = min(queryBlock, length - first), seen = first + rows
        let adds = seen == length ? 0.0 : 1.0
        let q = head.queries + first * 3 * d, dOut = gradient.out + first * d
        Scalar.gemm(false, true, rows, seen, width, 1, q, 3 * d, head.keys, 3 * d, 0, p, seen)
        kernels.causal_probabilities(rows, first, seen, scale, head.logSumExp + first, p, seen)
        Scalar.gemm(false, true, rows, seen, width, 1, dOut, d, head.values, 3 * d, 0, dp, seen)
        Scalar.gemm(true, false, seen, width, rows, 1, p, seen, dOut, d, adds, gradient.values, 3 * d)
        kernels.causal_softmax_backward(rows, seen, width, scale, p, head.out + first * d, dOut, d, dp, seen)
        Scalar.gemm(
          false, false, rows, width, seen, 1, dp, seen, head.keys, 3 * d, 0, gradient.queries + first * 3 * d,
          3 * d)
        Scalar.gemm(true, false, seen, width, rows, 1, dp, seen, q, 3 * d, adds, gradient.keys, 3 * d)
      }
    }
  }
}

/// Where the rows of one sequence and head begin.
private struct HeadViews<Scalar: Real> {
  let queries, keys, values, out, logSumExp: UnsafeMutablePointer<Scalar>

  init(
    _ shape: AttentionShape, _ task: Int, qkv: Matrix<Scalar>, out: Matrix<Scalar>, logSumExp: Vector<Scalar>
  ) {
    let sequence = task / shape.heads, head = task % shape.heads
    let d = shape.heads * shape.headDimension
    let base = qkv.pointer + sequence * shape.length * 3 * d + head * shape.headDimension
    (queries, keys, values) = (base, base + d, base + 2 * d)
    self.out = out.pointer + sequence * shape.length * d + head * shape.headDimension
    self.logSumExp = logSumExp.pointer + task * shape.length
  }
}
