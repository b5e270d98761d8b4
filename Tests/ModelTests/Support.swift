import Support

@testable import Model

/// Pools that the tests share, by number of threads.
enum Pools {
  static let one = WorkerPool(threads: 1)
  static let two = WorkerPool(threads: 2)
  static let three = WorkerPool(threads: 3)
}

extension Transformer {
  /// The losses over the tokens of the last forward pass alone.
  func loss(targets: UnsafeBufferPointer<Int32>, labelSmoothing: Double) -> Loss {
    let sums = [activations.trainingLoss.numbers, activations.evaluationLoss.numbers]
    for sum in sums { device.setBytes(sum.address, count: sum.byteCount, to: 0) }
    addLoss(targets: targets, labelSmoothing: labelSmoothing)
    return sums.reduce(into: Loss()) { $0 += Loss(device.download($1)) }
  }

  /// Logits of one token of the last forward pass, rows counted sequence by sequence.
  func logits(row: Int) -> [Scalar] {
    let bed = TestBed(device), z = bed.matrix(1, configuration.vocabularySize)
    activations.head.logits(hidden.rows(row..<row + 1), into: z, on: device)
    return device.download(z.elements)
  }

  /// The dense gradients, one parameter after another, then those of the values.
  var allGradients: [Scalar] {
    parameters.compactMap(\.gradient).flatMap { device.download($0) }
      + (0..<memoryCount).flatMap { valueGradient(ofMemory: $0).dense(on: device) }
  }
}

/// The largest difference between a gradient and central differences of `loss`, relative to the gradient's largest
/// element.
///
/// Every `step`-th element of `x` is moved.
func gradientError(
  of x: Vector<Double>, _ gradient: [Double], every step: Int = 1, on device: some Operations<Double>,
  loss: () -> Double
) -> Double {
  let numbers = device.download(x), largest = max(gradient.map(abs).max() ?? 0, 1e-4), move = 1e-5
  var worst = 0.0
  func set(_ i: Int, _ number: Double) {
    [number].withUnsafeBytes { device.upload($0, to: x[i..<i + 1].address) }
  }
  for i in stride(from: 0, to: x.count, by: step) {
    set(i, numbers[i] + move)
    let above = loss()
    set(i, numbers[i] - move)
    let below = loss()
    set(i, numbers[i])
    worst = max(worst, abs((above - below) / (2 * move) - gradient[i]) / largest)
  }
  return worst
}

extension ValueGradient {
  /// Spread out over the whole table, by the definition.
  func dense(on device: some Operations<Scalar>) -> [Scalar] {
    let reads = gathered, columns = reads.dy.columns
    let weights = device.download(reads.weights.elements), dy = device.download(reads.dy.elements)
    var dense = [Scalar](repeating: 0, count: slots * columns)
    for (read, slot) in device.download(reads.slots).enumerated() {
      for c in 0..<columns {
        dense[Int(slot) * columns + c] += weights[read] * dy[read / reads.weights.columns * columns + c]
      }
    }
    return dense
  }
}

/// The devices that whole models run on.
enum Devices {
  static func all<Scalar: Real>(_ type: Scalar.Type) throws -> [any Operations<Scalar>] {
    [try CPUOperations<Scalar>(pool: Pools.two), ReferenceOperations<Scalar>()]
  }
}

/// A small transformer over random tokens, and one training step of it.
struct Sample<Device: Operations> {
  let model: Transformer<Device>
  let tokens: [Int32]
  let targets: [Int32]
  let sequences: Int
  let length: Int

  init(
    _ configuration: ModelConfiguration, on device: Device, sequences: Int = 2, length: Int = 7,
    training: Bool = true, microBatches: Int = 1, recomputes: Bool = false, seed: UInt64 = 1
  ) throws {
    model = try Transformer(
      configuration, device: device, batch: (sequences, length), training: training,
      microBatches: microBatches,
      recomputes: recomputes, seed: seed)
    var random = RandomGenerator(seed: seed &+ 100)
    tokens = (0..<sequences * length).map { _ in Int32(random.below(configuration.vocabularySize)) }
    // One token in five is not scored.
    targets = (0..<sequences * length).map {
      $0 % 5 == 3 ? -1 : Int32(random.below(configuration.vocabularySize))
    }
    (self.sequences, self.length) = (sequences, length)
  }

  func forward(_ mode: Transformer<Device>.Mode = .training(step: 3, microBatch: 0)) {
    tokens.withUnsafeBufferPointer {
      model.forward(tokens: $0, sequences: sequences, length: length, mode: mode)
    }
  }

  func loss(
    _ mode: Transformer<Device>.Mode = .training(step: 3, microBatch: 0), smoothing: Double = 0.1
  ) -> Loss {
    forward(mode)
    return targets.withUnsafeBufferPointer { model.loss(targets: $0, labelSmoothing: smoothing) }
  }
}

func smallConfiguration(
  _ norm: ModelConfiguration.Norm = .post, memory: Bool = true, dropout: Double = 0, batchNorm: Bool = true
) -> ModelConfiguration {
  var configuration = ModelConfiguration()
  configuration.layers = 2
  configuration.dim = 12
  configuration.heads = 3
  configuration.context = 9
  configuration.dropout = dropout
  configuration.norm = norm
  configuration.vocabularySize = 29
  if memory {
    var memory = ModelConfiguration.Memory()
    memory.layers = [2]
    memory.subkeys = 6
    memory.heads = 2
    memory.topk = 4
    memory.queryDim = 8
    memory.batchNorm = batchNorm
    configuration.memory = memory
  }
  return configuration
}
