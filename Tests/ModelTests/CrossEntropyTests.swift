import Foundation
import Support
import Testing

@testable import Model

@Suite struct CrossEntropyTests {
  let device: CPUOperations<Double>

  init() throws { device = try CPUOperations(pool: Pools.two) }

  /// The logits become the gradient.
  func run<T: Real>(
    _ device: CPUOperations<T>, _ logits: Matrix<T>, _ bias: Vector<T>, _ targets: [Int32],
    _ smoothing: Double
  ) -> Loss {
    device.crossEntropy(
      logits, bias: bias, targets: deviceArray(targets), smoothing: smoothing, gradient: Operand(logits))
  }

  /// Of logits that are not stored.
  func loss<T: Real>(
    _ device: CPUOperations<T>, of x: Operand<T>, table: Operand<T>, _ bias: Vector<T>, _ targets: [Int32],
    _ smoothing: Double, gradient: Operand<T>? = nil
  ) -> Loss {
    let sums = LossSums(deviceArray([Double](repeating: 0, count: LossSums.count)))
    device.crossEntropy(
      of: x, table: table, bias: bias, targets: deviceArray(targets), smoothing: smoothing,
      gradient: gradient,
      addingTo: sums)
    return Loss(sums.numbers.array)
  }

  /// Section 9, vector 3 of the reference, with part of each logit in the bias.
  @Test func referenceVector() {
    let z = matrix(1, 3) { [1.5, 1, 0.25][$0] }, bias = vector([0.5, 0, -0.25])
    let loss = run(device, z, bias, [0], 0.1)
    #expect(
      abs(loss.nll - 0.4076059644) < 1e-9 && abs(loss.smoothed - 0.5076059644) < 1e-9 && loss.count == 1)
    #expect(zip(z.array, [-0.2680923776, 0.2113951377, 0.0566972398]).allSatisfy { abs($0 - $1) < 1e-9 })
  }

  @Test(arguments: [0.0, 0.1, 1.0])
  func gradientMatchesFiniteDifferences(smoothing: Double) {
    let z: Matrix<Double> = randomMatrix(4, 37, seed: 1, deviation: 3),
      bias: Vector<Double> = randomVector(37, seed: 2)
    let targets: [Int32] = [3, -1, 36, 0]
    func loss() -> Double {
      let one = matrix(37, 37) { $0 % 38 == 0 ? 1.0 : 0 }
      return self.loss(device, of: Operand(z), table: Operand(one), bias, targets, smoothing).smoothed
    }
    let d = matrix(4, 37) { z.pointer[$0] }
    let sum = run(device, d, bias, targets, smoothing)
    #expect(abs(sum.smoothed - loss()) < 1e-12 && sum.count == 3)
    #expect((37..<74).allSatisfy { d.pointer[$0] == 0 })
    #expect(gradientError(of: z.elements, gradient: d.array, loss: loss) < 1e-7)
  }

  /// Float over a large vocabulary against the definition in double, with logits too large for a plain exponential.
  @Test func floatMatchesDefinition() throws {
    let device = try CPUOperations<Float>(pool: Pools.two), v = 5003
    let z: Matrix<Float> = randomMatrix(3, v, seed: 7, deviation: 30), bias: Vector<Float> = vector(v)
    let values = z.array.map(Double.init)
    let targets: [Int32] = [5, 5002, 0]
    var nll = 0.0, smoothed = 0.0, p: [Double] = []
    for (row, target) in targets.enumerated() {
      let x = values[row * v..<(row + 1) * v], top = x.max()!
      let lse = top + log(x.reduce(0) { $0 + exp($1 - top) })
      nll += lse - values[row * v + Int(target)]
      smoothed += lse - 0.9 * values[row * v + Int(target)] - 0.1 / Double(v) * x.reduce(0, +)
      p += x.enumerated().map { exp($1 - lse) - 0.1 / Double(v) - ($0 == target ? 0.9 : 0) }
    }
    let loss = run(device, z, bias, targets, 0.1)
    #expect(abs(loss.nll - nll) < 1e-4 * nll && abs(loss.smoothed - smoothed) < 1e-4 * smoothed)
    #expect(zip(z.array, p).allSatisfy { abs(Double($0) - $1) < 2e-6 })
  }

  /// With and without a gradient the same loss, over rows and columns that do not fill pieces, in every library.
  @Test(arguments: ArithmeticTests.choices) func storedOrNot(settings: EngineSettings) throws {
    let device = try CPUOperations<Float>(pool: Pools.two, settings: settings)
    let (rows, classes, d) = (300, 1300, 24)
    func operand(_ seed: UInt64, _ rows: Int, _ columns: Int) -> Operand<Float> {
      let x: Matrix<Float> = randomMatrix(rows, columns, seed: seed)
      guard device.operandsAreBF16 else { return Operand(x) }
      let operand = Operand<Float>(
        UnsafeMutablePointer<UInt16>.allocate(capacity: x.count), rows: rows, columns: columns, isBF16: true)
      device.round(x, into: operand)
      return operand
    }
    func numbers(_ x: Operand<Float>) -> [Float] {
      x.reals?.array
        ?? (0..<x.count).map {
          Float(bitPattern: UInt32(x.pointer.assumingMemoryBound(to: UInt16.self)[$0]) << 16)
        }
    }
    let x = operand(1, rows, d), table = operand(2, classes, d),
      bias: Vector<Float> = randomVector(classes, seed: 3)
    let targets = (0..<rows).map { Int32($0 % 7 == 2 ? -1 : $0 * 977 % classes) }
    let logits: Matrix<Float> = matrix(rows, classes)
    device.matmul(x, transposed: false, table, transposed: true, factor: 1, into: logits, adding: false)
    let stored = run(device, logits, bias, targets, 0.1)
    let gradient: Operand<Float> = operand(4, rows, classes)
    for loss in [
      loss(device, of: x, table: table, bias, targets, 0.1),
      loss(device, of: x, table: table, bias, targets, 0.1, gradient: gradient),
    ] {
      #expect(stored.count == loss.count && loss.count == rows - (rows + 4) / 7)
      #expect(abs(stored.nll - loss.nll) < 1e-5 * stored.nll)
      #expect(abs(stored.smoothed - loss.smoothed) < 1e-5 * stored.smoothed)
    }
    for (value, right) in zip(numbers(gradient), logits.array) {
      let error = abs(value - right)
      if error > 1e-5 + 0.005 * abs(right) {
        Issue.record("\(value), \(right)")
        break
      }
    }
  }
}
