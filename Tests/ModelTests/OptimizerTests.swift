import Foundation
import Support
import Testing

@testable import Model

@Suite struct OptimizerTests {
  /// Section 9, vector 4 of the reference: gradients 0.5, none, 0.5.
  @Test func referenceVector() throws {
    let device = try CPUOperations<Double>(pool: Pools.one)
    let p = vector([1.0]), m = vector([0.0]), v = vector([0.0])
    for (step, (gradient, expected)) in zip([0.5, 0, 0.5], [0.9990000006, 0.9983299428, 0.9975119402])
      .enumerated()
    {
      device.adam(
        p, nil, gradient: vector([gradient]), m: m, v: v, AdamStep(learningRate: 1e-3, step: step + 1))
      #expect(abs(p.array[0] - expected) < 1e-10)
    }
    let table = matrix(1, 1) { _ in 1.0 }, lazyM = matrix(1, 1) { _ in 0.0 },
      lazyV = matrix(1, 1) { _ in 0.0 }
    let row = matrix(1, 1) { _ in 0.5 }
    for (step, (ids, expected)) in zip([[Int32(0)], [], [0]], [0.9990000006, 0.9990000006, 0.9981415385])
      .enumerated()
    {
      let (gradient, arena) = try valueGradient(ids, row.rows(0..<ids.count), slots: 1, on: device)
      device.lazyAdam(
        Operand(table), gradient: gradient, m: lazyM, v: lazyV,
        AdamStep(learningRate: 1e-3, step: step + 1))
      withExtendedLifetime(arena) {}
      #expect(abs(table.array[0] - expected) < 1e-10)
    }
  }

  /// Rows not read, and their moments, keep every bit; rows read move as under dense Adam at step 1, and with all rows
  /// read at every step the two are one.
  @Test func lazyIsDenseOnTheRowsPresent() throws {
    let device = try CPUOperations<Float>(pool: Pools.two)
    func table(_ seed: UInt64) -> Matrix<Float> { randomMatrix(50, 7, seed: seed) }
    let (dense, denseM, denseV) = (table(1), matrix(50, 7) { _ in Float(0) }, matrix(50, 7) { _ in Float(0) })
    let (lazy, lazyM, lazyV) = (table(1), matrix(50, 7) { _ in Float(0) }, matrix(50, 7) { _ in Float(0) })
    let all = (0..<50).map(Int32.init)
    for step in 1...4 {
      let gradient = table(UInt64(10 + step)),
        adam = AdamStep(learningRate: 1e-2, step: step, gradientScale: 0.7)
      device.adam(
        dense.elements, nil, gradient: gradient.elements, m: denseM.elements, v: denseV.elements, adam)
      let (reads, arena) = try valueGradient(all, gradient, slots: 50, on: device)
      device.lazyAdam(Operand(lazy), gradient: reads, m: lazyM, v: lazyV, adam)
      withExtendedLifetime(arena) {}
      #expect(dense.array == lazy.array && denseM.array == lazyM.array && denseV.array == lazyV.array)
    }
    let before = (lazy.array, lazyM.array, lazyV.array)
    let ids: [Int32] = [41, 3]
    let (gradient, arena) = try valueGradient(ids, table(9).rows(0..<2), slots: 50, on: device)
    device.lazyAdam(
      Operand(lazy), gradient: gradient, m: lazyM, v: lazyV, AdamStep(learningRate: 1e-2, step: 5))
    withExtendedLifetime(arena) {}
    for i in 0..<350 {
      let isRead = ids.contains(Int32(i / 7))
      #expect((lazy.array[i] != before.0[i]) == isRead && (lazyV.array[i] != before.2[i]) == isRead)
      if !isRead { #expect(lazyM.array[i] == before.1[i]) }
    }
  }

  @Test func squaredNormIsTheSameForAnyThreads() throws {
    let x: Vector<Float> = randomVector(300_001, seed: 4)
    let expected = x.array.reduce(0.0) { $0 + Double($1) * Double($1) }
    let norms = try [Pools.one, Pools.two, Pools.three].map {
      try CPUOperations<Float>(pool: $0).squaredNorm(x)
    }
    #expect(norms[0] == norms[1] && norms[0] == norms[2])
    #expect(abs(norms[0] - expected) < 1e-9 * expected)
  }

  /// Of values in bfloat16, rows not read keep every bit; rows read are rounded to one of the two neighbors, on average
  /// to where they belong, and the same way each time.
  @Test func valuesAreRoundedByChance() throws {
    let device = try CPUOperations<Float>(pool: Pools.two)
    let rows = 40, columns = 700
    let halves = UnsafeMutablePointer<UInt16>.allocate(capacity: 2 * rows * columns)
    defer { halves.deallocate() }
    func update(_ part: Int, key: UInt64) throws -> [Float] {
      let values = Operand<Float>(halves + part * rows * columns, rows: rows, columns: columns, isBF16: true)
      device.round(matrix(rows, columns) { _ in 1 }, into: values)
      let (m, v): (Matrix<Float>, Matrix<Float>) = (matrix(rows, columns), matrix(rows, columns))
      let ids = (0..<rows - 1).map(Int32.init)
      let (gradient, arena) = try valueGradient(
        ids, matrix(rows - 1, columns) { _ in -1 }, slots: rows, on: device)
      device.lazyAdam(
        values, gradient: gradient, m: m, v: v, AdamStep(learningRate: 1e-3, step: 1, roundingKey: key))
      withExtendedLifetime(arena) {}
      return (0..<rows * columns).map {
        Float(bitPattern: UInt32(halves[part * rows * columns + $0]) << 16)
      }
    }
    let first = try update(0, key: 1)
    #expect(try first == update(1, key: 1))
    #expect(try first != update(1, key: 2))
    #expect(first.suffix(columns).allSatisfy { $0 == 1 })
    // The next number above 1 is 1 + 1/128, so one in eight goes up by a step of 0.001.
    let read = first.dropLast(columns)
    #expect(read.allSatisfy { $0 == 1 || $0 == 1 + 1 / 128 })
    #expect(abs(Double(read.reduce(0) { $0 + ($1 - 1) }) / Double(read.count) - 1e-3) < 1e-4)
  }

  /// The rounded copy of a parameter follows it.
  @Test func operandsFollowTheirParameters() throws {
    let device = try CPUOperations<Float>(pool: Pools.two, settings: EngineSettings(precision: .bf16))
    let p: Matrix<Float> = randomMatrix(70, 1000, seed: 1), g: Matrix<Float> = randomMatrix(70, 1000, seed: 2)
    let m: Vector<Float> = vector(p.count), v: Vector<Float> = vector(p.count)
    let halves = UnsafeMutablePointer<UInt16>.allocate(capacity: p.count)
    defer { halves.deallocate() }
    let operand = Operand<Float>(halves, rows: 70, columns: 1000, isBF16: true)
    device.adam(
      p.elements, operand, gradient: g.elements, m: m, v: v, AdamStep(learningRate: 1e-2, step: 1))
    let updated = (0..<p.count).map { halves[$0] }
    device.round(p, into: operand)
    #expect(updated == (0..<p.count).map { halves[$0] })
    #expect(
      zip(updated, p.array).allSatisfy {
        abs(Float(bitPattern: UInt32($0) << 16) - $1) <= abs($1) / 256
      })
  }
}
