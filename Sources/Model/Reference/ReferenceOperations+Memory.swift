/// The product-key memory (Lample et al., 2019, section 3.1).
extension ReferenceOperations {
  /// A query has two halves and each head two lists of n sub-keys, one for each half. Slot i · n + j has the score
  /// q₁ · k₁[i] + q₂ · k₂[j]. The topk best of all n² slots are found by looking at each of them; of equal scores the lower
  /// slot goes first, and a score that is not a number counts as -∞.
  package func lookup(
    _ shape: MemoryShape, queries: Matrix<Scalar>, subkeys: Matrix<Scalar>,
    slots: DeviceArray<Int32>, weights: Matrix<Scalar>
  ) {
    operation {
      let n = shape.subkeys
      for r in 0..<queries.rows {
        for head in 0..<shape.heads {
          let scores = (0..<2).map { side in
            let query = half(of: queries, r, shape, head, side)
            return (0..<n).map { dot(query, subkeys.row((head * 2 + side) * n + $0)) }
          }
          var best: [(slot: Int, score: Double)] = []
          for slot in 0..<shape.slots {
            let sum = scores[0][slot / n] + scores[1][slot % n], score = sum.isNaN ? -.infinity : sum
            if best.count == shape.topk && score <= best.last!.score { continue }
            let rank = best.firstIndex { $0.score < score } ?? best.count
            best.insert((slot, score), at: rank)
            if best.count > shape.topk { best.removeLast() }
          }
          for (m, weight) in softmax(best.map(\.score)).enumerated() {
            slots[r * shape.reads + head * shape.topk + m] = Int32(best[m].slot)
            weights[r, head * shape.topk + m] = weight
          }
        }
      }
    }
  }

  /// Through the softmax: ds_m = w_m (dw_m - Σ w dw). The score of slot (i, j) is the sum of the scores of sub-keys i and j,
  /// which therefore both get its gradient; then through the two dot products.
  package func lookupBackward(
    _ shape: MemoryShape, queries: Operand<Scalar>, subkeys: Operand<Scalar>, slots: DeviceArray<Int32>,
    weights: Matrix<Scalar>, dWeights: Matrix<Scalar>, scoreGradients: Operand<Scalar>,
    dQueries: Matrix<Scalar>, dSubkeys: Matrix<Scalar>
  ) {
    operation {
      let n = shape.subkeys
      for r in 0..<queries.rows {
        for head in 0..<shape.heads {
          let reads = head * shape.topk..<(head + 1) * shape.topk
          let mean = reads.reduce(0) { $0 + weights[r, $1] * dWeights[r, $1] }
          var dScores = [[Double]](repeating: [Double](repeating: 0, count: n), count: 2)
          for m in reads {
            let slot = Int(slots[r * shape.reads + m]), d = weights[r, m] * (dWeights[r, m] - mean)
            dScores[0][slot / n] += d
            dScores[1][slot % n] += d
          }
          for side in 0..<2 {
            let list = (head * 2 + side) * n, first = (head * 2 + side) * shape.half
            for e in first..<first + shape.half { dQueries[r, e] = 0 }
            for i in 0..<n {
              scoreGradients[r, list + i] = dScores[side][i]
              let d = scoreGradients[r, list + i]
              for e in 0..<shape.half {
                dQueries[r, first + e] += d * subkeys[list + i, e]
                dSubkeys[list + i, e] += d * queries[r, first + e]
              }
            }
          }
        }
      }
    }
  }

  private func half(
    of queries: Matrix<Scalar>, _ r: Int, _ shape: MemoryShape, _ head: Int, _ side: Int
  ) -> [Double] {
    let first = head * shape.queryDimension + side * shape.half
    return (first..<first + shape.half).map { queries[r, $0] }
  }

  package func weightedSum(
    slots: DeviceArray<Int32>, weights: Matrix<Scalar>, values: Operand<Scalar>, into y: Matrix<Scalar>
  ) {
    operation {
      for r in 0..<y.rows {
        for c in 0..<y.columns {
          y[r, c] = (0..<weights.columns).reduce(0) { sum, m in
            sum + weights[r, m] * values[Int(slots[r * weights.columns + m]), c]
          }
        }
      }
    }
  }

  /// dweights[r, m] = dy[r] · values[slots[r, m]]. The gradient of the values, Σ weight · dy for each slot over its reads,
  /// is not computed yet: the reads are appended to `gradient`.
  package func weightedSumBackward(
    slots: DeviceArray<Int32>, weights: Matrix<Scalar>, values: Operand<Scalar>, dy: Matrix<Scalar>,
    dWeights: Matrix<Scalar>, gradient: ValueGradient<Scalar>
  ) {
    operation {
      for r in 0..<dy.rows {
        for m in 0..<weights.columns {
          dWeights[r, m] = dot(dy.row(r), values.row(Int(slots[r * weights.columns + m])))
        }
      }
      append(ValueGradient<Scalar>.Reads(slots: slots, weights: weights, dy: dy), to: gradient)
    }
  }

  package func append(_ reads: ValueGradient<Scalar>.Reads, to gradient: ValueGradient<Scalar>) {
    operation {
      let new = gradient.reads(of: gradient.append(tokens: reads.weights.rows))
      for r in 0..<reads.weights.rows {
        for m in 0..<reads.weights.columns {
          let read = r * reads.weights.columns + m
          new.slots[read] = reads.slots[read]
          new.weights[r, m] = reads.weights[r, m]
        }
        for c in 0..<reads.dy.columns { new.dy[r, c] = reads.dy[r, c] }
      }
    }
  }

  package func touchedSlots(of gradient: ValueGradient<Scalar>) -> Int {
    operation { Set(gradient.gathered.slots.buffer).count }
  }

  package func accumulateMass(
    slots: DeviceArray<Int32>, weights: Matrix<Scalar>, into mass: DeviceArray<Double>
  ) {
    operation {
      for r in 0..<weights.rows {
        for m in 0..<weights.columns { mass[Int(slots[r * weights.columns + m])] += weights[r, m] }
      }
    }
  }
}
