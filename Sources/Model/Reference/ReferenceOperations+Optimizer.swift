import Foundation

/// Adam (Kingma and Ba, 2015, algorithm 1) in the form of XLM's code: ε is added outside the bias correction.
extension ReferenceOperations {
  package func adam(
    _ parameter: Vector<Scalar>, _ operand: Operand<Scalar>?, gradient: Vector<Scalar>, m: Vector<Scalar>,
    v: Vector<Scalar>, _ step: AdamStep
  ) {
    operation {
      for i in parameter.indices {
        parameter[i] = step.updated(parameter[i], gradient: gradient[i], m: &m[i], v: &v[i])
        if let operand { operand[i / operand.columns, i % operand.columns] = parameter[i] }
      }
    }
  }

  package func addSquaredNorm(of gradient: ValueGradient<Scalar>, to sum: DeviceArray<Double>) {
    operation { sum[0] += gradientRows(gradient).values.reduce(0) { $0 + dot($1, $1) } }
  }

  /// Rows that were not read keep their values and their moments. Values in bfloat16 are rounded stochastically: element c of
  /// slot s by the hash of c under the rounding key xor s · 0x9e3779b97f4a7c15.
  package func lazyAdam(
    _ values: Operand<Scalar>, gradient: ValueGradient<Scalar>, m: Matrix<Scalar>, v: Matrix<Scalar>,
    _ step: AdamStep
  ) {
    operation {
      for (slot, row) in gradientRows(gradient) {
        let key = step.roundingKey ^ (UInt64(slot) &* 0x9e37_79b9_7f4a_7c15)
        for c in row.indices {
          let value = step.updated(values[slot, c], gradient: row[c], m: &m[slot, c], v: &v[slot, c])
          if values.isBF16 {
            values.setBits(slot, c, BF16.stochastic(value, random: elementHash(key: key, index: UInt32(c))))
          } else {
            values[slot, c] = value
          }
        }
      }
    }
  }

  /// The gradient of each slot that was read: Σ weight · dy over its reads.
  private func gradientRows(_ gradient: ValueGradient<Scalar>) -> [Int: [Double]] {
    let reads = gradient.gathered, (slots, weights, dy) = (reads.slots, reads.weights, reads.dy)
    var rows: [Int: [Double]] = [:]
    for r in 0..<weights.rows {
      for read in 0..<weights.columns {
        let slot = Int(slots[r * weights.columns + read])
        let row = rows[slot] ?? [Double](repeating: 0, count: dy.columns)
        rows[slot] = row.indices.map { row[$0] + weights[r, read] * dy[r, $0] }
      }
    }
    return rows
  }
}

extension AdamStep {
  /// The parameter after one update; moves its moments.
  ///
  ///     m ← β1 m + (1 - β1) g      v ← β2 v + (1 - β2) g²
  ///     p ← p - lr · √(1 - β2ᵗ) / (1 - β1ᵗ) · m / (√v + ε)
  fileprivate func updated(_ p: Double, gradient: Double, m: inout Double, v: inout Double) -> Double {
    let clipping = clipping.map { $0.factor(squaredNorm: $0.squaredNorm[0]) } ?? 1
    let g = gradient * gradientScale * clipping, t = Double(step)
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    return p - learningRate * (1 - pow(beta2, t)).squareRoot() / (1 - pow(beta1, t)) * m
      / (v.squareRoot() + epsilon)
  }
}
