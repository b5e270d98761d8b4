import Foundation
import Model
import Support
import Training

/// Training written out: gradients of the mean loss over all scored tokens of a batch, clipping, Adam, schedules.
///
/// Adam is that of XLM's code, which adds ε outside the bias correction (Kingma and Ba, 2015, end of section 2). The values
/// of memories have PyTorch's SparseAdam. The norm and its clipping are those of PyTorch's `clip_grad_norm_`, over all gradients.
struct PlainTraining {
  var model: PlainModel
  var train: TrainingConfiguration
  /// Moments of Adam by the names of their parameters.
  var first: [String: [Double]] = [:], second: [String: [Double]] = [:]
  var updates = 0
  /// The exponential mean of the norms of the steps that were not skipped; nil before the first.
  var normMean: Double?
  var skipped = 0
  /// The exponential means of the parameters.
  var averages: [String: [Double]]

  struct Step {
    var loss = 0.0, nll = 0.0, scored = 0, norm = 0.0, rate = 0.0, isSkipped = false
    var uses: [PlainUse] = []
  }

  init(_ model: PlainModel, _ train: TrainingConfiguration) {
    (self.model, self.train) = (model, train)
    averages = model.tensors.filter { !Self.isStatistic($0.key) }
    for (name, numbers) in model.tensors where !Self.isStatistic(name) {
      first[name] = numbers.map { _ in 0 }
      second[name] = first[name]
    }
  }

  static func isStatistic(_ name: String) -> Bool { name.contains(".running_") }

  /// The learning rate of update 1, 2, ...: linear warm-up from 1e-7, as in XLM, then the shape.
  static func rate(_ train: TrainingConfiguration, update: Int) -> Double {
    let before = Double(update - 1), warmup = Double(train.warmup)
    let low = train.lrEnd * train.lr
    if before < warmup { return 1e-7 + (train.lr - 1e-7) * before / warmup }
    switch train.schedule {
    case .constant: return train.lr
    case .inverseSquareRoot: return train.lr * warmup.squareRoot() / before.squareRoot()
    case .cosine:
      // From the peak to the last rate at the end of the last step.
      let progress = (before - warmup) / (Double(train.steps) - warmup)
      return low + (train.lr - low) * (1 + cos(Double.pi * progress)) / 2
    case .linear:
      let left = (Double(train.steps) - before) / (Double(train.steps) - warmup)
      return low + (train.lr - low) * left
    case .warmupStableDecay:
      let falling = train.decay * Double(train.steps), left = Double(train.steps) - before
      return left >= falling ? train.lr : low + (train.lr - low) * left / falling
    }
  }

  /// The group of a parameter.
  static func group(_ name: String) -> String {
    if name.contains(".memory.values") { return "memory_values" }
    if name.contains(".memory.subkeys") { return "memory_keys" }
    if name.contains(".memory.query") { return "memory_queries" }
    if name.contains("norm") { return "norms" }
    if name.contains("attention") { return "attention" }
    if name.contains("feed_forward") { return "feed_forward" }
    return name == "output.bias" ? "output_bias" : "embeddings"
  }

