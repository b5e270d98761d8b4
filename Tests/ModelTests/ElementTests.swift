import Foundation
import Model
import Support
import Testing

/// The float kernels against plain Swift in double, over sizes that do not fill vectors.
@Suite struct ElementTests {
  let device: CPUOperations<Float>

  init() throws { device = try CPUOperations(pool: Pools.two) }

  /// Section 9, vector 6 of the reference, and the whole range of the activation.
  @Test func gelu() throws {
    let exact = try CPUOperations<Double>(pool: Pools.one)
    let h = matrix(1, 2) { [1.0, -1][$0] }, out: Matrix<Double> = matrix(1, 2)
    exact.biasGELU(vector([0.0, 0]), h, keeping: Operand(h), into: Operand(out))
    #expect(zip(out.array, [0.8413447461, -0.1586552539]).allSatisfy { abs($0 - $1) < 1e-10 })

    let xs = (0..<4001).map { Float($0 - 2000) / 150 }
    let x = matrix(1, xs.count) { xs[$0] }, y: Matrix<Float> = matrix(1, xs.count),
      d = matrix(1, xs.count) { _ in Float(1) }
    device.biasGELU(vector(xs.count), x, keeping: Operand(x), into: Operand(y))
    let again: Matrix<Float> = matrix(1, xs.count)
    device.geluBackward(Operand(x), d, into: Operand(d), again: Operand(again))
    #expect(again.array == y.array)
    for (i, value) in xs.enumerated() {
      let x = Double(value), phi = 0.5 * erfc(-x / 2.0.squareRoot())
      #expect(abs(Double(y.pointer[i]) - x * phi) < 2e-7 * max(1, abs(x)))
      #expect(abs(Double(d.pointer[i]) - phi - x * exp(-x * x / 2) / (2 * Double.pi).squareRoot()) < 5e-7)
    }
  }

  @Test(arguments: [(1, 1), (3, 17), (130, 65), (70, 300)])
  func residualBiasAndColumnSums(rows: Int, columns: Int) {
    let x: Matrix<Float> = randomMatrix(rows, columns, seed: 1),
      branch: Matrix<Float> = randomMatrix(rows, columns, seed: 2)
    let bias: Vector<Float> = randomVector(columns, seed: 3), out: Matrix<Float> = matrix(rows, columns)
    device.residual(x, branch: branch, bias: bias, mask: .none, into: out)
    for i in 0..<rows * columns {
      #expect(out.pointer[i] == x.pointer[i] + (branch.pointer[i] + bias.pointer[i % columns]))
    }
    device.addBias(bias, to: branch, into: Operand(branch))
    device.add(x.elements, to: branch.elements)
    #expect(zip(out.array, branch.array).allSatisfy { abs($0 - $1) < 1e-5 })
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
    // The fused residual drops the same elements.
    let zero: Matrix<Float> = matrix(400, 250), one: Matrix<Float> = matrix(400, 250) { _ in 1 }
    let out: Matrix<Float> = matrix(400, 250)
    device.residual(zero, branch: one, bias: nil, mask: DropoutMask(key: 1, probability: 0.2), into: out)
    #expect(out.array == first)
  }

  /// Products of all four orientations, with tiles that do not fill, against triple loops.
  @Test(arguments: [(1, 1, 1), (3, 5, 7), (65, 33, 129), (700, 530, 90)])
  func products(m: Int, n: Int, k: Int) {
    for (transposesA, transposesB) in [(false, false), (false, true), (true, false), (true, true)] {
      let a: Matrix<Float> = transposesA ? randomMatrix(k, m, seed: 1) : randomMatrix(m, k, seed: 1)
      let b: Matrix<Float> = transposesB ? randomMatrix(n, k, seed: 2) : randomMatrix(k, n, seed: 2)
      let c: Matrix<Float> = matrix(m, n) { _ in 3 }
      device.multiply(
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
