import Model
import Support

/// The speed of generation, against what reading the parameters allows.
package struct GenerationBenchmark {
  package let batch: Int
  /// Of all sequences together.
  package let tokensPerSecond: Double
  /// Of one step, a token for each sequence.
  package let seconds: Double
  /// Dense parameters in the form that is multiplied, read once a step.
  package let weightBytes: Double
  /// Value rows, and cached keys and values.
  package let otherBytes: Double
  /// Of products a step.
  package let flops: Double

  /// Prompts of 16 tokens, continued by 64, of which all but the first four are timed, drawing included.
  package init(_ recipe: TrainingRecipe, pool: WorkerPool, library: Arithmetic.Library?, batch: Int) throws {
    let configuration = recipe.model, prompt = 16, count = min(64, configuration.context - prompt - 1),
      warm = 4
    guard count > warm else {
      throw Failure(.usage, "model.context is \(configuration.context)", remedy: "Use at least 32")
    }
    let device = try CPUOperations<Float>(
      pool: pool, arithmetic: Arithmetic(precision: recipe.train.precision, library: library))
    let model = try LanguageModel(
      configuration, device: device, batch: (1, max(batch, prompt + 1)), training: false, seed: 1)
    // An end that is never drawn.
    let generator = try Generator(
      model, endOfDocument: 0, sampling: Sampling(temperature: 1), seed: 1, batch: batch)
    let prompts = (0..<batch).map { text in
      (0..<prompt).map { Int32((text * 7919 + $0 * 104_729) % configuration.vocabularySize) }
    }
    var emitted = 0, timed = 0
    var began = 0.0, ended = 0.0
    try generator.generate(prompts: prompts, count: count) { _, _ in
      emitted += 1
      if emitted == warm * batch { began = Progress.now() }
      if emitted > warm * batch {
        timed += 1
        ended = Progress.now()
      }
    }
    self.batch = batch
    tokensPerSecond = Double(timed) / (ended - began)
    seconds = Double(batch) / tokensPerSecond

    let isHalf = recipe.train.precision == .bf16
    var weights = 0.0, others = 0.0, flops = 0.0
    for tensor in configuration.parameterDescriptions where tensor.memoryIndex == nil {
      if tensor.isOperand { flops += 2 * Double(tensor.count * batch) }
      // One row a token of the positions.
      if tensor.name != "embedding.positions" {
        weights += Double(tensor.count * (tensor.isOperand && isHalf ? 2 : 4))
      }
    }
    if let memory = configuration.memory {
      let rows = memory.layers.count * memory.shape.reads * batch
      others += Double(rows * configuration.dim * (memory.values == .bf16 ? 2 : 4))
    }
    let seen = Double(prompt) + Double(warm + count) / 2
    others += seen * Double(8 * configuration.dim * configuration.layers * batch)
    (weightBytes, otherBytes, self.flops) = (weights, others, flops)
  }
}
