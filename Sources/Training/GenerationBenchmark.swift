import Model
import Support

/// The speed of generation, and the work of a step, which adds a token to each sequence.
package struct GenerationBenchmark {
  package let batch: Int
  /// Of all sequences together.
  package let tokensPerSecond: Double
  /// Of one step, drawing included.
  package let seconds: Double
  /// Averages over its steps, one for each operation and shape, the largest first.
  package let operations: [OperationLog.Entry]

  package var flops: Double { operations.reduce(0) { $0 + $1.flops } }
  package var bytes: Double { operations.reduce(0) { $0 + $1.bytes } }

  /// Seconds that a step takes at best: each operation takes as long as its bytes or as its arithmetic, whichever is longer
  /// (the roofline model, Williams et al., 2009).
  package func bound(bytesPerSecond: Double, flopsPerSecond: Double) -> Double {
    operations.reduce(0) {
      $0 + max($1.bytes / bytesPerSecond, flopsPerSecond > 0 ? $1.flops / flopsPerSecond : 0)
    }
  }

  /// Continues prompts of 16 tokens by 64 tokens, of which all but the first four are timed, drawing included.
  ///
  /// The fastest of three such rounds counts; the operations are those of the fastest of three others.
  ///
  /// - Parameter pool: draws the tokens.
  package static func measure<Base: Operations<Float>>(
    _ recipe: TrainingRecipe, on base: Base, pool: WorkerPool, batch: Int
  ) throws -> GenerationBenchmark {
    let configuration = recipe.model, prompt = 16, count = min(64, configuration.context - prompt - 1),
      warm = 4
    guard count > warm else {
      throw Failure(.usage, "model.context is \(configuration.context)", remedy: "Use at least 32")
    }
    let log = OperationLog()
    let device = MeasuredOperations(base, log: log)
    let model = try Transformer(
      configuration, device: device, batch: (1, max(batch, prompt + 1)), training: false, seed: 1)
    // An end that is never drawn.
    let generator = try Generator(
      model, pool: pool, endOfDocument: 0, sampling: Sampling(temperature: 1), seed: 1, batch: batch)
    let prompts = (0..<batch).map { text in
      (0..<prompt).map { Int32((text * 7919 + $0 * 104_729) % configuration.vocabularySize) }
    }
    // Once untimed, so that the system has handed out the memory of the caches.
    try generator.generate(prompts: prompts, count: count) { _, _ in }
    func round() throws -> (tokensPerSecond: Double, steps: Int) {
      var emitted = 0, timed = 0
      var began = 0.0, ended = 0.0
      try generator.generate(prompts: prompts, count: count) { _, _ in
        emitted += 1
        if emitted == warm * batch {
          log.clear()
          began = Progress.now()
        }
        if emitted > warm * batch {
          timed += 1
          ended = Progress.now()
        }
      }
      return (Double(timed) / (ended - began), timed / batch)
    }
    var fastest = 0.0, logged = (tokensPerSecond: 0.0, operations: [OperationLog.Entry]())
    for _ in 0..<3 {
      log.isOn = false
      fastest = max(fastest, try round().tokensPerSecond)
      log.isOn = true
      let (rate, steps) = try round()
      if rate > logged.tokensPerSecond { logged = (rate, log.averages(over: steps)) }
    }
    return GenerationBenchmark(
      batch: batch, tokensPerSecond: fastest, seconds: Double(batch) / fastest, operations: logged.operations)
  }
}
