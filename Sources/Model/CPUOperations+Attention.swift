import CKernels

extension CPUOperations {
  /// Query rows of one block of the backward pass; scores exist for one block and head at a time.
  private var queryBlock: Int { 128 }

  package func attention(
    _ shape: AttentionShape, qkv: Operand<Scalar>, out: Operand<Scalar>, logSumExp: Vector<Scalar>
  ) {
    let kernels = kernels, width = shape.headDimension
    let spaces = scratch.perWorker(
      Scalar.self, kernels.causal_attention_scratch(shape.length, width), workers: pool.threads)
    pool.forEach(shape.sequences * shape.heads) { task, worker in
      let head = HeadViews(shape, task, qkv: qkv, out: out, logSumExp: logSumExp)
      kernels.causal_attention(
        shape.length, width, 1 / Double(width).squareRoot(), head.queries.pointer, head.keys.pointer,
        head.values.pointer, qkv.stride, head.out.pointer, out.stride, head.logSumExp,
        spaces.base + worker * spaces.stride, qkv.isHalf)
    }
  }

  package func attention(
    heads: Int, appending qkv: Matrix<Scalar>, to pieces: [CachedPiece<Scalar>], out: Matrix<Scalar>
  ) {
    let kernels = kernels, gemm = products.exact
    let d = out.columns, width = d / heads, scale = 1 / Double(width).squareRoot()
    var most = 0
    for piece in pieces {
      let context = piece.cache.rows / (2 * heads), seen = piece.position + piece.rows.count
      precondition(qkv.columns == 3 * d && piece.cache.columns == width && seen <= context)
      most = max(most, piece.rows.count * (seen + 1))
    }
    let spaces = scratch.perWorker(Scalar.self, most, workers: pool.threads)
    pool.forEach(pieces.count * heads) { task, worker in
      let piece = pieces[task / heads], head = task % heads, first = piece.rows.lowerBound
      let new = piece.rows.count, seen = piece.position + new, context = piece.cache.rows / (2 * heads)
      let s = spaces.base + worker * spaces.stride
      let keys = piece.cache.pointer + head * context * width, values = keys + heads * context * width
      let queries = qkv.pointer + first * qkv.stride + head * width
      let result = out.pointer + first * out.stride + head * width
      for row in 0..<new {
        let at = (piece.position + row) * width, given = queries + row * qkv.stride
        (keys + at).update(from: given + d, count: width)
        (values + at).update(from: given + 2 * d, count: width)
      }
      if new == 1 { return kernels.attend(seen, width, scale, queries, keys, values, s, result) }
      gemm(false, true, new, seen, width, 1, queries, qkv.stride, keys, width, 0, s, seen)
      kernels.causal_softmax(new, piece.position, seen, scale, s, s, seen, s + new * seen, false)
      gemm(false, false, new, width, seen, 1, s, seen, values, width, 0, result, out.stride)
    }
  }

