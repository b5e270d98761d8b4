import Foundation
import Support
import Testing

@testable import Model

/// The float kernels against plain Swift in double, over sizes that do not fill vectors.
@Suite struct ElementTests {
  let device: CPUOperations<Float>

  init() throws { device = try CPUOperations(pool: Pools.two) }

  /// Section 9, vector 6 of the reference, and the whole range of the activation.
  @Test func gelu() throws {
    let exact = try CPUOperations<Double>(pool: Pools.one)
    let h = matrix(2, 1) { [1.0, -1][$0] }, out: Matrix<Double> = matrix(2, 1)
    // A product with 1 is what it was.
    exact.matmul(
      Operand(h), Operand(matrix(1, 1) { _ in 1 }), transposed: true,
      epilogue: .biasGELU(vector([0.0]), keeping: nil, into: Operand(out)))
    #expect(zip(out.array, [0.8413447461, -0.1586552539]).allSatisfy { abs($0 - $1) < 1e-10 })

    let xs = (0..<4001).map { Float($0 - 2000) / 150 }, one = Operand(matrix(1, 1) { _ in Float(1) })
    let x = matrix(xs.count, 1) { xs[$0] }, y: Matrix<Float> = matrix(xs.count, 1)
    let kept: Matrix<Float> = matrix(xs.count, 1)
    device.matmul(
      Operand(x), one, transposed: true,
      epilogue: .biasGELU(vector(1), keeping: Operand(kept), into: Operand(y)))
    #expect(kept.array == xs)
    let again: Matrix<Float> = matrix(xs.count, 1)
    device.matmul(
      Operand(matrix(xs.count, 1) { _ in Float(1) }), one, transposed: false,
      epilogue: .geluBackward(Operand(x), again: Operand(again)))
    #expect(again.array == y.array)
    let slopes = x.array
    for (i, value) in xs.enumerated() {
      let x = Double(value), phi = 0.5 * erfc(-x / 2.0.squareRoot())
      #expect(abs(Double(y.pointer[i]) - x * phi) < 2e-7 * max(1, abs(x)))
      #expect(abs(Double(slopes[i]) - phi - x * exp(-x * x / 2) / (2 * Double.pi).squareRoot()) < 5e-7)
    }
  }

  /// What is made of products in passing, in every form and instruction set: rows few and many, tiles that do not fill.
  @Test(arguments: EngineSettings.Instructions.allCases, ArithmeticTests.choices)
  func finishes(instructions: EngineSettings.Instructions, settings: EngineSettings) throws {
    var settings = settings
    settings.instructions = instructions
    let device = try CPUOperations<Float>(pool: Pools.two, settings: settings)
    let isBF16 = device.operandsAreBF16
    for (m, n, k) in [(1, 1, 1), (3, 70, 17), (40, 65, 33), (300, 700, 120)] {
      func operand(_ seed: UInt64?, _ rows: Int, _ columns: Int) -> Operand<Float> {
        let x: Matrix<Float> = seed.map { randomMatrix(rows, columns, seed: $0) } ?? matrix(rows, columns)
        guard isBF16 else { return Operand(x) }
        let operand = Operand<Float>(
          UnsafeMutablePointer<UInt16>.allocate(capacity: rows * columns), rows: rows, columns: columns,
          isBF16: true)
        device.round(x, into: operand)
        return operand
      }
      func numbers(_ x: Operand<Float>) -> [Float] {
        x.reals?.array
          ?? (0..<x.count).map {
            Float(bitPattern: UInt32(x.pointer.assumingMemoryBound(to: UInt16.self)[$0]) << 16)
          }
      }
      let a = operand(1, m, k), stream: Matrix<Float> = randomMatrix(m, n, seed: 5)
      let bias: Vector<Float> = randomVector(n, seed: 3)
      for transposed in [true, false] {
        let b = transposed ? operand(2, n, k) : operand(2, k, n), c: Matrix<Float> = matrix(m, n)
        device.matmul(a, transposed: false, b, transposed: transposed, factor: 1, into: c, adding: false)
        let product = c.array.map(Double.init)
        func expect(_ x: [Float], _ what: String, _ expected: (_ index: Int, _ product: Double) -> Double) {
          for (index, value) in x.enumerated() {
            let right = expected(index, product[index])
            let error = abs(Double(value) - right) / max(1, abs(right))
            if error > (isBF16 ? 0.012 : 2e-5) {
              Issue.record("\(what) \((m, n, k)) \(index): \(value), \(right)")
              return
            }
          }
        }
        func gelu(_ x: Double) -> Double { x * 0.5 * erfc(-x / 2.0.squareRoot()) }
        func biased(_ index: Int, _ product: Double) -> Double { product + Double(bias.pointer[index % n]) }
        let out = operand(nil, m, n), other = operand(nil, m, n)
        device.matmul(a, b, transposed: transposed, epilogue: .round(into: out))
        expect(numbers(out), "round") { $1 }
        device.matmul(a, b, transposed: transposed, epilogue: .bias(bias, into: out))
        expect(numbers(out), "bias", biased)
        device.matmul(a, b, transposed: transposed, epilogue: .biasGELU(bias, keeping: other, into: out))
        expect(numbers(other), "kept", biased)
        expect(numbers(out), "GELU") { gelu(biased($0, $1)) }
        let alone = operand(nil, m, n)
        device.matmul(a, b, transposed: transposed, epilogue: .biasGELU(bias, keeping: nil, into: alone))
        #expect(numbers(alone) == numbers(out))
        let h = operand(4, m, n), hidden = numbers(h).map(Double.init)
        device.matmul(a, b, transposed: transposed, epilogue: .geluBackward(h, again: other))
        expect(numbers(other), "again") { index, _ in gelu(hidden[index]) }
        expect(numbers(h), "slope") { index, product in
          let x = hidden[index]
          return product
            * (0.5 * erfc(-x / 2.0.squareRoot()) + x * exp(-x * x / 2) / (2 * Double.pi).squareRoot())
        }
        // The elements of a piece are dropped as those of the whole: beside none dropped, 0 or twice.
        let whole: Matrix<Float> = matrix(m, n), dropped: Matrix<Float> = matrix(m, n)
        device.matmul(
          a, b, transposed: transposed, epilogue: .residual(stream, bias: bias, mask: .none, into: whole))
        expect(whole.array, "residual") { Double(stream.pointer[$0]) + biased($0, $1) }
        let mask = DropoutMask(key: 9, probability: 0.5), ones: Matrix<Float> = matrix(m, n) { _ in 1 }
        device.dropout(ones, mask)
        device.matmul(
          a, b, transposed: transposed, epilogue: .residual(stream, bias: bias, mask: mask, into: dropped))
        expect(dropped.array, "dropout") {
          Double(stream.pointer[$0]) + Double(ones.pointer[$0]) * biased($0, $1)
        }
      }
    }
  }

