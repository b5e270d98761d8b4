@testable import Model

/// The choice of slots.
struct LookupCase: OperationCase {
  static let multiplies = true
  static let hasOperands = false

  enum Numbers {
    case normal
    /// All scores are below 0, where sub-keys that do not exist would be better.
    case negative
    /// Scores are exact and many are equal.
    case integers(below: Int)
    /// Some sub-keys are not numbers.
    case notNumbers
    /// A device that rounds to bytes estimates each fourth score of the first half too high and the others too low, by
    /// almost as much as it can be, so that the wrong ones seem best. For 2 · 16 columns.
    case misleading
  }

  let rows, n, heads, k, half: Int
  var numbers = Numbers.normal
  var gap = 0

  static let all =
    [
      LookupCase(rows: 1, n: 1, heads: 1, k: 1, half: 1),
      LookupCase(rows: 5, n: 6, heads: 2, k: 3, half: 4, gap: 3),
      LookupCase(rows: 9, n: 7, heads: 1, k: 7, half: 5),
      LookupCase(rows: 40, n: 33, heads: 3, k: 16, half: 16),
      LookupCase(rows: 300, n: 20, heads: 1, k: 5, half: 8),
      // Large enough for a device to estimate scores first.
      LookupCase(rows: 260, n: 130, heads: 2, k: 32, half: 32),
      LookupCase(rows: 256, n: 300, heads: 1, k: 32, half: 16),
      LookupCase(rows: 30, n: 12, heads: 2, k: 8, half: 3, numbers: .notNumbers),
      LookupCase(rows: 256, n: 130, heads: 1, k: 8, half: 16, numbers: .misleading),
      LookupCase(rows: 256, n: 130, heads: 1, k: 5, half: 16, numbers: .negative),
    ]
    + [1, 2, 3, 9].flatMap { bound in
      [
        LookupCase(rows: 20, n: 5, heads: 2, k: 4, half: 2, numbers: .integers(below: bound)),
        LookupCase(rows: 40, n: 40, heads: 1, k: 20, half: 3, numbers: .integers(below: bound)),
        LookupCase(rows: 256, n: 128, heads: 1, k: 32, half: 16, numbers: .integers(below: bound)),
      ]
    }

  func run<Device: Operations>(on bed: TestBed<Device>) -> [Outcome] {
    let shape = MemoryShape(heads: heads, subkeys: n, topk: k, queryDimension: 2 * half)
    func number(_ seed: UInt64) -> (Int) -> Double {
      switch numbers {
      case .normal: normal(seed)
      case .negative: ofOneSign(seed == 1 ? 1 : -1, normal(seed))
      case .integers(let bound): whole(seed, below: bound)
      case .misleading: { seed == 1 ? misleadingQuery($0) : misleadingSubkey($0) }
      case .notNumbers: { $0 % 41 == 3 && seed == 2 ? .nan : whole(seed, below: 50)($0) }
      }
    }
    let queries = bed.matrix(rows, heads * 2 * half, gap: gap, number(1))
    let subkeys = bed.matrix(heads * 2 * n, half, number(2))
    let slots = bed.array(rows * shape.reads) { _ in Int32(-1) }, weights = bed.matrix(rows, shape.reads)
    bed.device.lookup(
      shape, queries: queries, subkeys: subkeys, slots: slots, weights: weights)
    var outcomes = [Outcome("weights", bed.numbers(weights), factor: 20)]
    switch numbers {
    case .normal, .negative:
      // Rounding may exchange slots of almost the same score.
      outcomes += scores(of: bed.device.download(slots), bed.numbers(queries), bed.numbers(subkeys))
    case .integers, .notNumbers, .misleading:
      outcomes.append(Outcome("slots", bed.numbers(slots), .exact))
    }
    return outcomes
  }

  private func ofOneSign(_ sign: Double, _ number: @escaping (Int) -> Double) -> (Int) -> Double {
    { sign * abs(number($0)) }
  }

  /// In steps of 1/127 of the largest number, 0.4375 is rounded to 0.
  private func misleadingQuery(_ i: Int) -> Double {
    switch i % 32 {
    case ..<8: 127
    case ..<16: 0.4375
    default: 1
    }
  }

  /// With the query above, each fourth sub-key has the score 8 · (127 - 0.4375) and the others 0.994 · 8 · (127 + 0.4375),
  /// which is more. All sums are exact. In the second half one sub-key is far above the others.
  private func misleadingSubkey(_ i: Int) -> Double {
    let key = i / 16
    if key >= n { return key == n ? 1 : -1 }
    return key % 4 > 0 ? 1 - 3.0 / 512 : i % 16 < 8 ? 1 : -1
  }

  /// Scores of the slots that were chosen, and how many different ones there are for each token and head.
  private func scores(
    of slots: [Int32], _ queries: [Double], _ subkeys: [Double]
  ) -> [Outcome] {
    var scores: [Double] = [], different: [Double] = []
    for choice in 0..<rows * heads {
      let head = choice % heads, chosen = slots[choice * k..<(choice + 1) * k].map(Int.init)
      different.append(Double(Set(chosen).count))
      for slot in chosen {
        scores.append(
          (0..<2 * half).reduce(0) { sum, e in
            let side = e / half, key = (head * 2 + side) * n + (side == 0 ? slot / n : slot % n)
            return sum + queries[choice * 2 * half + e] * subkeys[key * half + e % half]
          })
      }
    }
    return [Outcome("scores", scores), Outcome("different slots", different, .exact)]
  }
}

