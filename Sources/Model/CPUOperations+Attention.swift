extension CPUOperations {
  /// Query rows of one block; scores exist for one block and head at a time.
  private var queryBlock: Int { 128 }

  package func attention(
    _ shape: AttentionShape, qkv: Matrix<Scalar>, out: Matrix<Scalar>, logSumExp: Vector<Scalar>
  ) {
    let kernels = kernels, products = products
    let length = shape.length, width = shape.headDimension, d = shape.heads * width
    let scale = 1 / Double(width).squareRoot()
    let spaces = AttentionSpaces(self, block: queryBlock, length: length, width: width)
    pool.forEach(shape.sequences * shape.heads) { task, worker in
      let head = HeadViews(shape, task, qkv: qkv, out: out, logSumExp: logSumExp)
      let space = spaces.of(worker)
      let queries = space.head(head.queries, stride: 3 * d, part: 0)
      let keys = space.head(head.keys, stride: 3 * d, part: 1)
      let values = space.head(head.values, stride: 3 * d, part: 2)
      let s = space.scores
      for first in stride(from: 0, to: length, by: queryBlock) {
        let rows = min(queryBlock, length - first), seen = first + rows
        products.rounded(
          false, true, rows, seen, width, 1, products.rows(of: queries, from: first), queries.stride,
          keys.pointer, keys.stride, 0, s, seen)
        kernels.causal_softmax(rows, first, seen, scale, s, seen, head.logSumExp + first)
        let p = space.probabilities(s, rows: rows, seen: seen)
        products.rounded(
          false, false, rows, width, seen, 1, p.pointer, p.stride, values.pointer, values.stride, 0,
          head.out + first * d, d)
      }
    }
  }

  package func attention(
    heads: Int, appending qkv: Matrix<Scalar>, to cache: Matrix<Scalar>, at position: Int, out: Matrix<Scalar>
  ) {
    let kernels = kernels, gemm = products.exact
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
      gemm(
        false, true, new, seen, width, 1, qkv.pointer + head * width, qkv.stride, keys, cache.stride, 0, s,
        seen)
      kernels.causal_softmax(new, position, seen, 1 / Double(width).squareRoot(), s, seen, s + new * seen)
      gemm(
        false, false, new, width, seen, 1, s, seen, values, cache.stride, 0, out.pointer + head * width,
        out.stride)
    }
  }

  package func attentionBackward(
    _ shape: AttentionShape, qkv: Matrix<Scalar>, out: Matrix<Scalar>, dOut: Matrix<Scalar>,
    logSumExp: Vector<Scalar>, dQKV: Matrix<Scalar>
  ) {
    let kernels = kernels, products = products, gemm = products.rounded
    let length = shape.length, width = shape.headDimension, d = shape.heads * width
    let scale = 1 / Double(width).squareRoot()
    let spaces = AttentionSpaces(self, block: queryBlock, length: length, width: width)
    pool.forEach(shape.sequences * shape.heads) { task, worker in
      let head = HeadViews(shape, task, qkv: qkv, out: out, logSumExp: logSumExp)
      let gradient = HeadViews(shape, task, qkv: dQKV, out: dOut, logSumExp: logSumExp)
      let space = spaces.of(worker)
      let queries = space.head(head.queries, stride: 3 * d, part: 0)
      let keys = space.head(head.keys, stride: 3 * d, part: 1)
      let values = space.head(head.values, stride: 3 * d, part: 2)
      let dOuts = space.head(gradient.out, stride: d, part: 3)
      // From the last block to the first: the last one sees every key and so writes, the others add.
      for first in stride(from: (length - 1) / queryBlock * queryBlock, through: 0, by: -queryBlock) {
        let rows = min(queryBlock, length - first), seen = first + rows
        let adds = seen == length ? 0.0 : 1.0
        let q = products.rows(of: queries, from: first), dOut = products.rows(of: dOuts, from: first)
        let s = space.scores, ds = space.scoreGradients
        gemm(false, true, rows, seen, width, 1, q, queries.stride, keys.pointer, keys.stride, 0, s, seen)
        kernels.causal_probabilities(rows, first, seen, scale, head.logSumExp + first, s, seen)
        gemm(
          false, true, rows, seen, width, 1, dOut, dOuts.stride, values.pointer, values.stride, 0, ds, seen)
        kernels.causal_softmax_backward(
          rows, seen, width, scale, s, head.out + first * d, gradient.out + first * d, d, ds, seen)
        let p = space.probabilities(s, rows: rows, seen: seen)
        gemm(
          true, false, seen, width, rows, 1, p.pointer, p.stride, dOut, dOuts.stride, adds, gradient.values,
          3 * d)
        let dp = space.probabilities(ds, rows: rows, seen: seen)
        gemm(
          false, false, rows, width, seen, 1, dp.pointer, dp.stride, keys.pointer, keys.stride, 0,
          gradient.queries + first * 3 * d, 3 * d)
        gemm(
          true, false, seen, width, rows, 1, dp.pointer, dp.stride, q, queries.stride, adds, gradient.keys,
          3 * d)
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

/// Working memory of attention, a part for each worker: scores and their gradients for one block of queries, and, where
/// products round, the operands of one head.
private struct AttentionSpaces<Scalar: Real> {
  private let products: Products<Scalar>
  private let base: UnsafeMutableRawPointer
  private let stride, block, length, width: Int

  init(_ device: CPUOperations<Scalar>, block: Int, length: Int, width: Int) {
    (products, self.block, self.length, self.width) = (device.products, block, length, width)
    let scores = 2 * block * length * MemoryLayout<Scalar>.stride
    let operands =
      device.products.rounding == nil ? 0 : (block + 4 * width) * length * device.products.operandBytes
    let spaces = device.scratch.perWorker(
      UInt8.self, scores + operands, workers: device.pool.threads)
    (base, stride) = (UnsafeMutableRawPointer(spaces.base), spaces.stride)
  }

  struct Space {
    fileprivate let spaces: AttentionSpaces
    fileprivate let base: UnsafeMutableRawPointer

    private var scoreCount: Int { spaces.block * spaces.length }
    var scores: UnsafeMutablePointer<Scalar> {
      base.bindMemory(to: Scalar.self, capacity: 2 * scoreCount)
    }
    var scoreGradients: UnsafeMutablePointer<Scalar> { scores + scoreCount }
    private var operands: UnsafeMutableRawPointer { UnsafeMutableRawPointer(scores + 2 * scoreCount) }

    /// One block of probabilities or of score gradients.
    func probabilities(_ x: UnsafePointer<Scalar>, rows: Int, seen: Int) -> Operand {
      spaces.products.operand(x, rows: rows, columns: seen, stride: seen, in: operands)
    }

    /// All rows of one head: part 0...3 are queries, keys, values and the gradient of the output.
    func head(_ x: UnsafePointer<Scalar>, stride: Int, part: Int) -> Operand {
      let at = (scoreCount + part * spaces.length * spaces.width) * spaces.products.operandBytes
      return spaces.products.operand(
        x, rows: spaces.length, columns: spaces.width, stride: stride, in: operands + at)
    }
  }

  func of(_ worker: Int) -> Space { Space(spaces: self, base: base + worker * stride) }
}
