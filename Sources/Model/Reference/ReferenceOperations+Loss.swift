extension ReferenceOperations {
  package func embed(
    _ tokens: DeviceArray<Int32>, table: Matrix<Scalar>, positions: Matrix<Scalar>, length: Int,
    firstPosition: Int, into out: Matrix<Scalar>
  ) {
    operation {
      for r in 0..<out.rows {
        for c in 0..<out.columns {
          out[r, c] = table[Int(tokens[r]), c] + positions[firstPosition + r % length, c]
        }
      }
    }
  }

  package func embedBackward(
    _ tokens: DeviceArray<Int32>, _ d: Matrix<Scalar>, length: Int, table: Matrix<Scalar>,
    positions: Matrix<Scalar>
  ) {
    operation {
      for r in 0..<d.rows {
        for c in 0..<d.columns {
          table[Int(tokens[r]), c] += d[r, c]
          positions[r % length, c] += d[r, c]
        }
      }
    }
  }

  /// With the logits z = x · tableᵀ + bias, p = softmax(z) and the smoothed target distribution
  /// q = (1 - ε) [c = target] + ε / V (Szegedy et al., 2016, section 7): nll = -log p[target],
  /// smoothed = -Σ q log p, and the gradient of smoothed with respect to z is p - q.
  package func crossEntropy(
    of x: Operand<Scalar>, table: Operand<Scalar>, bias: Vector<Scalar>, targets: DeviceArray<Int32>,
    smoothing: Double, gradient: Operand<Scalar>?, addingTo sums: LossSums
  ) {
    operation {
      let classes = table.allRows
      for r in 0..<x.rows {
        let target = Int(targets[r])
        guard target >= 0 else {
          for c in 0..<classes.count { gradient?[r, c] = 0 }
          continue
        }
        let row = x.row(r), z = (0..<classes.count).map { dot(row, classes[$0]) + bias[$0] }
        let p = softmax(z), logSum = logSumExp(z)
        let uniform = smoothing / Double(classes.count)
        let q = (0..<classes.count).map { ($0 == target ? 1 - smoothing : 0) + uniform }
        sums.numbers[0] += logSum - z[target]
        sums.numbers[1] += dot(q, z.map { logSum - $0 })
        sums.numbers[2] += 1
        for c in 0..<classes.count { gradient?[r, c] = p[c] - q[c] }
      }
    }
  }
}
