import Support
import Testing
import Training

@Suite(.timeLimit(.minutes(60))) struct TrainingConfigurationTests {
  /// What can be, and the key that is named where it cannot: each range with both of its ends.
  @Test func eachMistakeIsNamed() {
    func mistake(_ change: (inout TrainingConfiguration) -> Void) -> String? {
      var configuration = TrainingConfiguration()
      change(&configuration)
      do { try configuration.validate() } catch {
        let message = (error as? Failure)?.message ?? "\(error)"
        return message.hasPrefix("train.") ? String(message.dropFirst(6).prefix { $0 != " " }) : message
      }
      return nil
    }
    let most = 1 << 40
    for batch in [1, 1 << 20] { #expect(mistake { $0.batch = batch } == nil) }
    for batch in [0, -1, 1 << 20 + 1] { #expect(mistake { $0.batch = batch } == "batch") }
    for size in [1, 2, 4, 8] { #expect(mistake { $0.microBatch = size } == nil) }
    for size in [0, -2, 3, 16] { #expect(mistake { $0.microBatch = size } == "micro_batch") }
    for lr in [1e-300, 1e30] { #expect(mistake { $0.lr = lr } == nil) }
    for lr in [0, -1, 1.1e30, .infinity, .nan] { #expect(mistake { $0.lr = lr } == "lr") }
    for lr in [0, 1e30] { #expect(mistake { $0.valueLR = lr } == nil) }
    for lr in [-1e-9, 1.1e30, .nan] { #expect(mistake { $0.valueLR = lr } == "value_lr") }
    for eps in [1e-30, 1e30] { #expect(mistake { $0.eps = eps } == nil) }
    for eps in [0, 0.9e-30, 1.1e30, .nan] { #expect(mistake { $0.eps = eps } == "eps") }
    for betas in [[0, 0], [0.999999, 0]] { #expect(mistake { $0.betas = betas } == nil) }
    for betas in [[0.9], [0.9, 1], [1, 0.9], [-0.1, 0.9], [0.9, 0.9, 0.9], [.nan, 0.9]] {
      #expect(mistake { $0.betas = betas } == "betas")
    }
    for clip in [0, 1e30] { #expect(mistake { $0.clip = clip } == nil) }
    for clip in [-1e-9, 1.1e30, .nan] { #expect(mistake { $0.clip = clip } == "clip") }
    for smoothing in [0, 0.999] { #expect(mistake { $0.labelSmoothing = smoothing } == nil) }
    for smoothing in [-1e-9, 1, .nan] {
      #expect(mistake { $0.labelSmoothing = smoothing } == "label_smoothing")
    }
    for end in [0, 1] { #expect(mistake { $0.lrEnd = Double(end) } == nil) }
    for end in [-0.01, 1.01, .nan] { #expect(mistake { $0.lrEnd = end } == "lr_end") }
    for decay in [1e-9, 1] { #expect(mistake { $0.decay = decay } == nil) }
    for decay in [0, 1.01, .nan] { #expect(mistake { $0.decay = decay } == "decay") }
    for decay in [0.0, 1] { #expect(mistake { $0.weightDecay = decay } == nil) }
    for decay in [-0.01, 1.01, .nan] { #expect(mistake { $0.weightDecay = decay } == "weight_decay") }
    for ema in [0, 0.9999] { #expect(mistake { $0.ema = ema } == nil) }
    for ema in [-0.01, 1, .nan] { #expect(mistake { $0.ema = ema } == "ema") }
    for spike in [0, 1, 1e30] { #expect(mistake { $0.spike = spike } == nil) }
    for spike in [-1, 0.99, 1.1e30, .nan] { #expect(mistake { $0.spike = spike } == "spike") }
    for group in ParameterGroup.names {
      #expect(mistake { ($0.freeze, $0.lrScales) = ([group], [group: 0]) } == nil)
    }
    #expect(mistake { $0.freeze = ["attentions"] } == "freeze")
    #expect(mistake { $0.freeze = ParameterGroup.names } == "freeze")
    #expect(mistake { $0.lrScales = ["norm": 1] } == "lr_scales")
    for factor in [-1, 1.1e30, .nan] { #expect(mistake { $0.lrScales = ["norms": factor] } == "lr_scales") }
    let counts: [(String, WritableKeyPath<TrainingConfiguration, Int>, least: Int)] = [
      ("steps", \.steps, 1), ("warmup", \.warmup, 0), ("eval_every", \.evalEvery, 0),
      ("eval_tokens", \.evalTokens, 0), ("checkpoint_every", \.checkpointEvery, 0),
      ("keep_checkpoints", \.keepCheckpoints, 1), ("keep_every", \.keepEvery, 0),
      ("max_skips", \.maxSkips, 0),
      ("log_every", \.logEvery, 1),
    ]
    for (key, path, least) in counts {
      for count in [least, most] { #expect(mistake { $0[keyPath: path] = count } == nil) }
      for count in [least - 1, most + 1] { #expect(mistake { $0[keyPath: path] = count } == key) }
    }
  }
}