  @Test(arguments: [(1, 1), (3, 17), (130, 65), (70, 300)])
  func sums(rows: Int, columns: Int) {
    let x: Matrix<Float> = randomMatrix(rows, columns, seed: 1),
      branch: Matrix<Float> = randomMatrix(rows, columns, seed: 2)
    let out: Matrix<Float> = matrix(rows, columns)
    device.add(x, branch, into: out)
    #expect(out.array == zip(x.array, branch.array).map { $0 + $1 })
    device.add(x.elements, to: branch.elements)
    #expect(out.array == branch.array)
    let sums: Vector<Float> = vector(columns) { _ in 1 }
    device.addColumnSums(of: Operand(x), factor: -2, to: sums)
    for c in 0..<columns {
      let expected = 1 - 2 * (0..<rows).reduce(0.0) { $0 + Double(x.pointer[$1 * columns + c]) }
      #expect(abs(Double(sums.pointer[c]) - expected) < 1e-4)
    }
  }

  /// A share p is dropped, the rest scaled by 1 / (1 - p); other keys drop others; the same key, the same ones.
  @Test func dropout() {
    func mask(_ key: UInt64) -> [Float] {
      let x: Matrix<Float> = matrix(400, 250) { _ in 1 }
      device.dropout(x, DropoutMask(key: key, probability: 0.2))
      return x.array
    }
    let first = mask(1), other = mask(1 << 40)
    #expect(first == mask(1))
    #expect(Set(first) == [0, 1.25])
    let share = Double(first.count { $0 == 0 }) / 100_000
    #expect(abs(share - 0.2) < 0.006)
    // Independent masks agree on 0.2² + 0.8² of the elements.
    let agree = Double(zip(first, other).count { $0 == $1 }) / 100_000
    #expect(abs(agree - 0.68) < 0.008)
    // No row repeats another one's mask.
    let masks = Set((0..<400).map { (row: Int) -> [Float] in Array(first[row * 250..<(row + 1) * 250]) })
    #expect(masks.count == 400)
  }

  /// Products of all four orientations, with tiles that do not fill, against triple loops.
  @Test(arguments: [(1, 1, 1), (3, 5, 7), (65, 33, 129), (700, 530, 90)])
  func products(m: Int, n: Int, k: Int) {
    for (transposesA, transposesB) in [(false, false), (false, true), (true, false), (true, true)] {
      let a: Matrix<Float> = transposesA ? randomMatrix(k, m, seed: 1) : randomMatrix(m, k, seed: 1)
      let b: Matrix<Float> = transposesB ? randomMatrix(n, k, seed: 2) : randomMatrix(k, n, seed: 2)
      let c: Matrix<Float> = matrix(m, n) { _ in 3 }
      device.matmul(
        Operand(a), transposed: transposesA, Operand(b), transposed: transposesB, factor: 0.5, into: c,
        adding: true)
      for (i, j) in [(0, 0), (m - 1, n - 1), (m / 2, n / 3), (m / 3, n - 1), (m - 1, 0)] {
        let sum = (0..<k).reduce(0.0) {
          $0 + Double(transposesA ? a.pointer[$1 * m + i] : a.pointer[i * k + $1])
            * Double(transposesB ? b.pointer[j * k + $1] : b.pointer[$1 * n + j])
        }
        #expect(abs(Double(c.pointer[i * n + j]) - 3 - 0.5 * sum) < 1e-4)
      }
    }
  }
}