/// Gradients of queries and sub-keys.
struct LookupBackwardCase: OperationCase {
  static let multiplies = true

  let rows, n, heads, k, half: Int

  static let all = [(1, 1, 1, 1, 1), (5, 6, 2, 3, 4), (40, 33, 1, 8, 16), (140, 20, 3, 5, 17)].map {
    LookupBackwardCase(rows: $0, n: $1, heads: $2, k: $3, half: $4)
  }

  func run<Device: Operations>(on bed: TestBed<Device>) -> [Outcome] {
    let shape = MemoryShape(heads: heads, subkeys: n, topk: k, queryDimension: 2 * half)
    let queries = bed.operand(rows, heads * 2 * half, normal(1)),
      subkeys = bed.operand(heads * 2 * n, half, normal(2))
    let slots = bed.array(rows * shape.reads) { Int32(whole(3, below: n * n)($0)) }
    let weights = bed.matrix(rows, shape.reads) { abs(normal(4)($0)) / Double(k) }
    let dWeights = bed.matrix(rows, shape.reads, normal(5)), scratch = bed.operand(rows, heads * 2 * n)
    let dQueries = bed.matrix(rows, heads * 2 * half), dSubkeys = bed.matrix(heads * 2 * n, half, normal(6))
    bed.device.lookupBackward(
      shape, queries: queries, subkeys: subkeys, slots: slots, weights: weights,
      dWeights: dWeights,
      scoreGradients: scratch, dQueries: dQueries, dSubkeys: dSubkeys)
    return [
      Outcome("queries", bed.numbers(dQueries), .throughOperands),
      Outcome("sub-keys", bed.numbers(dSubkeys), .throughOperands),
    ]
  }
}

/// Reading values and updating the ones that were read, over two micro-batches.
struct ValueCase: OperationCase {
  let tokens, reads, slots, d: Int
  let isBF16: Bool

  static let all = [true, false].flatMap { isBF16 in
    [(1, 1, 1, 1), (9, 3, 36, 5), (50, 9, 64, 37), (130, 8, 400, 64), (20, 5, 9, 700)].map {
      ValueCase(tokens: $0, reads: $1, slots: $2, d: $3, isBF16: isBF16)
    }
  }

  func run<Device: Operations>(on bed: TestBed<Device>) throws -> [Outcome] {
    let device = bed.device
    let (gradient, arena) = try ArenaPlan.build(on: device) {
      ValueGradient<Device.Scalar>(slots: slots, dimension: d, tokens: 3 * tokens, reads: reads, in: &$0)
    }
    bed.keep(arena)
    let values = bed.operand(slots, d, isBF16: isBF16, normal(1)), before = bed.numbers(values)
    let m = bed.matrix(slots, d, normal(2)), v = bed.matrix(slots, d) { abs(normal(3)($0)) }
    let mass = bed.array(slots) { Double($0) }
    var outcomes: [Outcome] = [], touched: Set<Int32> = []
    for batch in 0..<2 as Range<UInt64> {
      let chosen = bed.array(tokens * reads) { Int32(whole(4 + batch, below: (slots + 1) / 2)($0)) }
      touched.formUnion(device.download(chosen))
      let weights = bed.matrix(tokens, reads) { abs(normal(6 + batch)($0)) }
      let y = bed.matrix(tokens, d), dWeights = bed.matrix(tokens, reads)
      device.weightedSum(slots: chosen, weights: weights, values: values, into: y)
      device.weightedSumBackward(
        slots: chosen, weights: weights, values: values,
        dy: bed.matrix(tokens, d, normal(8 + batch)),
        dWeights: dWeights, gradient: gradient)
      device.accumulateMass(slots: chosen, weights: weights, into: mass)
      outcomes.append(Outcome("read \(batch)", bed.numbers(y)))
      outcomes.append(Outcome("weights \(batch)", bed.numbers(dWeights)))
    }
    // As another rank would append them.
    let others = ValueGradient<Device.Scalar>.Reads(
      slots: bed.array(tokens * reads) { Int32(whole(10, below: slots)($0)) },
      weights: bed.matrix(tokens, reads) { abs(normal(11)($0)) }, dy: bed.matrix(tokens, d, normal(12)))
    touched.formUnion(device.download(others.slots))
    device.append(others, to: gradient)
    let square = bed.array(1) { _ in 0.5 }
    device.addSquaredNorm(of: gradient, to: square)
    outcomes.append(Outcome("norm", device.download(square)))
    outcomes.append(Outcome("mass", device.download(mass)))
    outcomes.append(
      Outcome("slots read", [Double(device.touchedSlots(of: gradient)), Double(touched.count)], .exact))
    device.lazyAdam(
      values, gradient: gradient, m: m, v: v,
      AdamStep(
        learningRate: 0.01, step: 3, gradientScale: 0.5,
        clipping: GradientClipping(limit: 3, squaredNorm: bed.array(1) { _ in 36.0 }),
        roundingKey: 0xfedc_ba98_7654_3210))
    let after = bed.numbers(values)
    outcomes.append(Outcome("values", after, isBF16 ? .stochastic : .real))
    outcomes.append(Outcome("first moment", bed.numbers(m)))
    outcomes.append(Outcome("second moment", bed.numbers(v)))
    let isUntouched = (0..<slots * d).allSatisfy {
      touched.contains(Int32($0 / d)) || after[$0] == before[$0]
    }
    outcomes.append(Outcome("other rows keep every bit", [isUntouched ? 1 : 0], .exact))
    return outcomes
  }
}
