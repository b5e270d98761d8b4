import CModelKernels
import Foundation
import Support

/// A comparison of the ways to multiply matrices on this processor, on the shapes of one model.
package struct MatmulTrial {
  /// The settings that a processor and its libraries offer, our own kernels first.
  package let candidates: [EngineSettings]
  /// The seconds of the matmuls of one layer, forward and backward, for each candidate: its best of some rounds.
  package private(set) var seconds: [Double]
  private let flops: Double

  /// How much faster than our own kernels another candidate has to be, so that noise does not choose.
  package static let margin = 1.1

  /// The candidate to use: the first one, unless another one is faster by a clear margin.
  package static func choice(_ seconds: [Double]) -> Int {
    guard let best = seconds.indices.min(by: { seconds[$0] < seconds[$1] }) else { return 0 }
    return seconds[best] * margin < seconds[0] ? best : 0
  }

  package var choice: EngineSettings { candidates[Self.choice(seconds)] }

  /// Rates of one thread, such as "our own for AVX-512 110 GFLOP/s, oneDNN 90 GFLOP/s".
  package var description: String {
    zip(candidates, seconds).map { settings, seconds in
      let rate = seconds.isFinite ? "\(Int((flops / seconds / 1e9).rounded())) GFLOP/s" : "not measured"
      return "\(settings.name) \(rate)"
    }.joined(separator: ", ")
  }

  /// What the machine can run in a precision: our own GEMM with the instructions that could be best, and each library
  /// that is installed and multiplies the precision.
  package static func candidates(_ precision: EngineSettings.Precision) -> [EngineSettings] {
    let best = EngineSettings.Instructions.best
    var all = [EngineSettings(precision: precision, instructions: best)]
    if precision == .bf16 && best == .amx {
      all.append(EngineSettings(precision: precision, instructions: .avx512bf16))
    }
    for library in [EngineSettings.Library.onednn, .openblas] {
      let settings = EngineSettings(precision: precision, library: library, instructions: best)
      guard let gemms = try? GEMMFunctions<Float>(settings),
        precision == .fp32 || gemms.isBF16Native
      else { continue }
      // Without AVX-512, the first candidate is this library already.
      if let first = try? GEMMFunctions<Float>(all[0]), first.description == gemms.description { continue }
      all.append(settings)
    }
    return all
  }

  /// The floating-point operations of the matmuls of one layer of `dim` for some tokens, forward and backward.
  package static func flops(dim: Int, tokens: Int) -> Double { 72 * Double(tokens) * Double(dim * dim) }

  /// Measures all candidates in turns, for about a second.
  ///
  /// It is the time of one thread on the processor that counts: other processes, which may run meanwhile, and the
  /// number of threads must not choose.
  package init(_ candidates: [EngineSettings], dim: Int, tokens: Int) throws(Failure) {
    let pool = WorkerPool(threads: 1)
    self.candidates = candidates
    seconds = candidates.map { _ in .infinity }
    // As many rows as take some ten milliseconds, but no fewer than what our own GEMM packs for.
    let rows = min(tokens, max(128, Int(4e9 / Self.flops(dim: dim, tokens: 1)) / 64 * 64))
    flops = Self.flops(dim: dim, tokens: rows)
    var layers: [(LayerMatmuls, CPUOperations<Float>)] = []
    for settings in candidates {
      let device = try CPUOperations<Float>(pool: pool, settings: settings)
      layers.append((try LayerMatmuls(dim: dim, rows: rows, on: device), device))
    }
    let began = Progress.now()
    // The first round warms up.
    for round in 0..<8 where round < 3 || Progress.now() - began < 1 {
      for (index, (layer, device)) in layers.enumerated() {
        // What is far behind stays so.
        if round > 1 && seconds[index] > 2 * seconds.min()! { continue }
        let start = Self.processorSeconds
        layer.run(on: device)
        if round > 0 { seconds[index] = min(seconds[index], Self.processorSeconds - start) }
      }
    }
    withExtendedLifetime(layers) {}
  }

  /// The time that the calling thread has run.
  private static var processorSeconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}

