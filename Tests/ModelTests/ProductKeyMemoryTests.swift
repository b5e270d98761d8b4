import CModelKernels
import Foundation
import Support
import Testing

@testable import Model

/// Reading, and the gradients of a memory through the operations of its layer.
@Suite struct ProductKeyMemoryTests {
  /// A lookup followed by a weighted sum, with room for both backward passes.
  struct Case<Scalar: Real> {
    let device: CPUOperations<Scalar>
    let shape: MemoryShape
    let rows: Int
    let queries, subkeys, values, weights, y, dy, dWeights, dScores, dQueries, dSubkeys: Matrix<Scalar>
    let slots: DeviceArray<Int32>
    let gradient: ValueGradient<Scalar>
    let arena: Arena

    init(
      rows: Int = 5, n: Int = 6, heads: Int = 2, k: Int = 3, half: Int = 4, d: Int = 5,
      pool: WorkerPool = Pools.one,
      seed: UInt64 = 1
    ) throws {
      shape = MemoryShape(heads: heads, subkeys: n, topk: k, queryDimension: 2 * half)
      self.rows = rows
      device = try CPUOperations(pool: pool)
      let reads = heads * k
      queries = randomMatrix(rows, heads * 2 * half, seed: seed)
      subkeys = randomMatrix(heads * 2 * n, half, seed: seed + 1)
      values = randomMatrix(n * n, d, seed: seed + 2)
      dy = randomMatrix(rows, d, seed: seed + 3)
      (weights, dWeights) = (matrix(rows, reads), matrix(rows, reads))
      (y, dScores) = (matrix(rows, d), matrix(rows, heads * 2 * n))
      (dQueries, dSubkeys) = (matrix(rows, heads * 2 * half), matrix(heads * 2 * n, half))
      slots = deviceArray([Int32](repeating: 0, count: rows * reads))
      (gradient, arena) = try ArenaPlan.build(on: device) {
        ValueGradient(slots: n * n, dimension: d, tokens: 3 * rows, reads: reads, in: &$0)
      }
    }

    func forward() {
      device.lookup(shape, queries: queries, subkeys: subkeys, slots: slots, weights: weights)
      device.weightedSum(slots: slots, weights: weights, values: Operand(values), into: y)
    }

    func backward() {
      device.weightedSumBackward(
        slots: slots, weights: weights, values: Operand(values), dy: dy, dWeights: dWeights,
        gradient: gradient)
      device.lookupBackward(
        shape, queries: Operand(queries), subkeys: Operand(subkeys), slots: slots, weights: weights,
        dWeights: dWeights, scoreGradients: Operand(dScores), dQueries: dQueries, dSubkeys: dSubkeys)
    }

    /// The gradient of the value table, spread out.
    var denseGradient: [Scalar] { gradient.dense() }

    var chosen: [Int32] { slots.array }
  }

  /// Section 9, vector 1 of the reference: one head that reads slots 1 and 7 of V[r] = [r, r²].
  @Test func referenceVector() throws {
    let device = try CPUOperations<Double>(pool: Pools.one)
    let slots = deviceArray([1, 7] as [Int32]),
      weights = matrix(1, 2) { [0.7310585786300049, 0.2689414213699951][$0] }
    let values = matrix(9, 2) { $0 % 2 == 0 ? Double($0 / 2) : Double($0 / 2 * ($0 / 2)) }
    let y: Matrix<Double> = matrix(1, 2), dy = matrix(1, 2) { [1, -0.5][$0] }
    device.weightedSum(slots: slots, weights: weights, values: Operand(values), into: y)
    #expect(zip(y.array, [2.6136485282, 13.9091882258]).allSatisfy { abs($0 - $1) < 1e-9 })

    let (gradient, arena) = try ArenaPlan.build(on: device) {
      ValueGradient<Double>(slots: 9, dimension: 2, tokens: 1, reads: 2, in: &$0)
    }
    let dWeights: Matrix<Double> = matrix(1, 2)
    device.weightedSumBackward(
      slots: slots, weights: weights, values: Operand(values), dy: dy, dWeights: dWeights, gradient: gradient)
    #expect(dWeights.array == [0.5, -17.5])
    #expect(device.touchedSlots(of: gradient) == 2)
    var expected = [Double](repeating: 0, count: 18)
    (expected[2], expected[3], expected[14], expected[15]) =
      (0.7310585786, -0.3655292893, 0.2689414214, -0.1344707107)
    #expect(zip(gradient.dense(), expected).allSatisfy { abs($0 - $1) < 1e-9 })

    let scores: Matrix<Double> = matrix(1, 6) { _ in 9 }, space: Matrix<Double> = matrix(1, 6)
    Double.kernels(PKM_INSTRUCTION_SET_V4).product_key_top_k_backward(
      1, 3, 2, slots.pointer, weights.pointer, dWeights.pointer, 2, scores.pointer, 6, space.pointer, false)
    #expect(zip(scores.array, [3.5390147983, 0, -3.5390147983]).allSatisfy { abs($0 - $1) < 1e-9 })
    #expect(scores.array[3...].allSatisfy { abs($0) < 1e-15 })
    withExtendedLifetime(arena) {}
  }

