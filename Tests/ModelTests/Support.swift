import Support

@testable import Model

/// Pools that the tests share, by number of threads.
enum Pools {
  static let one = WorkerPool(threads: 1)
  static let two = WorkerPool(threads: 2)
  static let three = WorkerPool(threads: 3)
}

/// Tensors that live as long as the test's process: tests are small.
func matrix<T: Real>(_ rows: Int, _ columns: Int, _ element: (Int) -> T = { _ in 0 }) -> Matrix<T> {
  let pointer = UnsafeMutablePointer<T>.allocate(capacity: rows * columns)
  for i in 0..<rows * columns { (pointer + i).initialize(to: element(i)) }
  return Matrix(pointer, rows: rows, columns: columns)
}

func vector<T: Real>(_ count: Int, _ element: (Int) -> T = { _ in 0 }) -> Vector<T> {
  Vector(matrix(1, count, element).pointer, count: count)
}

func deviceArray<T>(_ elements: [T]) -> DeviceArray<T> {
  let pointer = UnsafeMutablePointer<T>.allocate(capacity: elements.count)
  pointer.initialize(from: elements, count: elements.count)
  return DeviceArray(pointer, count: elements.count)
}

func vector<T: Real>(_ elements: [T]) -> Vector<T> { vector(elements.count) { elements[$0] } }

func randomMatrix<T: Real>(_ rows: Int, _ columns: Int, seed: UInt64, deviation: Double = 1) -> Matrix<T> {
  var random = RandomGenerator(seed: seed)
  return matrix(rows, columns) { _ in T(random.normal() * deviation) }
}

func randomVector<T: Real>(_ count: Int, seed: UInt64, deviation: Double = 1) -> Vector<T> {
  Vector(randomMatrix(1, count, seed: seed, deviation: deviation).pointer, count: count)
}

extension Vector {
  var array: [Scalar] { Array(buffer) }
}

extension DeviceArray {
  var array: [Element] { Array(buffer) }
}

extension Operations {
  func squaredNorm(_ x: Vector<Scalar>) -> Double {
    let sum = deviceArray([0.0])
    addSquaredNorm(of: x, to: sum)
    return sum[0]
  }

  func squaredNorm(_ gradient: ValueGradient<Scalar>) -> Double {
    let sum = deviceArray([0.0])
    addSquaredNorm(of: gradient, to: sum)
    return sum[0]
  }
}

extension Transformer {
  /// The losses over the tokens of the last forward pass alone.
  func loss(targets: UnsafeBufferPointer<Int32>, labelSmoothing: Double) -> Loss {
    let sums = [activations.trainingLoss.numbers, activations.evaluationLoss.numbers]
    for sum in sums { device.setBytes(sum.address, count: sum.byteCount, to: 0) }
    addLoss(targets: targets, labelSmoothing: labelSmoothing)
    return sums.reduce(into: Loss()) { $0 += Loss($1.array) }
  }

  /// Logits of one token of the last forward pass, rows counted sequence by sequence.
  func logits(row: Int, into logits: UnsafeMutableBufferPointer<Scalar>) {
    let z: Matrix<Scalar> = matrix(1, logits.count)
    activations.head.logits(hidden.rows(row..<row + 1), into: z, on: device)
    _ = logits.update(fromContentsOf: z.array)
  }
}

extension Matrix {
  var array: [Scalar] { (0..<rows).flatMap { row in (0..<columns).map { pointer[row * stride + $0] } } }
}

func dot<T: Real>(_ a: Matrix<T>, _ b: Matrix<T>) -> T {
  zip(a.array, b.array).reduce(0) { $0 + $1.0 * $1.1 }
}

/// The largest difference between a gradient and central differences of `loss`, relative to the gradient's largest
/// element.
///
/// Every `stride`-th element of `x` is moved.
func gradientError(
  of x: Vector<Double>, gradient: [Double], every step: Int = 1, move: Double = 1e-5, loss: () -> Double
) -> Double {
  var worst = 0.0
  let largest = max(gradient.map(abs).max() ?? 0, 1e-4)
  for i in stride(from: 0, to: x.count, by: step) {
    let old = x.pointer[i]
    x.pointer[i] = old + move
    let above = loss()
    x.pointer[i] = old - move
    let below = loss()
    x.pointer[i] = old
    worst = max(worst, abs((above - below) / (2 * move) - gradient[i]) / largest)
  }
  return worst
}

extension ValueGradient {
  /// Spread out over the whole table, by the definition.
  func dense() -> [Scalar] {
    let reads = gathered, weights = reads.weights, dy = reads.dy, d = dy.columns
    var dense = [Scalar](repeating: 0, count: slots * d)
    for (read, slot) in reads.slots.array.enumerated() {
      for c in 0..<d {
        dense[Int(slot) * d + c] +=
          weights.pointer[read] * dy.pointer[read / weights.columns * d + c]
      }
    }
    return dense
  }
}

/// The gradient of a table of values whose rows `ids` have these gradients: one token reads each.
func valueGradient<T: Real>(
  _ ids: [Int32], _ rows: Matrix<T>, slots: Int, on device: CPUOperations<T>
) throws -> (gradient: ValueGradient<T>, arena: Arena) {
  let (gradient, arena) = try ArenaPlan.build(on: device) {
    ValueGradient<T>(slots: slots, dimension: rows.columns, tokens: ids.count, reads: 1, in: &$0)
  }
  let values: Matrix<T> = matrix(slots, rows.columns), dWeights: Matrix<T> = matrix(ids.count, 1)
  if !ids.isEmpty {
    device.weightedSumBackward(
      slots: deviceArray(ids), weights: matrix(ids.count, 1) { _ in 1 }, values: Operand(values), dy: rows,
      dWeights: dWeights, gradient: gradient)
  }
  return (gradient, arena)
}

/// A small transformer over random tokens, and one training step of it.
struct Sample<Scalar: Real> {
  let model: Transformer<CPUOperations<Scalar>>
  let tokens: [Int32]
  let targets: [Int32]
  let sequences: Int
  let length: Int

  init(
    _ configuration: ModelConfiguration, sequences: Int = 2, length: Int = 7, pool: WorkerPool = Pools.one,
    training: Bool = true, microBatches: Int = 1, settings: EngineSettings = EngineSettings(),
    recomputes: Bool = false,
    seed: UInt64 = 1
  ) throws {
    model = try Transformer(
      configuration, device: CPUOperations(pool: pool, settings: settings), batch: (sequences, length),
      training: training,
      microBatches: microBatches, recomputes: recomputes, seed: seed)
    var random = RandomGenerator(seed: seed &+ 100)
    tokens = (0..<sequences * length).map { _ in Int32(random.below(configuration.vocabularySize)) }
    // One token in five is not scored.
    targets = (0..<sequences * length).map {
      $0 % 5 == 3 ? -1 : Int32(random.below(configuration.vocabularySize))
    }
    (self.sequences, self.length) = (sequences, length)
  }

  func forward(_ mode: Transformer<CPUOperations<Scalar>>.Mode = .training(step: 3, microBatch: 0)) {
    tokens.withUnsafeBufferPointer {
      model.forward(tokens: $0, sequences: sequences, length: length, mode: mode)
    }
  }

  func loss(
    _ mode: Transformer<CPUOperations<Scalar>>.Mode = .training(step: 3, microBatch: 0),
    smoothing: Double = 0.1
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