  package func attentionBackward(
    _ shape: AttentionShape, qkv: Operand<Scalar>, out: Operand<Scalar>, dOut: Operand<Scalar>,
    logSumExp: Vector<Scalar>, dQKV: Operand<Scalar>
  ) {
    precondition(out.stride == dOut.stride && qkv.isHalf == dQKV.isHalf && qkv.isHalf == dOut.isHalf)
    let kernels = kernels, isHalf = qkv.isHalf, gemm = products.gemm(isHalf: qkv.isHalf)
    let length = shape.length, width = shape.headDimension, block = queryBlock
    let scale = 1 / Double(width).squareRoot()
    let spaces = AttentionSpaces(self, block: block, length: length, width: width, isHalf: isHalf)
    pool.forEach(shape.sequences * shape.heads) { task, worker in
      let head = HeadViews(shape, task, qkv: qkv, out: out, logSumExp: logSumExp)
      let gradient = HeadViews(shape, task, qkv: dQKV, out: dOut, logSumExp: logSumExp)
      let space = spaces.of(worker)
      let s = space.scores, ds = space.scoreGradients, keys = head.keys, values = head.values
      let p = isHalf ? space.halves : UnsafeMutableRawPointer(s)
      let dp = isHalf ? space.halves : UnsafeMutableRawPointer(ds)
      let dQueries = gradient.queries.source(space.results)
      let dKeys = gradient.keys.source(space.results(1)), dValues = gradient.values.source(space.results(2))
      // From the last block to the first: the last one sees every key and so writes, the others add.
      for first in stride(from: (length - 1) / block * block, through: 0, by: -block) {
        let rows = min(block, length - first), seen = first + rows
        let adds = seen == length ? 0.0 : 1.0
        let queries = head.queries.rows(first..<seen), d = gradient.out.rows(first..<seen)
        let dq = dQueries.rows(first..<seen)
        gemm(
          false, true, rows, seen, width, 1, queries.pointer, queries.stride, keys.pointer, keys.stride, 0, s,
          seen)
        kernels.causal_probabilities(rows, first, seen, scale, head.logSumExp + first, s, p, seen, isHalf)
        gemm(
          true, false, seen, width, rows, 1, p, seen, d.pointer, d.stride, adds, dValues.pointer,
          dValues.stride)
        gemm(
          false, true, rows, seen, width, 1, d.pointer, d.stride, values.pointer, values.stride, 0, ds, seen)
        kernels.causal_softmax_backward(
          rows, seen, width, scale, s, head.out.rows(first..<seen).pointer, d.pointer, d.stride, ds, dp, seen,
          isHalf)
        gemm(
          false, false, rows, width, seen, 1, dp, seen, keys.pointer, keys.stride, 0, dq.pointer, dq.stride)
        gemm(
          true, false, seen, width, rows, 1, dp, seen, queries.pointer, queries.stride, adds, dKeys.pointer,
          dKeys.stride)
      }
      store(dQueries, by: kernels, into: gradient.queries)
      store(dKeys, by: kernels, into: gradient.keys)
      store(dValues, by: kernels, into: gradient.values)
    }
  }
}

/// On the calling thread; nothing to do where the reals are the operand.
private func store<Scalar: Real>(
  _ x: Matrix<Scalar>, by kernels: kernel_table, into operand: Operand<Scalar>
) {
  guard operand.isHalf else { return }
  kernels.to_operand(x.rows, x.columns, x.pointer, x.stride, operand.pointer, operand.stride)
}

/// The rows of one sequence and head.
private struct HeadViews<Scalar: Real> {
  let queries, keys, values, out: Operand<Scalar>
  let logSumExp: UnsafeMutablePointer<Scalar>

  init(
    _ shape: AttentionShape, _ task: Int, qkv: Operand<Scalar>, out: Operand<Scalar>,
    logSumExp: Vector<Scalar>
  ) {
    let sequence = task / shape.heads, head = task % shape.heads
    let width = shape.headDimension, d = shape.heads * width
    let rows = sequence * shape.length..<(sequence + 1) * shape.length
    let inputs = qkv.rows(rows)
    func part(_ index: Int) -> Operand<Scalar> {
      inputs.columns(index * d + head * width..<index * d + (head + 1) * width)
    }
    (queries, keys, values) = (part(0), part(1), part(2))
    self.out = out.rows(rows).columns(head * width..<(head + 1) * width)
    self.logSumExp = logSumExp.pointer + task * shape.length
  }
}

/// Working memory of attention, a part for each worker: scores and their gradients for one block of queries; and for
/// operands of half precision one block of those, and the results of one head before they are rounded.
private struct AttentionSpaces<Scalar: Real> {
  private let base: UnsafeMutablePointer<Scalar>
  private let stride, block, length, width: Int

  init(_ device: CPUOperations<Scalar>, block: Int, length: Int, width: Int, isHalf: Bool) {
    (self.block, self.length, self.width) = (block, length, width)
    let spaces = device.scratch.perWorker(
      Scalar.self, block * length * (isHalf ? 3 : 2) + (isHalf ? 3 * length * width : 0),
      workers: device.pool.threads)
    (base, stride) = (spaces.base, spaces.stride)
  }

  struct Space {
    fileprivate let spaces: AttentionSpaces
    let scores: UnsafeMutablePointer<Scalar>
    private var count: Int { spaces.block * spaces.length }

    var scoreGradients: UnsafeMutablePointer<Scalar> { scores + count }
    var halves: UnsafeMutableRawPointer { UnsafeMutableRawPointer(scores + 2 * count) }
    var results: Matrix<Scalar> { results(0) }

    func results(_ part: Int) -> Matrix<Scalar> {
      Matrix(
        scores + 3 * count + part * spaces.length * spaces.width, rows: spaces.length, columns: spaces.width)
    }
  }

  func of(_ worker: Int) -> Space { Space(spaces: self, scores: base + worker * stride) }
}
