import Foundation

extension ReferenceOperations {
  /// Scaled dot-product attention (Vaswani et al., 2017, equation 1) of each sequence and head, where query i sees keys
  /// 0...i.
  ///
  /// With s[i, j] = q_i · k_j / √width and p[i, ...] = softmax of s[i, 0...i]: out_i = Σ_j p[i, j] v_j.
  package func attention(
    _ shape: AttentionShape, qkv: Operand<Scalar>, out: Operand<Scalar>, logSumExp sums: Vector<Scalar>
  ) {
    operation {
      for (index, head) in heads(shape).enumerated() {
        let (q, k, v) = head.queriesKeysValues(qkv)
        for i in 0..<shape.length {
          let scores = (0...i).map { dot(q[i], k[$0]) * head.scale }
          head.set(out, i, weightedSum(softmax(scores), v))
          sums[index * shape.length + i] = logSumExp(scores)
        }
      }
    }
  }

  /// With p[i, j] = exp(s[i, j] - logSumExp_i) and dp[i, j] = dout_i · v_j, the gradient of the scores is
  /// ds[i, j] = p[i, j] (dp[i, j] - Σ_j p[i, j] dp[i, j]). Then dv_j = Σ_i p[i, j] dout_i, dq_i = Σ_j ds[i, j] k_j / √width
  /// and dk_j = Σ_i ds[i, j] q_i / √width.
  package func attentionBackward(
    _ shape: AttentionShape, qkv: Operand<Scalar>, out: Operand<Scalar>, dOut: Operand<Scalar>,
    logSumExp sums: Vector<Scalar>, dQKV: Operand<Scalar>
  ) {
    operation {
      for (index, head) in heads(shape).enumerated() {
        let (q, k, v) = head.queriesKeysValues(qkv), d = head.rows(dOut)
        let zero = [Double](repeating: 0, count: shape.headDimension)
        var dQ = q.map { _ in zero }, dK = dQ, dV = dQ
        for i in 0..<shape.length {
          let p = (0...i).map { exp(dot(q[i], k[$0]) * head.scale - sums[index * shape.length + i]) }
          let dP = (0...i).map { dot(d[i], v[$0]) }, mean = dot(p, dP)
          for j in 0...i {
            let dS = p[j] * (dP[j] - mean)
            for c in zero.indices {
              dQ[i][c] += dS * k[j][c] * head.scale
              dK[j][c] += dS * q[i][c] * head.scale
              dV[j][c] += p[j] * d[i][c]
            }
          }
        }
        for i in 0..<shape.length {
          head.set(dQKV, i, dQ[i], part: 0)
          head.set(dQKV, i, dK[i], part: 1)
          head.set(dQKV, i, dV[i], part: 2)
        }
      }
    }
  }

  /// The same for new tokens. Keys and values of all tokens up to and including them come from the caches, in the
  /// precision that the caches have.
  package func attention(
    heads: Int, appending qkv: Matrix<Scalar>, to spans: [CacheSpan<Scalar>], out: Matrix<Scalar>
  ) {
    operation {
      let d = out.columns, width = d / heads
      for span in spans {
        let (keys, values) = (span.cache.keys, span.cache.values)
        for (index, r) in span.rows.enumerated() {
          let position = span.position + index
          for c in 0..<d {
            keys[position, c] = qkv[r, d + c]
            values[position, c] = qkv[r, 2 * d + c]
          }
          for head in 0..<heads {
            let columns = head * width..<(head + 1) * width
            let k = keys.columns(columns).rows(0..<position + 1).allRows
            let v = values.columns(columns).rows(0..<position + 1).allRows
            let query = columns.map { qkv[r, $0] }
            let result = weightedSum(softmax(k.map { dot(query, $0) / Double(width).squareRoot() }), v)
            for (c, x) in zip(columns, result) { out[r, c] = x }
          }
        }
      }
    }
  }

  /// Σ_j weights[j] rows[j]
  private func weightedSum(_ weights: [Double], _ rows: [[Double]]) -> [Double] {
    rows[0].indices.map { c in weights.indices.reduce(0) { $0 + weights[$1] * rows[$1][c] } }
  }

  private func heads(_ shape: AttentionShape) -> [Head<Scalar>] {
    (0..<shape.sequences).flatMap { sequence in
      (0..<shape.heads).map { Head(shape: shape, sequence: sequence, head: $0) }
    }
  }
}

/// One head of one sequence: some rows and columns of the tensors of an attention.
private struct Head<Scalar: Real> {
  let shape: AttentionShape
  let sequence, head: Int

  var scale: Double { 1 / Double(shape.headDimension).squareRoot() }

  /// Rows of this head; of the three `part`s of tokens × 3d: queries, keys and values.
  func rows(_ x: Operand<Scalar>, part: Int = 0) -> [[Double]] { view(x, part).allRows }

  func queriesKeysValues(_ qkv: Operand<Scalar>) -> ([[Double]], [[Double]], [[Double]]) {
    (rows(qkv, part: 0), rows(qkv, part: 1), rows(qkv, part: 2))
  }

  func set(_ x: Operand<Scalar>, _ i: Int, _ numbers: [Double], part: Int = 0) {
    let view = view(x, part)
    for (c, number) in numbers.enumerated() { view[i, c] = number }
  }

  private func view(_ x: Operand<Scalar>, _ part: Int) -> Operand<Scalar> {
    let first = (part * shape.heads + head) * shape.headDimension
    return x.rows(sequence * shape.length..<(sequence + 1) * shape.length)
      .columns(first..<first + shape.headDimension)
  }
}
