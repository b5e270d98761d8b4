import Model
import Support

/// Where the time of whole training steps, or of evaluation alone, goes, operation by operation.
package struct StepBenchmark {
  /// Repetitions of the same work.
  package struct Timing {
    /// Of one repetition: the middle one, the extremes and the mean.
    package let seconds, fastest, slowest, mean: Double
    package let repetitions: Int
    /// Averages over the repetitions, one for each operation and shape, the largest first.
    package let operations: [OperationLog.Entry]

    /// The share of the time that the operations account for.
    package var accounted: Double { operations.reduce(0) { $0 + $1.seconds } / mean }

    fileprivate init(_ log: OperationLog, repetitions: Int, _ body: (_ index: Int) -> Void) {
      log.clear()
      var times: [Double] = []
      for index in 0..<repetitions {
        let began = Progress.now()
        body(index)
        times.append(Progress.now() - began)
      }
      mean = times.reduce(0, +) / Double(times.count)
      times.sort()
      (fastest, seconds, slowest) = (times[0], times[times.count / 2], times[times.count - 1])
      self.repetitions = repetitions
      operations = log.averages(over: repetitions)
    }
  }

  /// Tokens of a batch.
  package let tokens: Int
  /// Forward, backward and update; nil where only evaluation was asked for.
  package let training: Timing?
  /// Forward and loss of the same batches.
  package let evaluation: Timing

  /// - Parameter steps: measured, after two that are not.
  package init(
    _ recipe: TrainingRecipe, pool: WorkerPool, library: EngineSettings.Library?, steps: Int, trains: Bool
  ) throws {
    let train = recipe.train, length = recipe.model.context
    let log = OperationLog()
    let device = try MeasuredOperations(
      CPUOperations<Float>(
        pool: pool, settings: EngineSettings(precision: train.precision, library: library)), log: log)
    let model = try Transformer(
      recipe.model, device: device, batch: (train.sequencesAtOnce, length), training: trains,
      microBatches: train.batch / train.sequencesAtOnce, recomputes: train.recompute, seed: train.seed)
    let count = train.batch * length, part = train.sequencesAtOnce * length
    let batches = Self.text(count: 8 * count + 1, vocabulary: recipe.model.vocabularySize, seed: train.seed)
    func forMicroBatches(
      of index: Int,
      _ body: (_ index: Int, _ tokens: UnsafeBufferPointer<Int32>, _ targets: UnsafeBufferPointer<Int32>) ->
        Void
    ) {
      batches.withUnsafeBufferPointer { batches in
        for microBatch in 0..<train.batch / train.sequencesAtOnce {
          let first = index % 8 * count + microBatch * part
          body(
            microBatch, UnsafeBufferPointer(rebasing: batches[first..<first + part]),
            UnsafeBufferPointer(rebasing: batches[first + 1..<first + part + 1]))
        }
      }
    }
    func evaluate(_ index: Int) {
      forMicroBatches(of: index) { _, tokens, targets in
        _ = model.evaluate(
          tokens: tokens, targets: targets, sequences: train.sequencesAtOnce, length: length)
      }
    }
    tokens = count
    if trains {
      let optimizer = try Optimizer(model)
      func step(_ index: Int) {
        model.zeroGradients()
        forMicroBatches(of: index) { microBatch, tokens, targets in
          model.forward(
            tokens: tokens, sequences: train.sequencesAtOnce, length: length,
            mode: .training(step: UInt64(index), microBatch: microBatch))
          _ = model.loss(targets: targets, labelSmoothing: train.labelSmoothing)
          model.backward(scale: 1 / Double(count))
        }
        _ = optimizer.step(train)
      }
      for index in 0..<2 { step(index) }
      training = Timing(log, repetitions: steps) { step($0 + 2) }
    } else {
      training = nil
    }
    for index in 0..<2 { evaluate(index) }
    evaluation = Timing(log, repetitions: max(steps, 3), evaluate)
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
