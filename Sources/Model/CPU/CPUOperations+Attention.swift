import CModelKernels

extension CPUOperations {
  package func attention(
    _ shape: AttentionShape, qkv: Operand<Scalar>, out: Operand<Scalar>, logSumExp: Vector<Scalar>
  ) {
    let kernels = kernels, width = shape.headDimension
    scratch.withBuffers(
      of: Scalar.self, count: kernels.causal_attention_scratch(shape.length, width), workers: pool.threads
    ) { buffers in
      pool.forEach(shape.sequences * shape.heads) { task, worker in
        let head = HeadViews(shape, task, qkv: qkv, out: out, logSumExp: logSumExp)
        kernels.causal_attention(head.kernelHead, buffers[worker], qkv.isBF16)
      }
    }
  }

  package func attentionBackward(
    _ shape: AttentionShape, qkv: Operand<Scalar>, out: Operand<Scalar>, dOut: Operand<Scalar>,
    logSumExp: Vector<Scalar>, dQKV: Operand<Scalar>
  ) {
    precondition(out.stride == dOut.stride && qkv.stride == dQKV.stride)
    precondition(qkv.isBF16 == dQKV.isBF16 && qkv.isBF16 == dOut.isBF16)
    let kernels = kernels, width = shape.headDimension
    scratch.withBuffers(
      of: Scalar.self, count: kernels.causal_attention_backward_scratch(shape.length, width),
      workers: pool.threads
    ) { buffers in
      pool.forEach(shape.sequences * shape.heads) { task, worker in
        let head = HeadViews(shape, task, qkv: qkv, out: out, logSumExp: logSumExp)
        let gradient = HeadViews(shape, task, qkv: dQKV, out: dOut, logSumExp: logSumExp)
        kernels.causal_attention_backward(
          head.kernelHead, gradient.out.pointer, gradient.queries.pointer, gradient.keys.pointer,
          gradient.values.pointer, buffers[worker], qkv.isBF16)
      }
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

  var kernelHead: pkm_attention_head {
    pkm_attention_head(
      length: queries.rows, width: queries.columns, scale: 1 / Double(queries.columns).squareRoot(),
      queries: queries.pointer, keys: keys.pointer, values: values.pointer, stride: queries.stride,
      out: out.pointer, out_stride: out.stride, log_sum_exp: logSumExp)
  }
}
