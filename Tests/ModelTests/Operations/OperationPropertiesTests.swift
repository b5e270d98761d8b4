import Support
import Testing

@testable import Model

/// What operations promise beside single numbers, on every device.
@Suite(.timeLimit(.minutes(60))) struct OperationPropertiesTests {
  /// A share p is dropped, and the rest is scaled by 1 / (1 - p). Other keys drop other elements, the same key the same
  /// ones.
  @Test func dropoutIsIndependentAndRepeatable() throws {
    func check(_ device: some Operations<Float>) {
      let bed = TestBed(device)
      func mask(_ key: UInt64) -> [Double] {
        let x = bed.matrix(400, 250, constant(1))
        device.dropout(x, DropoutMask(key: key, probability: 0.2))
        return bed.numbers(x)
      }
      let first = mask(1), other = mask(1 << 40)
      #expect(first == mask(1))
      #expect(Set(first) == [0, 1.25])
      let dropped: Int = first.count { $0 == 0 }, agreeing: Int = zip(first, other).count { $0 == $1 }
      #expect(abs(Double(dropped) / 100_000 - 0.2) < 0.006)
      // Independent masks agree on 0.2² + 0.8² of the elements.
      #expect(abs(Double(agreeing) / 100_000 - 0.68) < 0.008)
      // No row repeats the mask of another one.
      #expect(Set(first.split(every: 250)).count == 400)
    }
    for device in try Devices.all(Float.self) { check(device) }
  }

  /// Rows of values in bf16 that were read are rounded to one of the two neighbors, on average to where they belong, and
  /// the same way each time.
  @Test func stochasticRoundingIsUnbiasedAndRepeatable() throws {
    func check(_ device: some Operations<Float>) throws {
      let (rows, columns) = (40, 700)
      func update(key: UInt64) throws -> [Double] {
        let bed = TestBed(device), values = bed.operand(rows, columns, isBF16: true, constant(1))
        let (gradient, arena) = try ArenaPlan.build(on: device) {
          ValueGradient<Float>(slots: rows, dimension: columns, tokens: rows, reads: 1, in: &$0)
        }
        let reads = ValueGradient<Float>.Reads(
          slots: bed.array(rows - 1) { Int32($0) }, weights: bed.matrix(rows - 1, 1, constant(1)),
          dy: bed.matrix(rows - 1, columns, constant(-1)))
        device.append(reads, to: gradient)
        device.lazyAdam(
          values, gradient: gradient, m: bed.matrix(rows, columns, constant(0)),
          v: bed.matrix(rows, columns, constant(0)), AdamStep(learningRate: 1e-3, step: 1, roundingKey: key))
        withExtendedLifetime(arena) {}
        return bed.numbers(values)
      }
      let first = try update(key: 1)
      #expect(try first == update(key: 1))
      #expect(try first != update(key: 2))
      #expect(first.suffix(columns).allSatisfy { $0 == 1 })
      // The next number above 1 is 1 + 1/128, so one in eight goes up by a step of 0.001.
      let read = first.dropLast(columns)
      #expect(read.allSatisfy { $0 == 1 || $0 == 1 + 1.0 / 128 })
      let mean: Double = read.reduce(0) { $0 + ($1 - 1) } / Double(read.count)
      #expect(abs(mean - 1e-3) < 1e-4)
    }
    for device in try Devices.all(Float.self) { try check(device) }
  }

  /// Queries ignore later keys altogether: they do not only get a small weight.
  @Test func attentionIsCausalToTheBit() throws {
    func check(_ device: some Operations<Float>) {
      let shape = AttentionShape(sequences: 1, length: 150, heads: 1, headDimension: 16), seen = 101
      func attend(later: Double?) -> [Double] {
        let bed = TestBed(device), out = bed.matrix(150, 16)
        let qkv = bed.matrix(150, 48) { $0 < seen * 48 ? normal(1)($0) : later ?? normal(1)($0) }
        device.attention(shape, qkv: Operand(qkv), out: Operand(out), logSumExp: bed.vector(150))
        return bed.numbers(out)
      }
      let before = attend(later: nil), after = attend(later: 1e15)
      #expect(after[..<(seen * 16)] == before[..<(seen * 16)])
      #expect(after[(seen * 16)...].allSatisfy { $0 > 1e14 })
    }
    for device in try Devices.all(Float.self) { check(device) }
  }

  /// With normalized queries, |y| is about √(heads / k) before training: 0.35 for 4 heads and k = 32.
  @Test func memoryIsQuietBeforeTraining() throws {
    func check(_ device: some Operations<Float>) {
      let (rows, d) = (128, 64), shape = MemoryShape(heads: 4, subkeys: 64, topk: 32, queryDimension: 64)
      let bed = TestBed(device), values = bed.operand(shape.slots, d, isBF16: false)
      let subkeys = bed.matrix(8 * 64, 32), weights = bed.matrix(rows, shape.reads), y = bed.matrix(rows, d)
      device.initialize(Operand(subkeys), .uniform(bound: 1 / 32.0.squareRoot()), seed: 1)
      device.initialize(values, .normal(deviation: 1 / Double(d).squareRoot()), seed: 2)
      let slots = bed.array(rows * shape.reads) { _ in Int32(-1) }
      device.lookup(
        shape, queries: bed.matrix(rows, 256, normal(1)), subkeys: subkeys, slots: slots, weights: weights)
      device.weightedSum(slots: slots, weights: weights, values: values, into: y)
      for sum in bed.numbers(weights).split(every: 32).map({ $0.reduce(0, +) }) {
        #expect(abs(sum - 1) < 1e-6)
      }
      let norm = (bed.numbers(y).reduce(0) { $0 + $1 * $1 } / Double(rows)).squareRoot()
      #expect(norm > 0.28 && norm < 0.45, "\(norm)")
    }
    for device in try Devices.all(Float.self) { check(device) }
  }

  /// If all rows are read at every step, lazy Adam is Adam.
  @Test func lazyAdamOfAllRowsIsAdam() throws {
    func check(_ device: some Operations<Float>) throws {
      let (rows, columns) = (50, 7), bed = TestBed(device)
      func zeros() -> Matrix<Float> { bed.matrix(rows, columns, constant(0)) }
      let dense = bed.matrix(rows, columns, normal(1)), denseM = zeros(), denseV = zeros()
      let lazy = bed.matrix(rows, columns, normal(1)), lazyM = zeros(), lazyV = zeros()
      let (reads, arena) = try ArenaPlan.build(on: device) {
        ValueGradient<Float>(slots: rows, dimension: columns, tokens: rows, reads: 1, in: &$0)
      }
      for step in 1...4 {
        let gradient = bed.matrix(rows, columns, normal(UInt64(10 + step)))
        let adam = AdamStep(learningRate: 1e-2, step: step, gradientScale: 0.7)
        device.adam(
          dense.elements, nil, gradient: gradient.elements, m: denseM.elements, v: denseV.elements, adam)
        reads.clear()
        device.append(
          .init(
            slots: bed.array(rows) { Int32($0) }, weights: bed.matrix(rows, 1, constant(1)), dy: gradient),
          to: reads)
        device.lazyAdam(Operand(lazy), gradient: reads, m: lazyM, v: lazyV, adam)
      }
      for (one, other) in [(dense, lazy), (denseM, lazyM), (denseV, lazyV)] {
        #expect(bed.numbers(one) == bed.numbers(other))
      }
      withExtendedLifetime(arena) {}
    }
    for device in try Devices.all(Float.self) { try check(device) }
  }
}

extension Array {
  func split(every count: Int) -> [ArraySlice<Element>] {
    stride(from: 0, to: self.count, by: count).map { self[$0..<Swift.min($0 + count, self.count)] }
  }
}