  @Test(arguments: [(1, 1), (1, 4), (3, 2), (2, 6)])
  func gradientsMatchFiniteDifferences(heads: Int, k: Int) throws {
    let c = try Case<Double>(heads: heads, k: k)
    c.forward()
    c.backward()
    func loss() -> Double {
      c.forward()
      return dot(c.y, c.dy)
    }
    let before = c.chosen
    #expect(gradientError(of: c.queries.elements, gradient: c.dQueries.array, loss: loss) < 1e-7)
    #expect(gradientError(of: c.subkeys.elements, gradient: c.dSubkeys.array, loss: loss) < 1e-7)
    #expect(gradientError(of: c.values.elements, gradient: c.denseGradient, loss: loss) < 1e-7)
    #expect(c.chosen == before)
    withExtendedLifetime(c.arena) {}
  }

  /// Values in bfloat16 are read as the numbers that they are, forward and backward, by every instruction set.
  @Test(arguments: EngineSettings.Instructions.allCases)
  func bf16ValuesAreReadUnconverted(instructions: EngineSettings.Instructions) throws {
    let device = try CPUOperations<Float>(
      pool: Pools.two, settings: EngineSettings(instructions: instructions))
    let tokens = 50, reads = 9, slots = 64, d = 37
    let bits = UnsafeMutablePointer<UInt16>.allocate(capacity: slots * d)
    defer { bits.deallocate() }
    let half = Operand<Float>(bits, rows: slots, columns: d, isBF16: true)
    device.initialize(half, .normal(deviation: 1), seed: 1)
    let wide = matrix(slots, d) { Float(bitPattern: UInt32(bits[$0]) << 16) }
    let exact: Matrix<Float> = matrix(slots, d)
    device.initialize(Operand(exact), .normal(deviation: 1), seed: 1)
    #expect(zip(wide.array, exact.array).allSatisfy { abs($0 - $1) <= abs($1) / 256 })
    let chosen = deviceArray((0..<tokens * reads).map { Int32($0 * 7 % slots) })
    let weights: Matrix<Float> = randomMatrix(tokens, reads, seed: 2)
    let dy: Matrix<Float> = randomMatrix(tokens, d, seed: 3)
    func results(_ values: Operand<Float>) throws -> [Float] {
      let y: Matrix<Float> = matrix(tokens, d), dWeights: Matrix<Float> = matrix(tokens, reads)
      device.weightedSum(slots: chosen, weights: weights, values: values, into: y)
      let (gradient, arena) = try ArenaPlan.build(on: device) {
        ValueGradient<Float>(slots: slots, dimension: d, tokens: tokens, reads: reads, in: &$0)
      }
      device.weightedSumBackward(
        slots: chosen, weights: weights, values: values, dy: dy, dWeights: dWeights, gradient: gradient)
      defer { withExtendedLifetime(arena) {} }
      return y.array + dWeights.array
    }
    let (a, b) = (try results(half), try results(Operand(wide)))
    #expect(zip(a, b).allSatisfy { abs($0 - $1) < 1e-5 })
  }

