import Support

/// Speed of the operations at the shapes of one model, and of its whole training step.
package struct OperationBenchmark {
  package struct Result: Sendable {
    package let name: String
    /// Shapes, for the reader.
    package let detail: String
    /// The fastest of the repetitions, and the middle one.
    package let best, median: Double
    /// Floating-point operations and bytes moved at least, of one call; zero where they say nothing.
    package let flops, bytes: Double

    package var gigaflopsPerSecond: Double { flops / median / 1e9 }
    package var gigabytesPerSecond: Double { bytes / median / 1e9 }
  }

  private let configuration: ModelConfiguration
  private let sequences: Int
  private let device: CPUOperations<Float>
  private let repetitions: Int

  package init(
    _ configuration: ModelConfiguration, sequences: Int, device: CPUOperations<Float>, repetitions: Int = 7
  ) {
    self.configuration = configuration
    self.sequences = sequences
    self.device = device
    self.repetitions = max(repetitions, 1)
  }

  /// Everything below, in the order of a step.
  package func run() throws(Failure) -> [Result] {
    try products() + attention() + memory() + elements() + step()
  }

  private var rows: Int { sequences * configuration.context }

  private func measure(
    _ name: String, _ detail: String, flops: Double = 0, bytes: Double = 0, _ body: () -> Void
  ) -> Result {
    body()
    let times = (0..<repetitions).map { _ in
      let duration = ContinuousClock().measure(body)
      return Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
    }.sorted()
    return Result(
      name: name, detail: detail, best: times[0], median: times[times.count / 2], flops: flops, bytes: bytes)
  }

  private func matrices(_ shapes: [(Int, Int)]) throws(Failure) -> ([Matrix<Float>], Arena) {
    let (all, arena) = try ArenaPlan.build { plan in
      shapes.map { plan.matrix($0.0, $0.1) as Matrix<Float> }
    }
    for (index, matrix) in all.enumerated() {
      device.initialize(matrix.elements, .normal(deviation: 0.5), seed: UInt64(index))
    }
    return (all, arena)
  }

  private func products() throws(Failure) -> [Result] {
    let d = configuration.dim, v = configuration.vocabularySize
    var results: [Result] = []
    for (name, out, input) in [
      ("attention input", 3 * d, d), ("feed-forward input", 4 * d, d), ("output head", v, d),
    ] {
      let (m, arena) = try matrices([(rows, input), (out, input), (rows, out)])
      let flops = 2 * Double(rows) * Double(out) * Double(input)
      let shape = "\(rows) x \(out) x \(input)"
      withExtendedLifetime(arena) {
        results += [
          measure("product: \(name)", shape, flops: flops) {
            device.multiply(m[0], m[1], transposed: true, into: m[2])
          },
          measure("product: \(name), input gradient", shape, flops: flops) {
            device.multiply(m[2], m[1], into: m[0])
          },
          measure("product: \(name), weight gradient", shape, flops: flops) {
            device.multiply(
              m[2], transposed: true, m[0], transposed: false, factor: 1e-6, into: m[1], adding: true)
          },
        ]
      }
    }
    return results
  }

  private func attention() throws(Failure) -> [Result] {
    let d = configuration.dim
    let shape = AttentionShape(
      sequences: sequences, length: configuration.context, heads: configuration.heads,
      headDimension: configuration.headDimension)
    let (m, arena) = try matrices(
      [(rows, 3 * d), (rows, d), (rows, d), (rows, 3 * d), (1, rows * configuration.heads)])
    // Half of the scores lie behind the diagonal and count as no work.
    let flops = 2 * Double(rows) * Double(configuration.context) * Double(d)
    let detail = "\(sequences) x \(configuration.heads) heads x \(configuration.context)"
    return withExtendedLifetime(arena) {
      [
        measure("attention", detail, flops: flops) {
          device.attention(shape, qkv: m[0], out: m[1], logSumExp: m[4].elements)
        },
        measure("attention backward", detail, flops: 2.5 * flops) {
          device.attentionBackward(
            shape, qkv: m[0], out: m[1], dOut: m[2], logSumExp: m[4].elements, dQKV: m[3])
        },
      ]
    }
  }

  private func memory() throws(Failure) -> [Result] {
    guard let memory = configuration.memory else { return [] }
    let shape = memory.shape, d = configuration.dim
    let (m, arena) = try matrices([
      (rows, shape.heads * shape.queryDimension), (shape.heads * 2 * shape.subkeys, shape.half),
      (rows, shape.reads),
      (shape.slots, d), (rows, d), (rows, shape.reads), (rows, shape.heads * 2 * shape.subkeys),
      (rows, shape.heads * shape.queryDimension), (shape.heads * 2 * shape.subkeys, shape.half),
      (shape.slots, d),
      (shape.slots, d),
    ])
    let ((slots, gradient), slotArena) = try ArenaPlan.build { plan in
      let slots = plan.take(Int32.self, rows * shape.reads)
      let reads = rows * shape.reads
      return (
        slots,
        ValueGradient<Float>(
          slots: shape.slots, dimension: d, reads: reads, rows: min(shape.slots, reads), in: &plan)
      )
    }
    device.fill(m[10].elements, 0)
    let detail = "\(shape.subkeys)^2 slots, \(shape.heads) heads, top \(shape.topk)"
    let scores = 2 * Double(rows * shape.heads * 2 * shape.subkeys * shape.half)
    let rowBytes = 4 * Double(rows * shape.reads * d)
    return withExtendedLifetime((arena, slotArena)) {
      var results = [
        measure("memory: lookup", detail, flops: scores) {
          device.lookup(shape, queries: m[0], subkeys: m[1], slots: slots, weights: m[2])
        },
        measure("memory: weighted sum", detail, flops: rowBytes / 2, bytes: rowBytes) {
          device.weightedSum(slots: slots, weights: m[2], values: m[3], into: m[4])
        },
        measure("memory: weighted sum backward", detail, flops: rowBytes, bytes: rowBytes) {
          gradient.clear()
          device.weightedSumBackward(
            slots: slots, weights: m[2], values: m[3], dy: m[4], dWeights: m[5], gradient: gradient)
        },
        measure("memory: lookup backward", detail, flops: 2 * scores) {
          device.lookupBackward(
            shape, queries: m[0], subkeys: m[1], slots: slots, weights: m[2], dWeights: m[5],
            scoreGradients: m[6],
            dQueries: m[7], dSubkeys: m[8])
        },
      ]
      let touched = gradient.touchedRows
      results.append(
        measure("memory: lazy Adam", "\(touched.ids.count) rows", bytes: 28 * Double(touched.ids.count * d)) {
          device.lazyAdam(
            m[3], gradient: touched, m: m[9], v: m[10], AdamStep(learningRate: 1e-6, epsilon: 1, step: 1))
        })
      return results
    }
  }

  private func elements() throws(Failure) -> [Result] {
    let d = configuration.dim, v = configuration.vocabularySize
    let (m, arena) = try matrices([(256, v), (1, v), (rows, 4 * d), (rows, 4 * d), (1, 4 * d), (4, 1 << 22)])
    let targets = [Int32](repeating: 0, count: 256)
    device.fill(m[5].elements, 0)
    let adam = (0..<4).map { m[5].rows($0..<$0 + 1).elements }
    return withExtendedLifetime(arena) {
      [
        measure("cross-entropy", "256 x \(v)", bytes: 8 * Double(256 * v)) {
          targets.withUnsafeBufferPointer {
            _ = device.crossEntropy(m[0], bias: m[1].elements, targets: $0, smoothing: 0.1, gradient: true)
          }
        },
        measure("bias and GELU", "\(rows) x \(4 * d)", bytes: 12 * Double(rows * 4 * d)) {
          device.biasGELU(m[4].elements, m[2], into: m[3])
        },
        measure("Adam", "\(1 << 22) parameters", bytes: 28 * Double(1 << 22)) {
          device.adam(
            adam[0], gradient: adam[1], m: adam[2], v: adam[3], AdamStep(learningRate: 1e-3, step: 1))
        },
      ]
    }
  }

  private func step() throws(Failure) -> [Result] {
    let model = try Transformer(
      configuration, device: device, batch: (sequences, configuration.context), training: true, seed: 1)
    var random = RandomGenerator(seed: 1)
    let tokens = (0..<rows).map { _ in Int32(random.below(configuration.vocabularySize)) }
    let detail = "\(rows) tokens"
    return tokens.withUnsafeBufferPointer { tokens in
      func forward() {
        model.forward(
          tokens: tokens, sequences: sequences, length: configuration.context,
          mode: .training(step: 1, microBatch: 0))
      }
      return [
        measure("model: forward", detail) { forward() },
        measure("model: forward and loss", detail) {
          forward()
          _ = model.loss(targets: tokens, labelSmoothing: 0.1)
        },
        measure("model: forward, loss and backward", detail) {
          model.zeroGradients()
          forward()
          _ = model.loss(targets: tokens, labelSmoothing: 0.1)
          model.backward(scale: 1 / Double(rows))
        },
      ]
    }
  }
}
