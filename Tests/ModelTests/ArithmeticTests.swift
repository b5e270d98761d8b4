import CBLAS
import CModelKernels
import COneDNN
import Foundation
import Support
import Testing

@testable import Model

/// Every library, precision and instruction set against plain Swift and against each other.
@Suite struct ArithmeticTests {
  /// Those that this machine can run, as `generic` always can, and the choice among them.
  static let libraries: [EngineSettings.Library?] =
    [nil]
    + EngineSettings.Library.allCases.filter {
      (try? CPUOperations<Float>(pool: Pools.one, settings: EngineSettings(library: $0))) != nil
    }
  static let choices = libraries.flatMap { library in
    EngineSettings.Precision.allCases.map { EngineSettings(precision: $0, library: library) }
  }

  /// The nearest number with 8 bits of fraction, ties to even, by arithmetic instead of by bits.
  static func rounded(_ x: Float) -> Float {
    guard x.isFinite, x != 0 else { return x }
    let unit = Float(sign: .plus, exponent: max(x.exponent, -126) - 7, significand: 1)
    return (x / unit).rounded(.toNearestOrEven) * unit
  }

  @Test func numbersAreRoundedToTheNearest() {
    var random = RandomGenerator(seed: 3)
    var xs: [Float] = [
      0, -0.0, 1, -1, 1.00390625, 1.01171875, 1.00390637, .infinity, -.infinity, 1e-38, 3.3e38, 65280, 0.1,
    ]
    for exponent in -120...120 {
      xs += (0..<20).map { _ in Float(sign: .plus, exponent: exponent, significand: Float(random.normal())) }
    }
    xs.append(.nan)
    for set in [PKM_INSTRUCTION_SET_PLAIN, PKM_INSTRUCTION_SET_V3, PKM_INSTRUCTION_SET_V4] {
      let kernels = Float.kernels(set)
      var bits = [UInt16](repeating: 7, count: xs.count), wide = [Float](repeating: 7, count: xs.count)
      kernels.round_to_bf16(1, xs.count, xs, xs.count, &bits, xs.count)
      kernels.widen_bf16(1, xs.count, bits, xs.count, &wide, xs.count)
      for (index, x) in xs.enumerated() {
        let half = Float(bitPattern: UInt32(bits[index]) << 16)
        if x.isNaN {
          #expect(half.isNaN && wide[index].isNaN)
        } else {
          #expect(half == Self.rounded(x) && half.sign == x.sign, "\(x)")
          #expect(wide[index].bitPattern == half.bitPattern)
        }
      }
    }
  }

