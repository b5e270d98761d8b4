import Foundation
import Support
import Testing

@testable import Model

/// The reference device beside numbers that were computed elsewhere, and its gradients beside finite differences.
@Suite(.timeLimit(.minutes(60))) struct ReferenceOperationsTests {
  let bed = TestBed(ReferenceOperations<Double>())
  var device: ReferenceOperations<Double> { bed.device }

  func list(_ numbers: [Double]) -> Vector<Double> { bed.vector(numbers.count) { numbers[$0] } }

  func expect(_ found: [Double], _ right: [Double], within error: Double = 1e-7) {
    #expect(found.count == right.count)
    #expect(zip(found, right).allSatisfy { abs($0 - $1) < error }, "\(found) instead of \(right)")
  }

  /// The largest difference between a gradient and central differences of `loss`, relative to the gradient's largest
  /// element.
  func gradientError(of x: Vector<Double>, _ gradient: [Double], every step: Int = 1, _ loss: () -> Double)
    -> Double
  {
    let numbers = bed.numbers(x), largest = gradient.map(abs).max()!, move = 1e-5
    var worst = 0.0
    for i in stride(from: 0, to: x.count, by: step) {
      bed.set(x, i, numbers[i] + move)
      let above = loss()
      bed.set(x, i, numbers[i] - move)
      let below = loss()
      bed.set(x, i, numbers[i])
      worst = max(worst, abs((above - below) / (2 * move) - gradient[i]) / largest)
    }
    return worst
  }

  /// Σ x[i] d[i]: a loss whose gradient is d.
  func product(_ x: Matrix<Double>, _ d: Matrix<Double>) -> Double {
    zip(bed.numbers(x), bed.numbers(d)).reduce(0) { $0 + $1.0 * $1.1 }
  }

  // MARK: Known numbers

  @Test func gelu() {
    let h = bed.matrix(2, 1) { [1.0, -1][$0] }, out = bed.matrix(2, 1)
    device.matmul(
      Operand(h), Operand(bed.matrix(1, 1, constant(1))), transposed: true,
      epilogue: .biasGELU(list([0]), save: nil, into: Operand(out)))
    expect(bed.numbers(out), [0.8413447461, -0.1586552539], within: 1e-10)
  }

  /// 1e-5, as in PyTorch, which matters where the variance is as small.
  @Test func epsilonOfNorms() {
    let norm = NormParameters(gamma: list([1, 1]), beta: list([0, 0])), y = bed.matrix(1, 2)
    let statistics = RowStatistics(mean: bed.vector(1), inverseDeviation: bed.vector(1))
    device.layerNorm(bed.matrix(1, 2) { [1e-3, -1e-3][$0] }, norm, statistics, into: y, Operand(y))
    // 1e-3 / √(1e-6 + 1e-5)
    expect(bed.numbers(y), [0.3015113446, -0.3015113446])
    device.batchNorm(
      bed.matrix(1, 2) { [1e-3, -1e-3][$0] }, norm, mean: list([0, 0]), variance: list([1e-6, 1e-6]), into: y)
    expect(bed.numbers(y), [0.3015113446, -0.3015113446])
  }

  @Test func batchNorm() {
    let x = bed.matrix(4, 1) { Double($0 + 1) }, y = bed.matrix(4, 1)
    let mean = bed.vector(1), variance = bed.vector(1), runningMean = list([0]), runningVariance = list([1])
    let norm = NormParameters(gamma: list([2]), beta: list([0.5]))
    device.columnStatistics(x, mean: mean, variance: variance)
    expect(bed.numbers(mean) + bed.numbers(variance), [2.5, 1.25])
    device.moveRunningStatistics(
      mean: runningMean, variance: runningVariance, towards: mean, variance, rows: 4)
    expect(bed.numbers(runningMean) + bed.numbers(runningVariance), [0.25, 1.0666666667])
    device.batchNorm(x, norm, mean: mean, variance: variance, into: y)
    expect(bed.numbers(y), [-1.34163542, -0.44721181, 0.44721181, 1.34163542].map { 2 * $0 + 0.5 })
    let dy = bed.matrix(4, 1) { [1.0, 0, 0, -2][$0] }, dx = bed.matrix(4, 1)
    let gradient = NormParameters(gamma: list([0]), beta: list([0]))
    device.batchNormBackward(
      x, dy: dy, norm, gradient: gradient, mean: mean, variance: variance, usesBatch: true, into: dx)
    expect(bed.numbers(gradient.gamma) + bed.numbers(gradient.beta), [-4.0249062599, -1])
    expect(bed.numbers(dx), [-0.1788654033, -0.3577630055, 1.2521866188, -0.7155582100])
    device.batchNorm(x, norm, mean: runningMean, variance: runningVariance, into: y)
    expect(bed.numbers(y), [1.95236195, 3.88884454, 5.82532714, 7.76180973])
  }

  @Test func crossEntropy() {
    let one = bed.operand(3, 3) { $0 % 4 == 0 ? 1 : 0 }, z = bed.operand(1, 3) { [1.5, 1, 0.25][$0] }
    let gradient = bed.operand(1, 3), sums = LossSums(bed.array(3) { _ in 0.0 })
    device.crossEntropy(
      of: z, table: one, bias: list([0.5, 0, -0.25]), targets: bed.array(1) { _ in Int32(0) }, smoothing: 0.1,
      gradient: gradient, addingTo: sums)
    expect(device.download(sums.numbers), [0.4076059644, 0.5076059644, 1])
    expect(bed.numbers(gradient), [-0.2680923776, 0.2113951377, 0.0566972398])
  }

  /// One head that reads slots 1 and 7 of the values [s, s²].
  @Test func productKeyMemory() throws {
    let slots = bed.array(2) { [Int32(1), 7][$0] }
    let weights = bed.matrix(1, 2) { [0.7310585786, 0.2689414214][$0] }
    let values = bed.operand(9, 2) { $0 % 2 == 0 ? Double($0 / 2) : Double($0 / 2 * ($0 / 2)) }
    let y = bed.matrix(1, 2), dWeights = bed.matrix(1, 2)
    device.weightedSum(slots: slots, weights: weights, values: values, into: y)
    expect(bed.numbers(y), [2.6136485282, 13.9091882258], within: 2e-6)
    let (gradient, arena) = try ArenaPlan.build(on: device) {
      ValueGradient<Double>(slots: 9, dimension: 2, tokens: 1, reads: 2, in: &$0)
    }
    device.weightedSumBackward(
      slots: slots, weights: weights, values: values, dy: bed.matrix(1, 2) { [1, -0.5][$0] },
      dWeights: dWeights,
      gradient: gradient)
    #expect(bed.numbers(dWeights) == [0.5, -17.5])
    #expect(device.touchedSlots(of: gradient) == 2)
    withExtendedLifetime(arena) {}
  }

  /// Sums 5.5 and 4.5 of the scores [3, 1, 2] and [0.5, 2.5, 1].
  @Test func lookup() {
    let shape = MemoryShape(heads: 1, subkeys: 3, topk: 2, queryDimension: 2)
    let subkeys = bed.matrix(6, 1) { [3.0, 1, 2, 0.5, 2.5, 1][$0] }
    let slots = bed.array(2) { _ in Int32(-1) }, weights = bed.matrix(1, 2)
    device.lookup(
      shape, queries: bed.matrix(1, 2, constant(1)), subkeys: subkeys, slots: slots, weights: weights)
    #expect(device.download(slots) == [1, 7])
    expect(bed.numbers(weights), [0.7310585786, 0.2689414214])
  }

  /// Gradients 0.5, none and 0.5: dense Adam moves at every step, lazy Adam only where the row was read.
  @Test func adam() throws {
    let p = list([1]), m = list([0]), v = list([0])
    for (step, (gradient, right)) in zip([0.5, 0, 0.5], [0.9990000006, 0.9983299428, 0.9975119402])
      .enumerated()
    {
      device.adam(
        p, nil, gradient: list([gradient]), m: m, v: v, AdamStep(learningRate: 1e-3, step: step + 1))
      expect(bed.numbers(p), [right], within: 1e-9)
    }
    let values = bed.operand(1, 1, constant(1)), lazyM = bed.matrix(1, 1, constant(0))
    let lazyV = bed.matrix(1, 1, constant(0))
    let (gradient, arena) = try ArenaPlan.build(on: device) {
      ValueGradient<Double>(slots: 1, dimension: 1, tokens: 1, reads: 1, in: &$0)
    }
    for (step, (isRead, right)) in zip([true, false, true], [0.9990000006, 0.9990000006, 0.9981415385])
      .enumerated()
    {
      gradient.clear()
      if isRead {
        device.append(
          .init(
            slots: bed.array(1) { _ in Int32(0) }, weights: bed.matrix(1, 1, constant(0.5)),
            dy: bed.matrix(1, 1, constant(1))),
          to: gradient)
      }
      device.lazyAdam(
        values, gradient: gradient, m: lazyM, v: lazyV, AdamStep(learningRate: 1e-3, step: step + 1))
      expect(bed.numbers(values), [right], within: 1e-9)
    }
    withExtendedLifetime(arena) {}
  }

  // MARK: Gradients

  @Test func layerNormGradients() {
    let (rows, columns) = (7, 11), norm = bed.norm(columns, seed: 3)
    let x = bed.matrix(rows, columns, normal(1)), y = bed.matrix(rows, columns),
      dy = bed.matrix(rows, columns, normal(2))
    let statistics = RowStatistics(mean: bed.vector(rows), inverseDeviation: bed.vector(rows))
    let zero = {
      NormParameters(gamma: bed.vector(columns, constant(0)), beta: bed.vector(columns, constant(0)))
    }
    func loss() -> Double {
      device.layerNorm(x, norm, statistics, into: y, Operand(y))
      return product(y, dy)
    }
    _ = loss()
    let gradient = zero(), dx = bed.mixedMatrix(rows, columns)
    device.layerNormBackward(x, dy: dy, norm, gradient: gradient, statistics, adding: false, into: dx)
    #expect(gradientError(of: x.elements, bed.numbers(dx.real), loss) < 1e-7)
    #expect(gradientError(of: norm.gamma, bed.numbers(gradient.gamma), loss) < 1e-7)
    #expect(gradientError(of: norm.beta, bed.numbers(gradient.beta), loss) < 1e-7)
  }

  @Test(arguments: [true, false]) func batchNormGradients(usesBatch: Bool) {
    let (rows, columns) = (9, 5), norm = bed.norm(columns, seed: 3)
    let x = bed.matrix(rows, columns, normal(1)), y = bed.matrix(rows, columns),
      dy = bed.matrix(rows, columns, normal(2))
    let mean = bed.vector(columns, normal(5)), variance = bed.vector(columns) { 0.5 + Double($0) / 5 }
    func loss() -> Double {
      if usesBatch { device.columnStatistics(x, mean: mean, variance: variance) }
      device.batchNorm(x, norm, mean: mean, variance: variance, into: y)
      return product(y, dy)
    }
    _ = loss()
    let gradient = NormParameters(
      gamma: bed.vector(columns, constant(0)), beta: bed.vector(columns, constant(0)))
    let dx = bed.matrix(rows, columns)
    device.batchNormBackward(
      x, dy: dy, norm, gradient: gradient, mean: mean, variance: variance, usesBatch: usesBatch, into: dx)
    #expect(gradientError(of: x.elements, bed.numbers(dx), loss) < 1e-7)
    #expect(gradientError(of: norm.gamma, bed.numbers(gradient.gamma), loss) < 1e-7)
    #expect(gradientError(of: norm.beta, bed.numbers(gradient.beta), loss) < 1e-7)
  }

  @Test(arguments: [(2, 5, 2, 3), (1, 1, 1, 4), (1, 23, 1, 2)])
  func attentionGradients(sequences: Int, length: Int, heads: Int, width: Int) {
    let shape = AttentionShape(sequences: sequences, length: length, heads: heads, headDimension: width)
    let (rows, d) = (sequences * length, heads * width)
    let qkv = bed.matrix(rows, 3 * d, normal(1)), out = bed.matrix(rows, d),
      dOut = bed.matrix(rows, d, normal(2))
    let logSumExp = bed.vector(rows * heads), dQKV = bed.matrix(rows, 3 * d)
    func loss() -> Double {
      device.attention(shape, qkv: Operand(qkv), out: Operand(out), logSumExp: logSumExp)
      return product(out, dOut)
    }
    _ = loss()
    device.attentionBackward(
      shape, qkv: Operand(qkv), out: Operand(out), dOut: Operand(dOut), logSumExp: logSumExp,
      dQKV: Operand(dQKV))
    #expect(gradientError(of: qkv.elements, bed.numbers(dQKV), loss) < 1e-7)
  }

  @Test func geluGradient() {
    let h = bed.matrix(1, 41) { Double($0 - 20) / 5 }, out = bed.matrix(1, 41),
      one = bed.operand(41, 41) { $0 % 42 == 0 ? 1 : 0 }
    let dy = bed.matrix(1, 41, normal(2)), zero = bed.vector(41, constant(0))
    func loss() -> Double {
      device.matmul(
        Operand(h), one, transposed: false, epilogue: .biasGELU(zero, save: nil, into: Operand(out)))
      return product(out, dy)
    }
    let slope = bed.matrix(1, 41) { Double($0 - 20) / 5 }
    device.matmul(
      Operand(dy), one, transposed: false, epilogue: .geluBackward(Operand(slope), recompute: Operand(out)))
    #expect(gradientError(of: h.elements, bed.numbers(slope), loss) < 1e-7)
  }

  @Test(arguments: [0.0, 0.1, 1.0]) func crossEntropyGradient(smoothing: Double) {
    let z = bed.matrix(4, 17, normal(1, deviation: 3)), one = bed.operand(17, 17) { $0 % 18 == 0 ? 1 : 0 }
    let bias = bed.vector(17, normal(2)), targets = bed.array(4) { [Int32(3), -1, 16, 0][$0] }
    func loss(_ gradient: Operand<Double>? = nil) -> Double {
      let sums = LossSums(bed.array(3) { _ in 0.0 })
      device.crossEntropy(
        of: Operand(z), table: one, bias: bias, targets: targets, smoothing: smoothing, gradient: gradient,
        addingTo: sums)
      return device.download(sums.numbers)[1]
    }
    let gradient = bed.operand(4, 17)
    _ = loss(gradient)
    #expect(bed.numbers(gradient)[17..<34].allSatisfy { $0 == 0 })
    #expect(gradientError(of: z.elements, bed.numbers(gradient)) { loss() } < 1e-7)
  }

  @Test(arguments: [(1, 1), (1, 4), (3, 2), (2, 6)]) func memoryGradients(heads: Int, k: Int) throws {
    let shape = MemoryShape(heads: heads, subkeys: 6, topk: k, queryDimension: 8), (rows, d) = (5, 3)
    let queries = bed.matrix(rows, heads * 8, normal(1)), subkeys = bed.matrix(heads * 12, 4, normal(2))
    let values = bed.matrix(36, d, normal(3)), y = bed.matrix(rows, d), dy = bed.matrix(rows, d, normal(4))
    let slots = bed.array(rows * heads * k) { _ in Int32(-1) }, weights = bed.matrix(rows, heads * k)
    func loss() -> Double {
      device.lookup(shape, queries: queries, subkeys: subkeys, slots: slots, weights: weights)
      device.weightedSum(slots: slots, weights: weights, values: Operand(values), into: y)
      return product(y, dy)
    }
    _ = loss()
    let chosen = device.download(slots), w = bed.numbers(weights), g = bed.numbers(dy)
    let (gradient, arena) = try ArenaPlan.build(on: device) {
      ValueGradient<Double>(slots: 36, dimension: d, tokens: rows, reads: heads * k, in: &$0)
    }
    let dWeights = bed.matrix(rows, heads * k), dQueries = bed.matrix(rows, heads * 8)
    let dSubkeys = bed.matrix(heads * 12, 4, constant(0))
    device.weightedSumBackward(
      slots: slots, weights: weights, values: Operand(values), dy: dy, dWeights: dWeights, gradient: gradient)
    device.lookupBackward(
      shape, queries: Operand(queries), subkeys: Operand(subkeys), slots: slots, weights: weights,
      dWeights: dWeights,
      scoreGradients: bed.operand(rows, heads * 12), dQueries: dQueries, dSubkeys: dSubkeys)
    var dValues = [Double](repeating: 0, count: 36 * d)
    for (read, slot) in chosen.enumerated() {
      for c in 0..<d { dValues[Int(slot) * d + c] += w[read] * g[read / (heads * k) * d + c] }
    }
    #expect(gradientError(of: values.elements, dValues, loss) < 1e-7)
    #expect(gradientError(of: queries.elements, bed.numbers(dQueries), loss) < 1e-7)
    #expect(gradientError(of: subkeys.elements, bed.numbers(dSubkeys), loss) < 1e-7)
    #expect(device.download(slots) == chosen)
    withExtendedLifetime(arena) {}
  }

  // MARK: Memory

  /// The system refuses to read the memory between operations, and nothing else is needed for a stray access to be seen.
  @Test func memoryIsClosedBetweenOperations() throws {
    let x = bed.vector(100, constant(1))
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    defer { for end in ends { close(end) } }
    func canBeRead() -> Bool { write(ends[1], x.pointer, 1) == 1 }
    #expect(!canBeRead() && errno == EFAULT)
    let canBeReadInside = device.operation {
      device.operation {}
      return canBeRead()
    }
    #expect(canBeReadInside && !canBeRead())
    device.fill(x, 2)
    #expect(!canBeRead())
    #expect(bed.numbers(x) == [Double](repeating: 2, count: 100))
  }
}
