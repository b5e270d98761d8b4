import Algorithms
import Model
import Support

/// Where the time of training steps or of evaluation goes, operation by operation.
package struct StepBenchmark {
  /// Repetitions of the same work.
  package struct Timing {
    /// Of one repetition: the median, the extremes and the mean.
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
  /// Forward, backward and update; nil if only evaluation was asked for.
  package let training: Timing?
  /// Forward and loss of the same batches.
  package let evaluation: Timing

  /// Measures `steps` steps, after two that are not timed.
  package static func measure<Base: Operations<Float>>(
    _ recipe: TrainingRecipe, on base: Base, steps: Int, trains: Bool
  ) throws -> StepBenchmark {
    let train = recipe.train, length = recipe.model.context
    let log = OperationLog()
    let device = MeasuredOperations(base, log: log)
    let model = try Transformer(
      recipe.model, device: device, batch: (train.sequencesAtOnce, length), training: trains,
      microBatches: train.batch / train.sequencesAtOnce, recomputes: train.recompute, seed: train.seed)
    let count = train.batch * length, part = train.sequencesAtOnce * length
    let text = Self.text(count: 8 * count + 1, vocabulary: recipe.model.vocabularySize, seed: train.seed)
    /// Calls `body` with the tokens of one of eight batches, and the tokens after them.
    func withBatch(
      _ index: Int,
      _ body: (_ tokens: UnsafeBufferPointer<Int32>, _ targets: UnsafeBufferPointer<Int32>) -> Void
    ) {
      text.withUnsafeBufferPointer { text in
        let first = index % 8 * count
        body(
          UnsafeBufferPointer(rebasing: text[first..<first + count]),
          UnsafeBufferPointer(rebasing: text[first + 1..<first + count + 1]))
      }
    }
    func evaluate(_ index: Int) {
      withBatch(index) { tokens, targets in
        for first in stride(from: 0, to: count, by: part) {
          _ = model.evaluate(
            tokens: UnsafeBufferPointer(rebasing: tokens[first..<first + part]),
            targets: UnsafeBufferPointer(rebasing: targets[first..<first + part]),
            sequences: train.sequencesAtOnce, length: length)
        }
      }
    }
    var training: Timing?
    if trains {
      let step = TrainingStep(model, try Optimizer(model), train)
      func run(_ index: Int) {
        withBatch(index) { step.run(inputs: $0, targets: $1) }
        _ = model.readStep()
      }
      for index in 0..<2 { run(index) }
      training = Timing(log, repetitions: steps) { run($0 + 2) }
    }
    for index in 0..<2 { evaluate(index) }
    let evaluation = Timing(log, repetitions: max(steps, 3), evaluate)
    return StepBenchmark(tokens: count, training: training, evaluation: evaluation)
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
      return Int32(min(cumulative.partitioningIndex { $0 >= point }, vocabulary - 1))
    }
  }
}
