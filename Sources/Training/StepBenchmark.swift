import Model
import Support

/// Where the time of whole training steps goes, operation by operation.
package struct StepBenchmark {
  /// Of one step, the middle one of those measured.
  package let seconds: Double
  package let fastest, slowest: Double
  package let tokens: Int
  /// Averages over the steps measured, one for each operation and shape, the largest first.
  package let operations: [OperationLog.Entry]
  package let steps: Int
  /// Mean time of a step, of which the operations are parts.
  package let mean: Double
  /// Evaluation of the same batch, forward and loss, seconds.
  package let evaluation: Double

  /// The share of the step that the operations account for.
  package var accounted: Double { operations.reduce(0) { $0 + $1.seconds } / mean }

  package init(
    _ recipe: TrainingRecipe, pool: WorkerPool, library: Arithmetic.Library?, steps: Int
  ) throws {
    let train = recipe.train, length = recipe.model.context
    let log = OperationLog()
    let device = try MeasuredOperations(
      CPUOperations<Float>(
        pool: pool, arithmetic: Arithmetic(precision: train.precision, library: library)), log: log)
    let model = try Transformer(
      recipe.model, device: device, batch: (train.sequencesAtOnce, length), training: true,
      microBatches: train.batch / train.sequencesAtOnce, recomputes: train.recompute, seed: train.seed)
    let optimizer = try Optimizer(model)
    let count = train.batch * length, part = train.sequencesAtOnce * length
    let batches = Self.text(count: 8 * count + 1, vocabulary: recipe.model.vocabularySize, seed: train.seed)
    func range(_ first: Int, _ body: (UnsafeBufferPointer<Int32>, UnsafeBufferPointer<Int32>) -> Void) {
      batches.withUnsafeBufferPointer {
        body(
          UnsafeBufferPointer(rebasing: $0[first..<first + part]),
          UnsafeBufferPointer(rebasing: $0[first + 1..<first + part + 1]))
      }
    }
    func step(_ index: Int) {
      model.zeroGradients()
      for microBatch in 0..<train.batch / train.sequencesAtOnce {
        range(index % 8 * count + microBatch * part) { tokens, targets in
          model.forward(
            tokens: tokens, sequences: train.sequencesAtOnce, length: length,
            mode: .training(step: UInt64(index), microBatch: microBatch))
          _ = model.loss(targets: targets, labelSmoothing: train.labelSmoothing)
          model.backward(scale: 1 / Double(count))
        }
      }
      _ = optimizer.step(train)
    }
    for index in 0..<2 { step(index) }
    log.clear()
    var times: [Double] = []
    for index in 0..<max(steps, 1) {
      let began = Progress.now()
      step(index + 2)
      times.append(Progress.now() - began)
    }
    mean = times.reduce(0, +) / Double(times.count)
    times.sort()
    (fastest, seconds, slowest) = (times[0], times[times.count / 2], times[times.count - 1])
    self.steps = times.count
    tokens = count
    operations = log.entries.map { entry in
      var entry = entry
      entry.seconds /= Double(times.count)
      entry.flops /= Double(times.count)
      entry.bytes /= Double(times.count)
      entry.calls /= times.count
      return entry
    }.sorted { $0.seconds > $1.seconds }
    var best = Double.infinity
    for index in 0..<max(steps, 2) {
      range(index % 8 * count) { tokens, targets in
        let began = Progress.now()
        model.forward(
          tokens: tokens, sequences: train.sequencesAtOnce, length: length, mode: .evaluation)
        _ = model.loss(targets: targets, labelSmoothing: 0)
        best = min(best, Progress.now() - began)
      }
    }
    evaluation = best / Double(part) * Double(count)
  }

  /// Ids as frequent as those of text: the r-th most frequent in proportion to 1 / r (Zipf's law).
  private static func text(count: Int, vocabulary: Int, seed: UInt64) -> [Int32] {
    var cumulative: [Double] = []
    var total = 0.0
    for rank in 1...vocabulary {
      total += 1 / Double(rank)
      cumulative.append(total)
    }
    var random = RandomGenerator(seed: seed, stream: "benchmark")
    return (0..<count).map { _ in
      let point = random.uniform() * total
      var low = 0, high = vocabulary - 1
      while low < high {
        let middle = (low + high) / 2
        if cumulative[middle] < point { low = middle + 1 } else { high = middle }
      }
      return Int32(low)
    }
  }
}
