import CKernels

extension CPUOperations {
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
    precondition(out.stride == dOut.stride && qkv.stride == dQKV.stride)
    precondition(qkv.isHalf == dQKV.isHalf && qkv.isHalf == dOut.isHalf)
    let kernels = kernels, width = shape.headDimension
    let spaces = scratch.perWorker(
      Scalar.self, kernels.causal_attention_backward_scratch(shape.length, width), workers: pool.threads)
    pool.forEach(shape.sequences * shape.heads) { task, worker in
      let head = HeadViews(shape, task, qkv: qkv, out: out, logSumExp: logSumExp)
      let gradient = HeadViews(shape, task, qkv: dQKV, out: dOut, logSumExp: logSumExp)
      kernels.causal_attention_backward(
        shape.length, width, 1 / Double(width).squareRoot(), head.queries.pointer, head.keys.pointer,
        head.values.pointer, qkv.stride, head.out.pointer, gradient.out.pointer, out.stride, head.logSumExp,
        gradient.queries.pointer, gradient.keys.pointer, gradient.values.pointer,
        spaces.base + worker * spaces.stride, qkv.isHalf)
    }
  }
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
