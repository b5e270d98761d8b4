import Model

/// Lengths below, at and above the blocks of queries and keys; widths that do not fill registers.
struct AttentionCase: OperationCase {
  let sequences, length, heads, width: Int
  var gap = 0
  var deviation = 1.0

  static let all = [
    AttentionCase(sequences: 1, length: 1, heads: 1, width: 1),
    AttentionCase(sequences: 2, length: 5, heads: 2, width: 3, gap: 3),
    AttentionCase(sequences: 1, length: 31, heads: 1, width: 7),
    AttentionCase(sequences: 1, length: 33, heads: 2, width: 32),
    AttentionCase(sequences: 2, length: 64, heads: 1, width: 64),
    AttentionCase(sequences: 1, length: 65, heads: 2, width: 35, gap: 1),
    AttentionCase(sequences: 1, length: 131, heads: 2, width: 16),
    AttentionCase(sequences: 1, length: 200, heads: 1, width: 33),
    // Scores too large for plain exponentials.
    AttentionCase(sequences: 1, length: 70, heads: 1, width: 16, deviation: 5),
    // Equal scores.
    AttentionCase(sequences: 1, length: 40, heads: 1, width: 16, deviation: 0),
  ]

  func run<Device: Operations>(on bed: TestBed<Device>) -> [Outcome] {
    let shape = AttentionShape(sequences: sequences, length: length, heads: heads, headDimension: width)
    let rows = sequences * length, d = heads * width
    let qkv = bed.operand(rows, 3 * d, gap: gap) {
      $0 % (3 * d) < 2 * d ? normal(1, deviation: deviation)($0) : normal(2)($0)
    }
    let out = bed.operand(rows, d, gap: gap), dQKV = bed.operand(rows, 3 * d, gap: gap)
    let logSumExp = bed.vector(rows * heads)
    bed.device.attention(shape, qkv: qkv, out: out, logSumExp: logSumExp)
    let dOut = bed.operand(rows, d, gap: gap, normal(3))
    bed.device.attentionBackward(shape, qkv: qkv, out: out, dOut: dOut, logSumExp: logSumExp, dQKV: dQKV)
    let factor = deviation > 1 ? 20.0 : 2
    return [
      Outcome("result", bed.numbers(out), .throughOperands, factor: factor),
      Outcome("log-sum-exp", bed.numbers(logSumExp), factor: factor),
      Outcome("gradient", bed.numbers(dQKV), .throughOperands, factor: factor),
    ]
  }
}

/// Prompts of several lengths and single tokens side by side, then token by token.
struct CachedAttentionCase: OperationCase {
  static let multiplies = true

  let heads, width: Int
  let prompts: [Int]
  let steps: Int

  static let all = [
    CachedAttentionCase(heads: 1, width: 1, prompts: [1], steps: 1),
    CachedAttentionCase(heads: 3, width: 7, prompts: [4, 1, 9], steps: 3),
    CachedAttentionCase(heads: 2, width: 32, prompts: [40, 1], steps: 2),
    CachedAttentionCase(heads: 5, width: 64, prompts: [70], steps: 4),
    CachedAttentionCase(heads: 2, width: 99, prompts: [18, 20, 1, 3], steps: 2),
  ]

  func run<Device: Operations>(on bed: TestBed<Device>) -> [Outcome] {
    let d = heads * width
    let caches = prompts.map { prompt in
      BlockCache(
        keys: bed.operand(prompt + steps, d, constant(0)), values: bed.operand(prompt + steps, d, constant(0))
      )
    }
    var positions = prompts.map { _ in 0 }, outcomes: [Outcome] = []
    for step in 0...steps {
      var spans: [CacheSpan<Device.Scalar>] = [], rows = 0
      for (index, cache) in caches.enumerated() {
        let count = step == 0 ? prompts[index] : 1
        spans.append(CacheSpan(cache: cache, position: positions[index], rows: rows..<rows + count))
        positions[index] += count
        rows += count
      }
      let qkv = bed.matrix(rows, 3 * d, gap: step, normal(UInt64(step + 1))),
        out = bed.matrix(rows, d, gap: step)
      bed.device.attention(heads: heads, appending: qkv, to: spans, out: out)
      outcomes.append(Outcome("step \(step)", bed.numbers(out), factor: 2))
    }
    for (index, cache) in caches.enumerated() {
      outcomes.append(Outcome("keys \(index)", bed.numbers(cache.keys), .exact))
      outcomes.append(Outcome("values \(index)", bed.numbers(cache.values), .exact))
    }
    return outcomes
  }
}
