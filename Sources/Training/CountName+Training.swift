import Support

// What training, evaluation and inspection say in their summaries and in `metrics.jsonl`.
extension CountName {
  package static let accounted = CountName("accounted")
  package static let baselinePerplexity = CountName("baseline_perplexity")
  package static let bitsPerByte = CountName("bits_per_byte")
  package static let checkpoint = CountName("checkpoint")
  package static let dataWait = CountName("data_wait")
  package static let evaluationTokensPerSecond = CountName("evaluation_tokens_per_second")
  package static let gradientNorm = CountName("gradient_norm")
  package static let learningRate = CountName("learning_rate")
  package static let loss = CountName("loss")
  package static let memoryBytes = CountName("memory_bytes")
  package static let nll = CountName("nll")
  package static let parametersDense = CountName("parameters_dense")
  package static let parametersInValues = CountName("parameters_in_values")
  package static let perplexity = CountName("perplexity")
  package static let runs = CountName("runs")
  package static let split = CountName("split")
  package static let step = CountName("step")
  package static let stepSeconds = CountName("step_seconds")
  package static let steps = CountName("steps")
  package static let tokensPerSecond = CountName("tokens_per_second")
  package static let wordPerplexity = CountName("word_perplexity")

  /// The share of the slots of a memory that is used; a layer of nil means the only memory, or the mean over all.
  package static func memoryUsage(layer: Int?) -> CountName { CountName("memory_usage" + suffix(layer)) }

  /// The KL divergence of the slots' weights from the uniform distribution, in nats.
  package static func memoryKL(layer: Int?) -> CountName { CountName("memory_kl" + suffix(layer)) }

  /// Generation speed with so many sequences at once: `tokens_per_second_8`.
  package static func tokensPerSecond(sequences: Int) -> CountName {
    CountName("tokens_per_second_\(sequences)")
  }

  /// The best possible time as a share of the measured one: `share_8`.
  package static func shareOfBound(sequences: Int) -> CountName { CountName("share_\(sequences)") }

  /// The speed of a memory with so many sub-keys: `forward_tokens_per_second_128`.
  package static func forwardTokensPerSecond(subkeys: Int) -> CountName {
    CountName("forward_tokens_per_second_\(subkeys)")
  }

  /// `training_tokens_per_second_128`.
  package static func trainingTokensPerSecond(subkeys: Int) -> CountName {
    CountName("training_tokens_per_second_\(subkeys)")
  }

  private static func suffix(_ layer: Int?) -> String { layer.map { "_layer_\($0)" } ?? "" }
}
