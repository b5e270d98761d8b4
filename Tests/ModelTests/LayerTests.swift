import Foundation
import Support
import Testing

@testable import Model

/// Layer norm, attention and embedding: against their definitions and finite differences.
@Suite struct LayerTests {
  let device: CPUOperations<Double>

  init() throws { device = try CPUOperations(pool: Pools.two) }

  @Test func layerNormGradients() {
    let rows = 67, columns = 11
    let x: Matrix<Double> = randomMatrix(rows, columns, seed: 1),
      dy: Matrix<Double> = randomMatrix(rows, columns, seed: 2)
    let norm = NormParameters<Double>(
      gamma: randomVector(columns, seed: 3), beta: randomVector(columns, seed: 4))
    let gradient = NormParameters<Double>(gamma: vector(columns), beta: vector(columns))
    let statistics = RowStatistics<Double>(mean: vector(rows), inverseDeviation: vector(rows))
    let y: Matrix<Double> = matrix(rows, columns), dx: Matrix<Double> = matrix(rows, columns) { _ in 5 }
    func loss() -> Double {
      device.layerNorm(x, norm, statistics, into: y, Operand(y))
      return dot(y, dy)
    }
    _ = loss()
    for row in 0..<rows {
      let values = (0..<columns).map {
        (y.pointer[row * columns + $0] - norm.beta.pointer[$0]) / norm.gamma.pointer[$0]
      }
      #expect(abs(values.reduce(0, +)) < 1e-9)
      #expect(abs(values.reduce(0) { $0 + $1 * $1 } / Double(columns) - 1) < 1e-3)
    }
    device.layerNormBackward(
      x, dy: dy, norm, gradient: gradient, statistics, adding: true,
      into: MixedMatrix(real: dx, operand: Operand(dx)))
    #expect(gradientError(of: x.elements, gradient: dx.array.map { $0 - 5 }, loss: loss) < 1e-7)
    #expect(gradientError(of: norm.gamma, gradient: gradient.gamma.array, loss: loss) < 1e-7)
    #expect(gradientError(of: norm.beta, gradient: gradient.beta.array, loss: loss) < 1e-7)
    device.layerNormBackward(
      x, dy: dy, norm, gradient: gradient, statistics, adding: false,
      into: MixedMatrix(real: dy, operand: Operand(dy)))
    #expect(zip(dy.array, dx.array).allSatisfy { abs($0 + 5 - $1) < 1e-12 })
  }

  struct AttentionCase<Scalar: Real> {
    let shape: AttentionShape
    let device: CPUOperations<Scalar>
    let qkv, out, dOut, dQKV: Matrix<Scalar>
    let logSumExp: Vector<Scalar>

    init(_ shape: AttentionShape, pool: WorkerPool) throws {
      self.shape = shape
      device = try CPUOperations(pool: pool)
      let rows = shape.sequences * shape.length, d = shape.heads * shape.headDimension
      (qkv, dOut) = (randomMatrix(rows, 3 * d, seed: 1), randomMatrix(rows, d, seed: 2))
      (out, dQKV) = (matrix(rows, d), matrix(rows, 3 * d) { _ in 7 })
      logSumExp = vector(rows * shape.heads)
    }

    func forward() { device.attention(shape, qkv: Operand(qkv), out: Operand(out), logSumExp: logSumExp) }
    func backward() {
      device.attentionBackward(
        shape, qkv: Operand(qkv), out: Operand(out), dOut: Operand(dOut), logSumExp: logSumExp,
        dQKV: Operand(dQKV))
    }
  }