  /// Many tokens and slots, in float, against the definition written out in double.
  @Test func floatMatchesDefinition() throws {
    let c = try Case<Float>(rows: 300, n: 20, heads: 3, k: 8, half: 16, d: 24, pool: Pools.two)
    c.forward()
    let d = 24, n = 20, half = 16
    for row in [0, 17, 255, 256, 299] {
      var y = [Double](repeating: 0, count: d)
      for head in 0..<3 {
        func scores(_ side: Int) -> [Double] {
          (0..<n).map { key in
            (0..<half).reduce(0.0) { sum, e in
              sum + Double(c.queries.pointer[row * 96 + head * 32 + side * 16 + e])
                * Double(c.subkeys.pointer[((head * 2 + side) * n + key) * half + e])
            }
          }
        }
        let (s1, s2) = (scores(0), scores(1))
        let best = (0..<n * n).sorted { s1[$0 / n] + s2[$0 % n] > s1[$1 / n] + s2[$1 % n] }.prefix(8)
        let e = best.map { exp(s1[$0 / n] + s2[$0 % n]) }, total = e.reduce(0, +)
        for (slot, e) in zip(best, e) {
          for i in 0..<d { y[i] += e / total * Double(c.values.pointer[slot * d + i]) }
        }
      }
      for i in 0..<d { #expect(abs(Double(c.y.pointer[row * d + i]) - y[i]) < 1e-4) }
    }
    withExtendedLifetime(c.arena) {}
  }

  @Test func weightsSumToOneAndEqualValuesGiveTheHeads() throws {
    let c = try Case<Float>(rows: 40, n: 9, heads: 4, k: 5)
    for slot in 0..<81 { for i in 0..<5 { c.values.pointer[slot * 5 + i] = Float(i) - 1.5 } }
    c.forward()
    for row in 0..<40 {
      for head in 0..<4 {
        let sum = (0..<5).reduce(Float(0)) { $0 + c.weights.pointer[row * 20 + head * 5 + $1] }
        #expect(abs(sum - 1) < 1e-6)
      }
      for i in 0..<5 { #expect(abs(c.y.pointer[row * 5 + i] - 4 * (Float(i) - 1.5)) < 1e-5) }
    }
  }

  /// At the start, with normalized queries, |y| is about √(heads / k): 0.35 for 4 heads and k = 32.
  @Test func outputAtTheStartIsSilent() throws {
    let d = 64, half = 32
    let c = try Case<Float>(rows: 256, n: 64, heads: 4, k: 32, half: half, d: d, pool: Pools.two)
    c.device.initialize(Operand(c.subkeys), .uniform(bound: 1 / Double(half).squareRoot()), seed: 1)
    c.device.initialize(Operand(c.values), .normal(deviation: 1 / Double(d).squareRoot()), seed: 2)
    c.forward()
    let norm = (c.device.squaredNorm(c.y.elements) / 256).squareRoot()
    #expect(norm > 0.28 && norm < 0.45, "\(norm)")
  }

  /// Score gradients of each token and half sum to zero: a constant added to scores changes nothing.
  @Test func scoreGradientsSumToZero() throws {
    let c = try Case<Double>(rows: 12)
    c.forward()
    c.backward()
    for row in 0..<12 {
      let d = (0..<4).map { part in (0..<6).map { c.dScores.pointer[row * 24 + part * 6 + $0] } }
      for half in d { #expect(abs(half.reduce(0, +)) < 1e-13) }
      #expect(d.joined().contains { abs($0) > 1e-6 })
    }
  }

  @Test func valueGradientIsNonZeroExactlyWhereSlotsWereRead() throws {
    let c = try Case<Float>(rows: 9, n: 12)
    c.forward()
    c.backward()
    let dense = c.denseGradient
    #expect(c.device.touchedSlots(of: c.gradient) == Set(c.chosen).count)
    for slot in 0..<144 {
      #expect(dense[slot * 5..<slot * 5 + 5].contains { $0 != 0 } == c.chosen.contains(Int32(slot)))
    }
    c.gradient.clear()
    #expect(c.device.touchedSlots(of: c.gradient) == 0 && c.device.squaredNorm(c.gradient) == 0)
  }

  /// Micro-batches add up, in the norm and in the update of Adam, too.
  @Test func valueGradientsAccumulateOverMicroBatches() throws {
    let c = try Case<Double>()
    c.forward()
    c.backward()
    let once = c.denseGradient
    // A second micro-batch with other queries adds slots.
    for i in 0..<c.queries.count { c.queries.pointer[i] = -c.queries.pointer[i] }
    c.forward()
    c.backward()
    let both = c.denseGradient
    let norm = both.reduce(0) { $0 + $1 * $1 }
    #expect(abs(c.device.squaredNorm(c.gradient) - norm) < 1e-12 * norm)
    let (lazy, dense) = (matrix(36, 5) { Double($0) }, matrix(36, 5) { Double($0) })
    let moments: [Matrix<Double>] = (0..<4).map { _ in matrix(36, 5) }
    let step = AdamStep(learningRate: 1e-2, step: 1, gradientScale: 0.3)
    c.device.lazyAdam(Operand(lazy), gradient: c.gradient, m: moments[0], v: moments[1], step)
    c.device.adam(
      dense.elements, nil, gradient: vector(both), m: moments[2].elements, v: moments[3].elements, step)
    #expect(zip(lazy.array, dense.array).allSatisfy { abs($0 - $1) < 1e-9 })
    #expect(zip(moments[0].array, moments[2].array).allSatisfy { abs($0 - $1) < 1e-14 })
    c.gradient.clear()
    c.backward()
    let alone = c.denseGradient
    #expect(zip(zip(once, alone), both).allSatisfy { abs($0.0 + $0.1 - $1) < 1e-12 })
  }

  /// Large enough for scores that are estimated first, and compared with those of plain code.
  @Test func manySubkeysMatchDefinition() throws {
    let c = try Case<Float>(rows: 300, n: 520, heads: 2, k: 32, half: 16, d: 2, pool: Pools.two)
    let weights: Matrix<Float> = matrix(300, 64)
    let slots = UnsafeMutableBufferPointer<Int32>.allocate(capacity: 300 * 64)
    defer { slots.deallocate() }
    let plain = try CPUOperations<Float>(
      pool: Pools.one, settings: EngineSettings(library: .generic, instructions: .plain))
    c.forward()
    plain.lookup(
      c.shape, queries: c.queries, subkeys: c.subkeys,
      slots: DeviceArray(slots.baseAddress!, count: slots.count), weights: weights)
    // Rounding may exchange slots whose scores are nearly equal.
    let same = zip(c.chosen, slots).filter { $0 == $1 }.count
    #expect(same > slots.count * 999 / 1000)
    #expect(zip(c.weights.array, weights.array).allSatisfy { abs($0 - $1) < 1e-4 })
    withExtendedLifetime(c.arena) {}
  }

  @Test(arguments: [2, 3], [24, 512])
  func threadsDoNotChangeABit(threads: Int, n: Int) throws {
    func run(_ pool: WorkerPool) throws -> [Float] {
      let c = try Case<Float>(rows: 700, n: n, heads: 4, k: 8, half: 16, d: 48, pool: pool)
      c.forward()
      c.backward()
      return c.y.array + c.dQueries.array + c.dSubkeys.array + c.denseGradient
    }
    let (alone, shared) = try (run(Pools.one), run(threads == 2 ? Pools.two : Pools.three))
    #expect(alone == shared)
  }

  /// Flat keys that are all concatenations of the sub-keys choose the same slots with the same weights.
  @Test func equalsFlatKeys() throws {
    let c = try Case<Double>(rows: 6, n: 5, heads: 1, k: 5, half: 3, d: 4)
    c.forward()
    for row in 0..<6 {
      let scores = (0..<25).map { slot in
        (0..<6).reduce(0.0) { sum, e in
          let side = e / 3, key = side == 0 ? slot / 5 : slot % 5
          return sum + c.queries.pointer[row * 6 + e] * c.subkeys.pointer[(side * 5 + key) * 3 + e % 3]
        }
      }
      let best = (0..<25).sorted { scores[$0] > scores[$1] }.prefix(5)
      #expect(Array(c.chosen[row * 5..<row * 5 + 5]) == best.map(Int32.init))
      let total = best.reduce(0) { $0 + exp(scores[$1]) }
      for (m, slot) in best.enumerated() {
        #expect(abs(c.weights.pointer[row * 5 + m] - exp(scores[slot]) / total) < 1e-12)
      }
    }
  }
}