  /// One pool of threads shares out the work of all operations; beside it the libraries' own would fight for processors.
  @Test func librariesHaveNoThreadsOfTheirOwn() {
    if pkm_blas_load() == nil { #expect(pkm_blas_threads() <= 1) }
    if pkm_onednn_load() == nil { #expect(pkm_onednn_threads() <= 1) }
  }

  /// x in the form that the device multiplies.
  private func operand(_ x: Matrix<Float>, on device: CPUOperations<Float>) -> Operand<Float> {
    guard device.operandsAreBF16 else { return Operand(x) }
    let halves = UnsafeMutablePointer<UInt16>.allocate(capacity: x.rows * (x.columns + 5))
    let operand = Operand<Float>(
      halves, rows: x.rows, columns: x.columns, stride: x.columns + 5, isBF16: true)
    device.round(x, into: operand)
    return operand
  }

  /// Products of all orientations, with strides, factors and sums, against triple loops over the rounded operands.
  @Test(
    arguments: choices,
    [
      (1, 1, 1), (3, 5, 7), (65, 33, 129), (130, 530, 290), (129, 70, 31), (260, 65, 600), (128, 1030, 2050),
    ])
  func products(settings: EngineSettings, shape: (Int, Int, Int)) throws {
    let device = try CPUOperations<Float>(pool: Pools.two, settings: settings)
    let (m, n, k) = shape
    func multiplied(_ x: Float) -> Double { Double(settings.precision == .bf16 ? Self.rounded(x) : x) }
    for (transposesA, transposesB) in [(false, false), (false, true), (true, false), (true, true)] {
      let (rows, columns) = transposesA ? (k, m) : (m, k)
      let a = (randomMatrix(rows, columns + 3, seed: 1) as Matrix<Float>).columns(2..<columns + 2)
      let b: Matrix<Float> = transposesB ? randomMatrix(n, k, seed: 2) : randomMatrix(k, n, seed: 2)
      let c = (matrix(m, n + 1) { _ in 3 } as Matrix<Float>).columns(0..<n)
      for adding in [false, true] {
        device.matmul(
          operand(a, on: device), transposed: transposesA, operand(b, on: device), transposed: transposesB,
          factor: 0.5, into: c, adding: adding)
        for (i, j) in [(0, 0), (m - 1, n - 1), (m / 2, n / 3), (m / 3, n - 1), (m - 1, 0)] {
          let sum = (0..<k).reduce(0.0) {
            $0 + multiplied(transposesA ? a.pointer[$1 * a.stride + i] : a.pointer[i * a.stride + $1])
              * multiplied(transposesB ? b.pointer[j * k + $1] : b.pointer[$1 * n + j])
          }
          #expect(abs(Double(c.pointer[i * c.stride + j]) - (adding ? 1 : 0.5) * sum) < 1e-4)
        }
      }
      for row in 0..<m { #expect(c.pointer[row * c.stride + n] == 3) }
    }
  }

  /// Gradients of weights and biases are added to; those of biases are the bits of a pass of their own.
  @Test(arguments: choices, [(3, 5, 40), (100, 1090, 2118), (97, 70, 4140), (770, 65, 129), (50, 2100, 200)])
  func productsWithColumnSums(settings: EngineSettings, shape: (Int, Int, Int)) throws {
    let device = try CPUOperations<Float>(pool: Pools.two, settings: settings)
    let (m, n, k) = shape
    func multiplied(_ x: Float) -> Double { Double(settings.precision == .bf16 ? Self.rounded(x) : x) }
    let a = (randomMatrix(k, m + 3, seed: 1) as Matrix<Float>).columns(2..<m + 2)
    let b: Matrix<Float> = randomMatrix(k, n, seed: 2)
    let c = (matrix(m, n + 1) { _ in 3 } as Matrix<Float>).columns(0..<n)
    let sums: Vector<Float> = vector(m) { _ in 2 }, alone: Vector<Float> = vector(m) { _ in 2 }
    let x = operand(a, on: device)
    device.addMatmul(ofTransposed: x, operand(b, on: device), factor: 0.5, to: c, columnSums: sums)
    device.addColumnSums(of: x, factor: 0.5, to: alone)
    #expect(sums.array == alone.array)
    for i in stride(from: 0, to: m, by: 19) {
      for j in [0, n / 3, n - 1] {
        let sum = (0..<k).reduce(0.0) {
          $0 + multiplied(a.pointer[$1 * a.stride + i]) * multiplied(b.pointer[$1 * n + j])
        }
        #expect(abs(Double(c.pointer[i * c.stride + j]) - (3 + 0.5 * sum)) < 2e-4)
      }
    }
    for row in 0..<m { #expect(c.pointer[row * c.stride + n] == 3) }
  }

  /// A right operand of reals beside a left one of bfloat16 counts as if it had been rounded, whatever multiplies.
  @Test(
    arguments: choices.filter { $0.precision == .bf16 },
    [(1, 7, 33), (40, 30, 64), (130, 530, 290), (129, 70, 31), (260, 65, 600)])
  func realRightOperandsAreRounded(settings: EngineSettings, shape: (Int, Int, Int)) throws {
    let device = try CPUOperations<Float>(pool: Pools.two, settings: settings)
    let (m, n, k) = shape
    let a = operand(randomMatrix(m, k, seed: 1), on: device)
    for transposed in [false, true] {
      let (rows, columns) = transposed ? (n, k) : (k, n)
      let b = (randomMatrix(rows, columns + 3, seed: 2) as Matrix<Float>).columns(1..<columns + 1)
      let rounded = operand(b, on: device)
      let result: Matrix<Float> = matrix(m, n), expected: Matrix<Float> = matrix(m, n)
      for (b, c) in [(Operand(b), result), (rounded, expected)] {
        device.matmul(
          a, transposed: false, b, transposed: transposed, factor: 0.5, into: c, adding: true)
      }
      #expect(result.array == expected.array)
      let bias: Vector<Float> = randomVector(n, seed: 3)
      for (b, c) in [(Operand(b), result), (rounded, expected)] {
        let out = operand(matrix(m, n), on: device)
        device.matmul(a, b, transposed: transposed, epilogue: .bias(bias, into: out))
        Float.kernels(PKM_INSTRUCTION_SET_PLAIN).widen_bf16(m, n, out.pointer, out.stride, c.pointer, n)
      }
      #expect(result.array == expected.array)
    }
  }

  /// Few rows are multiplied by a kernel of our own: all remainders, in every instruction set and both forms.
  @Test(arguments: EngineSettings.Instructions.allCases, EngineSettings.Precision.allCases)
  func fewRows(instructions: EngineSettings.Instructions, precision: EngineSettings.Precision) throws {
    let device = try CPUOperations<Float>(
      pool: Pools.two,
      settings: EngineSettings(precision: precision, library: .generic, instructions: instructions))
    for (m, n, k) in [
      (1, 1, 1), (1, 7, 33), (3, 4, 16), (4, 9, 50), (7, 70, 100), (17, 25, 64), (5, 421, 24), (32, 1030, 77),
    ] {
      let a: Matrix<Float> = randomMatrix(m, k, seed: 1), b: Matrix<Float> = randomMatrix(n, k, seed: 2)
      let c = (matrix(m, n + 1) { _ in 3 } as Matrix<Float>).columns(0..<n)
      let (x, w) = (operand(a, on: device), operand(b, on: device))
      device.matmul(x, transposed: false, w, transposed: true, factor: 1, into: c, adding: false)
      func number(_ x: Float) -> Double { Double(precision == .bf16 ? Self.rounded(x) : x) }
      for i in 0..<m {
        for j in 0..<n {
          var sum = 0.0
          for p in 0..<k { sum += number(a.pointer[i * k + p]) * number(b.pointer[j * k + p]) }
          #expect(abs(Double(c.pointer[i * c.stride + j]) - sum) < 1e-4)
        }
        #expect(c.pointer[i * c.stride + n] == 3)
      }
    }
  }

  /// Loss and gradients of one step.
  private func step<Scalar: Real>(
    _ settings: EngineSettings, _ type: Scalar.Type, memory: Bool = true, pool: WorkerPool = Pools.two
  ) throws -> (loss: Double, gradient: [Scalar]) {
    var configuration = smallConfiguration(.pre)
    configuration.dim = 96
    configuration.context = 160
    configuration.vocabularySize = 777
    configuration.memory?.subkeys = 40
    configuration.memory?.queryDim = 64
    if !memory { configuration.memory = nil }
    let sample = try Sample<Scalar>(
      configuration, sequences: 2, length: 150, pool: pool, settings: settings, seed: 4)
    sample.model.zeroGradients()
    let loss = sample.loss()
    sample.model.backward(scale: 1 / Double(loss.count))
    return (
      loss.smoothed / Double(loss.count), sample.model.parameters.compactMap(\.gradient).flatMap(\.array)
    )
  }

  /// Distance of two vectors relative to their length.
  private func distance<Scalar: Real>(_ a: [Scalar], _ b: [Double]) -> Double {
    let (difference, length) = zip(a, b).reduce((0.0, 0.0)) { sum, pair in
      let d = Double(pair.0) - pair.1
      return (sum.0 + d * d, sum.1 + pair.1 * pair.1)
    }
    return (difference / length).squareRoot()
  }

  /// The plain and AVX2 kernels and our own GEMM, which this machine would not choose by itself, through a whole model.
  @Test(arguments: EngineSettings.Instructions.allCases)
  func everyInstructionSetComputesTheModel(instructions: EngineSettings.Instructions) throws {
    let reference = try step(EngineSettings(library: .generic, instructions: .plain), Double.self)
    let exact = try step(EngineSettings(library: .generic, instructions: instructions), Double.self)
    #expect(abs(exact.loss - reference.loss) < 1e-12)
    #expect(distance(exact.gradient, reference.gradient) < 1e-11)
    for library in Self.libraries {
      let single = try step(EngineSettings(library: library, instructions: instructions), Float.self)
      #expect(abs(single.loss - reference.loss) < 1e-5)
      #expect(distance(single.gradient, reference.gradient) < 1e-4)
    }
  }

  /// bfloat16 keeps a gradient's direction and is the same however it is multiplied.
  ///
  /// Without a memory: there a rounded query may read other slots, which is no small change of the gradient.
  @Test func bf16TrainsTheModel() throws {
    let reference = try step(EngineSettings(library: .generic), Double.self, memory: false)
    let plain = try step(
      EngineSettings(precision: .bf16, library: .generic, instructions: .plain), Float.self, memory: false)
    #expect(abs(plain.loss - reference.loss) < 2e-3)
    #expect(distance(plain.gradient, reference.gradient) < 0.03)
    #expect(distance(plain.gradient, reference.gradient) > 1e-4)
    for library in Self.libraries {
      let result = try step(EngineSettings(precision: .bf16, library: library), Float.self, memory: false)
      #expect(abs(result.loss - plain.loss) < 2e-4)
      #expect(distance(result.gradient, plain.gradient.map(Double.init)) < 0.01)
    }
  }

  /// The same bits for any number of threads, in every precision and library.
  @Test(arguments: choices) func threadsDoNotChangeABit(settings: EngineSettings) throws {
    let one = try step(settings, Float.self, pool: Pools.one)
    for pool in [Pools.two, Pools.three] {
      let other = try step(settings, Float.self, pool: pool)
      #expect(other.loss == one.loss && other.gradient == one.gradient)
    }
  }

  #if os(Linux) && arch(x86_64)
    /// A handler's frame is written below the stack pointer, wherever a library's product has put that: in the heap, it
    /// would damage what lies there.
    @Test(arguments: choices) func signalsFindAStack(settings: EngineSettings) throws {
      let device = try CPUOperations<Float>(pool: Pools.one, settings: settings)
      let (m, n, k) = (128, 32, 310)
      let a = operand(randomMatrix(m, k, seed: 1), on: device),
        b = operand(randomMatrix(k, n, seed: 2), on: device)
      let c: Matrix<Float> = matrix(m, n)
      let found = SignalProbe.count(signals: 200) {
        device.matmul(a, transposed: false, b, transposed: false, factor: 1, into: c, adding: false)
      }
      #expect(found.seen >= 200 && found.astray == 0)
    }
  #endif

  @Test func theBestOfTheCeilingsCounts() throws {
    var ceilings = MachineCeilings()
    try ceilings.measure(Pools.one)
    let first = ceilings
    try ceilings.measure(Pools.one)
    #expect(ceilings.measurements == 2)
    for kind in [\MachineCeilings.float32, \.bfloat16, \.stream, \.randomRows] {
      let (once, twice) = (first[keyPath: kind], ceilings[keyPath: kind])
      #expect(once.best == once.poorest && twice.best >= once.best && twice.poorest <= once.poorest)
    }
    #expect(first.float32.best >= 0 && first.stream.best > 0 && first.randomRows.best > 0)
  }
}