  /// Lengths below, at and above the blocks of queries.
  @Test(arguments: [(2, 5, 2, 3), (1, 1, 1, 4), (1, 128, 1, 2), (1, 131, 2, 4), (1, 300, 1, 4)])
  func attentionGradients(sequences: Int, length: Int, heads: Int, width: Int) throws {
    let shape = AttentionShape(sequences: sequences, length: length, heads: heads, headDimension: width)
    let c = try AttentionCase<Double>(shape, pool: Pools.two)
    c.forward()
    c.backward()
    let every = max(1, c.qkv.count / 150)
    #expect(
      gradientError(of: c.qkv.elements, gradient: c.dQKV.array, every: every) {
        c.forward()
        return dot(c.out, c.dOut)
      } < 1e-6)
  }

  @Test func attentionMatchesDefinitionInFloat() throws {
    let shape = AttentionShape(sequences: 2, length: 150, heads: 3, headDimension: 16), d = 48
    let c = try AttentionCase<Float>(shape, pool: Pools.two)
    c.forward()
    for (sequence, head, query) in [(0, 0, 0), (0, 2, 149), (1, 1, 127), (1, 1, 128), (1, 0, 60)] {
      func element(_ part: Int, _ token: Int, _ e: Int) -> Double {
        Double(c.qkv.pointer[(sequence * 150 + token) * 3 * d + part * d + head * 16 + e])
      }
      let weights = (0...query).map { key in
        exp((0..<16).reduce(0) { $0 + element(0, query, $1) * element(1, key, $1) } / 4)
      }
      for e in 0..<16 {
        let expected = (0...query).reduce(0) { $0 + weights[$1] * element(2, $1, e) } / weights.reduce(0, +)
        let value = c.out.pointer[(sequence * 150 + query) * d + head * 16 + e]
        #expect(abs(Double(value) - expected) < 1e-5)
      }
    }
  }

  /// Whole and broken registers, odd widths, lengths below, at and above blocks, forward and backward, in every
  /// instruction set and both forms: against the same in Float64, which the tests above hold to its definition.
  @Test(arguments: EngineSettings.Instructions.allCases, EngineSettings.Precision.allCases)
  func attentionInEveryForm(instructions: EngineSettings.Instructions, precision: EngineSettings.Precision)
    throws
  {
    let device = try CPUOperations<Float>(
      pool: Pools.two,
      settings: EngineSettings(precision: precision, library: .generic, instructions: instructions))
    let isBF16 = precision == .bf16
    for (length, width) in [(1, 1), (31, 7), (33, 32), (70, 35), (65, 64), (200, 33)] {
      let shape = AttentionShape(sequences: 2, length: length, heads: 2, headDimension: width)
      let exact = try AttentionCase<Double>(shape, pool: Pools.one)
      let space = UnsafeMutablePointer<UInt16>.allocate(capacity: 2 * (exact.qkv.count + exact.out.count))
      defer { space.deallocate() }
      var used = 0
      func operand(_ x: Matrix<Double>) -> Operand<Float> {
        let reals: Matrix<Float> = matrix(x.rows, x.columns) { Float(x.pointer[$0]) }
        guard isBF16 else { return Operand(reals) }
        defer { used += x.count }
        let halves = Operand<Float>(space + used, rows: x.rows, columns: x.columns, isBF16: true)
        device.round(reals, into: halves)
        return halves
      }
      func value(_ x: Operand<Float>, _ i: Int) -> Double {
        guard isBF16 else { return Double(x.reals!.pointer[i]) }
        return Double(Float(bitPattern: UInt32(x.pointer.assumingMemoryBound(to: UInt16.self)[i]) << 16))
      }
      let qkv = operand(exact.qkv), dOut = operand(exact.dOut)
      let out = operand(exact.out), dQKV = operand(exact.dQKV)
      for i in 0..<exact.qkv.count { exact.qkv.pointer[i] = value(qkv, i) }
      for i in 0..<exact.dOut.count { exact.dOut.pointer[i] = value(dOut, i) }
      let sums: Vector<Float> = vector(4 * length)
      device.attention(shape, qkv: qkv, out: out, logSumExp: sums)
      device.attentionBackward(shape, qkv: qkv, out: out, dOut: dOut, logSumExp: sums, dQKV: dQKV)
      exact.forward()
      exact.backward()
      for i in 0..<exact.logSumExp.count {
        #expect(abs(Double(sums.pointer[i]) - exact.logSumExp.pointer[i]) < 1e-4)
      }
      for (result, expected, tolerance) in [(out, exact.out, 1e-5), (dQKV, exact.dQKV, 2e-5)] {
        let worst = (0..<expected.count).map { abs(value(result, $0) - expected.pointer[$0]) }.max()!
        #expect(worst < (isBF16 ? 0.03 : tolerance), "\(length) × \(width)")
      }
    }
  }

  /// Two sequences, prompts of different length and then token by token, beside attention over all of it, in every
  /// instruction set and both forms.
  @Test(arguments: EngineSettings.Instructions.allCases, EngineSettings.Precision.allCases)
  func attentionOverACache(instructions: EngineSettings.Instructions, precision: EngineSettings.Precision)
    throws
  {
    let device = try CPUOperations<Float>(
      pool: Pools.two,
      settings: EngineSettings(precision: precision, library: .generic, instructions: instructions))
    let exact = try CPUOperations<Double>(pool: Pools.one)
    for (length, heads, width) in [(2, 1, 1), (9, 3, 7), (40, 2, 32), (70, 5, 64), (21, 2, 99)] {
      let shape = AttentionShape(sequences: 2, length: length, heads: heads, headDimension: width)
      let d = heads * width, qkv: Matrix<Float> = randomMatrix(2 * length, 3 * d, seed: 5)
      // Keys and values that bfloat16 holds.
      for i in 0..<qkv.count where precision == .bf16 && i % (3 * d) >= d {
        qkv.pointer[i] = ArithmeticTests.rounded(qkv.pointer[i])
      }
      let expected: Matrix<Double> = matrix(2 * length, d), sums: Vector<Double> = vector(2 * heads * length)
      exact.attention(
        shape, qkv: Operand(matrix(2 * length, 3 * d) { Double(qkv.pointer[$0]) }), out: Operand(expected),
        logSumExp: sums)

      let isBF16 = precision == .bf16
      let (caches, arena) = try ArenaPlan.build(on: device) { plan in
        (0..<2).map { _ in
          BlockCache<Float>(
            keys: plan.operand("keys", length, d, isBF16: isBF16),
            values: plan.operand("values", length, d, isBF16: isBF16))
        }
      }
      var positions = [0, 0]
      while positions != [length, length] {
        var pieces: [CacheSpan<Float>] = [], rows = 0
        let new: Matrix<Float> = matrix(2 * length, 3 * d), out: Matrix<Float> = matrix(2 * length, d)
        for sequence in 0..<2 where positions[sequence] < length {
          let count = positions[sequence] == 0 ? min(3 * sequence + 1, length) : 1
          pieces.append(
            CacheSpan(cache: caches[sequence], position: positions[sequence], rows: rows..<rows + count))
          new.rows(rows..<rows + count).pointer.update(
            from: qkv.pointer + (sequence * length + positions[sequence]) * 3 * d, count: count * 3 * d)
          positions[sequence] += count
          rows += count
        }
        device.attention(heads: heads, appending: new, to: pieces, out: out)
        for piece in pieces {
          let sequence = piece.cache.keys.pointer == caches[0].keys.pointer ? 0 : 1
          let right = expected.pointer + (sequence * length + piece.position) * d
          let found = out.pointer + piece.rows.lowerBound * d
          for i in 0..<piece.rows.count * d { #expect(abs(Double(found[i]) - right[i]) < 1e-5) }
        }
      }
      withExtendedLifetime(arena) {}
    }
  }

  /// What queries must not see is left out, not only made small.
  @Test func attentionIsCausalToTheBit() throws {
    let shape = AttentionShape(sequences: 1, length: 150, heads: 1, headDimension: 16)
    let c = try AttentionCase<Float>(shape, pool: Pools.one), seen = 101 * c.out.stride
    c.forward()
    let before = c.out.array
    for i in 101 * c.qkv.stride..<c.qkv.count { c.qkv.pointer[i] = 1e15 }
    c.forward()
    let after = c.out.array
    #expect(after[..<seen] == before[..<seen])
    #expect(after[seen...].allSatisfy { $0 > 1e14 })
  }

  @Test func embedding() {
    let tokens: [Int32] = [2, 0, 2, 1, 2, 2], d = 70
    let table: Matrix<Double> = randomMatrix(3, d, seed: 1),
      positions: Matrix<Double> = randomMatrix(5, d, seed: 2)
    let out: Matrix<Double> = matrix(6, d)
    let dTable: Matrix<Double> = matrix(3, d), dPositions: Matrix<Double> = matrix(5, d)
    let g: Matrix<Double> = randomMatrix(6, d, seed: 3)
    do {
      let ids = deviceArray(tokens)
      device.embed(ids, table: table, positions: positions, length: 3, firstPosition: 1, into: out)
      device.embedBackward(ids, g, length: 3, table: dTable, positions: dPositions)
    }
    for (row, token) in tokens.enumerated() {
      for c in 0..<d {
        #expect(
          out.pointer[row * d + c] == table.pointer[Int(token) * d + c]
            + positions.pointer[(1 + row % 3) * d + c])
      }
    }
    for c in 0..<d {
      let g = (0..<6).map { g.pointer[$0 * d + c] }
      #expect(abs(dTable.pointer[2 * d + c] - (g[0] + g[2] + g[4] + g[5])) < 1e-12)
      #expect(dTable.pointer[c] == g[1] && dTable.pointer[d + c] == g[3])
      #expect(abs(dPositions.pointer[d + c] - (g[1] + g[4])) < 1e-12 && dPositions.pointer[3 * d + c] == 0)
    }
  }
}