  /// One step from a batch of sequences, each with one target a token; a target below 0 is padding.
  mutating func step(inputs: [Int32], targets: [Int32]) -> Step {
    let length = model.configuration.context, size = (train.microBatch ?? train.batch) * length
    let before = model
    var result = Step()
    result.scored = targets.count { $0 >= 0 }
    var gradients: [String: [Double]] = first.mapValues { $0.map { _ in 0 } }
    var reads: [[PlainModel.Read]] = []
    for (microBatch, start) in stride(from: 0, to: inputs.count, by: size).enumerated() {
      let pass = model.forward(
        inputs[start..<start + size].map(Int.init), length: length,
        dropout: dropout(microBatch: microBatch))
      var objective = pass.tape.number(0)
      for (logits, target) in zip(pass.logits, targets[start..<start + size]) where target >= 0 {
        let (nll, smoothed) = PlainModel.losses(
          logits, target: Int(target), smoothing: train.labelSmoothing)
        result.nll += nll.value / Double(result.scored)
        objective = objective + smoothed * (1 / Double(result.scored))
      }
      result.loss += objective.value
      let derivatives = pass.tape.derivatives(of: objective)
      for (name, numbers) in pass.parameters where !Self.isStatistic(name) {
        for (i, number) in numbers.enumerated() { gradients[name]![i] += derivatives[number.index] }
      }
      for (name, batch) in pass.statistics { moveRunning(name, batch, rows: size) }
      for (memory, rows) in pass.reads.enumerated() {
        if reads.count == memory { reads.append([]) }
        reads[memory] += rows.joined()
      }
    }
    for name in gradients.keys where train.freeze.contains(Self.group(name)) { gradients[name] = nil }
    result.norm = gradients.values.joined().reduce(0) { $0 + $1 * $1 }.squareRoot()
    if train.clip > 0 && result.norm > train.clip {
      for name in gradients.keys { gradients[name] = gradients[name]!.map { $0 * train.clip / result.norm } }
    }
    updates += 1
    result.rate = Self.rate(train, update: updates)
    result.isSkipped = train.spike > 0 && result.norm > train.spike * (normMean ?? .infinity)
    if result.isSkipped {
      model = before
      skipped += 1
    } else {
      normMean = normMean.map { 0.9 * $0 + 0.1 * result.norm } ?? result.norm
      update(gradients, rate: result.rate, read: reads.map { Set($0.map(\.slot)) })
      let decay = min(train.ema, Double(1 + updates) / Double(10 + updates))
      for (name, mean) in averages {
        averages[name] = zip(mean, model.tensors[name]!).map { decay * $0 + (1 - decay) * $1 }
      }
    }
    result.uses = reads.map { PlainUse($0, slots: model.configuration.memory!.subkeys.squared) }
    return result
  }

  /// PyTorch's momentum 0.1, with the unbiased variance.
  private mutating func moveRunning(_ name: String, _ batch: (mean: [Double], variance: [Double]), rows: Int)
  {
    let unbiased = batch.variance.map { $0 * Double(rows) / Double(rows - 1) }
    for (kind, new) in [("mean", batch.mean), ("variance", unbiased)] {
      let old = model.tensors["\(name).running_\(kind)"]!
      model.tensors["\(name).running_\(kind)"] = zip(old, new).map { 0.9 * $0 + 0.1 * $1 }
    }
  }

  private mutating func update(_ gradients: [String: [Double]], rate: Double, read: [Set<Int>]) {
    let layers = (model.configuration.memory?.layers ?? []).sorted(), d = model.configuration.dim
    for (name, gradient) in gradients {
      let memory = layers.firstIndex { name == "blocks.\($0 - 1).memory.values" }
      let adam =
        memory == nil
        ? (rate: rate, beta1: train.betas[0], beta2: train.betas[1], epsilon: train.eps)
        : (rate: train.valueLR, beta1: 0.9, beta2: 0.999, epsilon: 1e-8)
      let rate = adam.rate * (train.lrScales[Self.group(name)] ?? 1)
      // Matrices alone: what is no vector and no table of values.
      let isVector = ["bias", "gamma", "beta"].contains { name.hasSuffix("." + $0) }
      let decay = isVector || memory != nil ? 0 : train.weightDecay
      for (i, g) in gradient.enumerated() {
        // Lazily: a row that no token read keeps its moments, too.
        if let memory, !read[memory].contains(i / d) { continue }
        let m = adam.beta1 * first[name]![i] + (1 - adam.beta1) * g
        let v = adam.beta2 * second[name]![i] + (1 - adam.beta2) * g * g
        first[name]![i] = m
        second[name]![i] = v
        let t = Double(updates)
        let size = rate * (1 - pow(adam.beta2, t)).squareRoot() / (1 - pow(adam.beta1, t))
        let moved = (1 - rate * decay) * model.tensors[name]![i] - size * m / (v.squareRoot() + adam.epsilon)
        model.tensors[name]![i] =
          memory != nil && model.configuration.memory?.values == .bf16
          ? PlainBits.stochastic(moved, update: updates, memory: memory!, slot: i / d, column: i % d) : moved
      }
    }
  }

  /// Element i of a site is dropped where 32 random bits are below p · 2³².
  private func dropout(microBatch: Int) -> PlainModel.DropoutFactor {
    let p = model.configuration.dropout, step = updates
    return { site, element in
      guard p > 0 else { return 1 }
      var key = RandomGenerator.mix(train.seed)
      for part in [step, microBatch, site] { key = RandomGenerator.mix(key &+ UInt64(part) &+ 1) }
      return Double(PlainBits.random(key, element)) < p * 0x1p32 ? 0 : 1 / (1 - p)
    }
  }
}

extension Int {
  var squared: Int { self * self }
}
