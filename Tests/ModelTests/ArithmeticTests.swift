import CBLAS
import CModelKernels
import COneDNN
import Foundation
import Support
import TestSupport
import Testing

@testable import Model

/// Every library, precision and instruction set of the CPU in whole models.
@Suite(.timeLimit(.minutes(60))) struct ArithmeticTests {
  /// Those that this machine can run, as `generic` always can, and the choice among them.
  static let libraries: [EngineSettings.Library?] =
    [nil]
    + EngineSettings.Library.allCases.filter {
      (try? CPUOperations<Float>(pool: Pools.one, settings: EngineSettings(library: $0))) != nil
    }
  static let choices =
    libraries.flatMap { library in
      EngineSettings.Precision.allCases.map { EngineSettings(precision: $0, library: library) }
    } + [EngineSettings(precision: .bf16, library: .generic, instructions: .emulatedTilesAVX512)]

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
    let sample = try Sample(
      configuration, on: CPUOperations<Scalar>(pool: pool, settings: settings), sequences: 2, length: 150,
      seed: 4)
    sample.model.zeroGradients()
    let loss = sample.loss()
    sample.model.backward(scale: 1 / Double(loss.count))
    return (
      loss.smoothed / Double(loss.count),
      sample.model.parameters.compactMap(\.gradient).flatMap { sample.model.device.download($0) }
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
  @Test(arguments: Engines.instructionSets)
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
    for instructions in Engines.instructionSets where instructions != .plain {
      let settings = EngineSettings(precision: .bf16, library: .generic, instructions: instructions)
      let result = try step(settings, Float.self, memory: false)
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
      let device = try CPUOperations<Float>(pool: Pools.one, settings: settings), bed = TestBed(device)
      let (m, n, k) = (128, 32, 310)
      let a = bed.operand(m, k, normal(1)), b = bed.operand(k, n, normal(2)), c = bed.matrix(m, n)
      let found = SignalProbe.count(signals: 200) {
        device.matmul(a, transposed: false, b, transposed: false, factor: 1, into: c, adding: false)
      }
      #expect(found.seen >= 200 && found.astray == 0)
    }
  #endif

  @Test(.long) func theBestOfTheCeilingsCounts() throws {
    var ceilings = MachineCeilings()
    try ceilings.measure(Pools.one)
    let first = ceilings
    try ceilings.measure(Pools.one)
    #expect(ceilings.measurements == 2)
    for kind in [
      \MachineCeilings.float32, \.bfloat16, \.bytes, \.tiles, \.cachedTiles, \.stream, \.randomRows,
    ] {
      let (once, twice) = (first[keyPath: kind], ceilings[keyPath: kind])
      #expect(once.best == once.poorest && twice.best >= once.best && twice.poorest <= once.poorest)
    }
    #expect(first.float32.best >= 0 && first.stream.best > 0 && first.randomRows.best > 0)
    #expect((first.tiles.best > 0) == (pkm_amx_bf16() == PKM_AMX_USABLE))
    // Shares are of the best unit that a precision could use, and never of one that it could not.
    #expect(first.matmul(.fp32) == first.float32.best)
    for unit in [first.float32, first.bfloat16, first.tiles] { #expect(first.matmul(.bf16) >= unit.best) }
    #expect(first.scores >= max(first.float32.best, first.bytes.best))
  }
}
