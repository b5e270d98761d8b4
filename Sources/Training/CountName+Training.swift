import Support

// What training, evaluation and inspection say in their summaries and in `metrics.jsonl`.
extension CountName {
  package static let accounted = CountName("accounted")
  package static let accuracy = CountName("accuracy")
  package static let accuracyPerCharacter = CountName("accuracy_per_character")
  package static let baselinePerplexity = CountName("baseline_perplexity")
  package static let bitsPerByte = CountName("bits_per_byte")
  package static let checkpoint = CountName("checkpoint")
  package static let checkpointSeconds = CountName("checkpoint_seconds")
  package static let dataWait = CountName("data_wait")
  package static let documents = CountName("documents")
  package static let evaluationTokensPerSecond = CountName("evaluation_tokens_per_second")
  package static let gradientNorm = CountName("gradient_norm")
  package static let keysChanged = CountName("keys_changed")
  package static let lastWordAccuracy = CountName("last_word_accuracy")
  package static let lastWordPerplexity = CountName("last_word_perplexity")
  package static let lastWords = CountName("last_words")
  package static let learningRate = CountName("learning_rate")
  package static let loss = CountName("loss")
  package static let memoryBytes = CountName("memory_bytes")
  package static let nll = CountName("nll")
  package static let packing = CountName("packing")
  package static let parametersDense = CountName("parameters_dense")
  package static let parametersInValues = CountName("parameters_in_values")
  package static let perplexity = CountName("perplexity")
  package static let questions = CountName("questions")
  package static let runs = CountName("runs")
  package static let skippedSteps = CountName("skipped_steps")
  package static let split = CountName("split")
  package static let step = CountName("step")
  package static let stepSeconds = CountName("step_seconds")
  package static let steps = CountName("steps")
  package static let tokensPerSecond = CountName("tokens_per_second")
  package static let wordPerplexity = CountName("word_perplexity")

  /// The share of the slots of a memory that an evaluation reads; a layer of nil means the only memory, or the mean over
  /// all.
  package static func memoryUsage(layer: Int?) -> CountName { CountName("memory_usage" + suffix(layer)) }

  /// The KL divergence of the slots' weights in an evaluation from the uniform distribution, in nats.
  package static func memoryKL(layer: Int?) -> CountName { CountName("memory_kl" + suffix(layer)) }

  /// The same of the reads of one training step, which are far fewer: the mean over all memories.
  package static let stepMemoryUsage = CountName("step_memory_usage")
  package static let stepMemoryKL = CountName("step_memory_kl")

  /// See ``MemoryUse/effectiveSlots``.
  package static func memoryEffectiveSlots(layer: Int?) -> CountName {
    CountName("memory_effective_slots" + suffix(layer))
  }

  /// See ``MemoryUse/gini``.
  package static func memoryGini(layer: Int?) -> CountName { CountName("memory_gini" + suffix(layer)) }

  /// The least number of slots with so many percent of the weight: `memory_slots_of_90_percent`.
  package static func memorySlots(ofPercent percent: Int, layer: Int?) -> CountName {
    CountName("memory_slots_of_\(percent)_percent" + suffix(layer))
  }

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