/// The operands of the matmuls of one transformer layer.
private struct LayerMatmuls {
  /// Activations and their gradients, and the weights: the widest of the layer.
  let x, y: Operand<Float>
  let weight: Operand<Float>
  let gradient: Matrix<Float>
  let sums: Vector<Float>
  let dim: Int
  private let memory: DeviceMemory

  init(dim: Int, rows: Int, on device: CPUOperations<Float>) throws(Failure) {
    self.dim = dim
    let isBF16 = device.operandsAreBF16, wide = 4 * dim
    let roundsWeights = device.wantsWeightCopies(isTraining: true)
    let activation = rows * wide * 4, weights = wide * dim * 4
    let memory = try device.allocate(bytes: 2 * activation + 2 * weights + wide * 4)
    self.memory = memory
    var next = 0
    func take(_ bytes: Int) -> DeviceAddress {
      defer { next += bytes }
      return memory.address.advanced(by: next)
    }
    x = Operand(take(activation), rows: rows, columns: wide, isBF16: isBF16)
    y = Operand(take(activation), rows: rows, columns: wide, isBF16: isBF16)
    weight = Operand(take(weights), rows: wide, columns: dim, isBF16: isBF16 && roundsWeights)
    gradient = Matrix(take(weights), rows: wide, columns: dim)
    sums = Vector(take(wide * 4), count: wide)
    device.initialize(x, .normal(deviation: 1), seed: 1)
    device.initialize(y, .normal(deviation: 1), seed: 2)
    // Products of products shrink a little.
    device.initialize(weight, .normal(deviation: 0.6 / Double(dim).squareRoot()), seed: 3)
  }

  /// Forward and backward of the four matmuls: queries, keys and values; their output; both of the feed-forward layer.
  func run(on device: CPUOperations<Float>) {
    for (inner, outer) in [(dim, 3 * dim), (dim, dim), (dim, 4 * dim), (4 * dim, dim)] {
      let x = x.columns(0..<inner), y = y.columns(0..<outer)
      let w = Operand<Float>(
        weight.address, rows: outer, columns: inner, stride: inner, isBF16: weight.isBF16)
      let g = Matrix<Float>(gradient.address, rows: outer, columns: inner)
      device.addMatmul(ofTransposed: y, x, factor: 1, to: g, columnSums: Vector(sums.address, count: outer))
      device.matmul(x, w, transposed: true, epilogue: .round(into: y))
      device.matmul(y, w, transposed: false, epilogue: .round(into: x))
    }
  }
}

extension EngineSettings {
  /// What multiplies most, for messages.
  package var name: String {
    switch library {
    case .onednn: "oneDNN"
    case .openblas: "OpenBLAS"
    case .generic, nil: "our own for \((instructions ?? .best).title(precision))"
    }
  }
}

extension EngineSettings.Instructions {
  /// Those of the processor.
  package static var best: Self {
    switch pkm_best_instruction_set() {
    case PKM_INSTRUCTION_SET_AMX: .amx
    case PKM_INSTRUCTION_SET_V4_BF16: .avx512bf16
    case PKM_INSTRUCTION_SET_V4: .avx512
    case PKM_INSTRUCTION_SET_V3: .avx2
    default: .plain
    }
  }

  /// Whether this processor has them, and the operating system lets the process use them.
  package var isAvailable: Bool {
    cSet.rawValue <= pkm_best_instruction_set().rawValue || cSet.rawValue > PKM_INSTRUCTION_SET_AMX.rawValue
  }

  fileprivate func title(_ precision: EngineSettings.Precision) -> String {
    switch self {
    case .plain: "any processor"
    case .avx2: "AVX2"
    case .avx512bf16 where precision == .bf16: "AVX512_BF16"
    case .amx where precision == .bf16: "AMX"
    case .avx512, .avx512bf16, .amx: "AVX-512"
    case .emulatedTiles, .emulatedTilesAVX512: "emulated tiles"
    }
  }
}

extension EngineSettings {
  /// The name that the processor gives itself.
  package static let processorName: String = {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 49) { name in
      pkm_processor_name(name.baseAddress)
      return String(cString: name.baseAddress!)
    }
  }()
}
