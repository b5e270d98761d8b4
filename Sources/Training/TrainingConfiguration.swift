import Foundation
import Model
import Shards
import Support

/// The `train` section of a recipe. Every key has a default.
package struct TrainingConfiguration: Codable, Sendable, Equatable {
  /// Sequences per step.
  package var batch = 8
  /// Sequences of one forward and backward pass; nil for the whole batch. A step accumulates the gradients of
  /// `batch / microBatch` passes.
  package var microBatch: Int?
  /// How documents are cut into sequences of the model's context: `stream` or `document`; nil for the choice of the dataset,
  /// or else `stream`.
  package var packing: Packing?
  /// Optimizer steps in all.
  package var steps = 1000
  /// Saves fewer activations and recomputes the others, to the same bits. Steps of `pipelines/bench-m.yaml` take a fifth
  /// more time and an eighth less memory, in bf16 a fifteenth less.
  package var recompute = false
  /// Of the matmuls of the forward and backward pass.
  package var precision = EngineSettings.Precision.fp32
  /// Peak learning rate of everything but the values.
  package var lr = 2.5e-4
  /// Steps of linear warm-up.
  package var warmup = 400
  package var schedule = LearningRateSchedule.Shape.inverseSquareRoot
  /// The last learning rate as a share of `lr`, of the schedules that end: cosine, linear, warmup-stable-decay.
  package var lrEnd = 0.1
  /// The share of the steps at the end in which warmup-stable-decay falls.
  package var decay = 0.2
  /// β1 and β2 of Adam.
  package var betas = [0.9, 0.98]
  package var eps = 1e-8
  /// The largest global norm of the gradient; 0 does not clip.
  package var clip = 1.0
  /// ε of uniform label smoothing, q = (1-ε) one-hot + ε/V.
  package var labelSmoothing = 0.1
  /// The constant learning rate of the memories' values, which a lazy Adam with β 0.9 and 0.999 updates.
  package var valueLR = 1e-3
  /// Factors of the learning rates of some ``ParameterGroup``s, by name.
  package var lrScales: [String: Double] = [:]
  /// Of AdamW, for matrices alone: norms, biases and the values of memories do not decay.
  package var weightDecay = 0.0
  /// The decay of an exponential mean of the parameters, which checkpoints hold beside them; 0 keeps none.
  package var ema = 0.0
  /// Names of ``ParameterGroup``s that stay as they are. Their gradients do not count for the norm.
  package var freeze: [String] = []
  /// A step is skipped if the norm of its gradient is more than so many times the mean before it, see ``StepGuard``; 0
  /// looks for no spikes.
  package var spike = 0.0
  /// How many steps may be skipped in a row, because of a spike or of a loss that is not a number.
  package var maxSkips = 3
  package var seed: UInt64 = 1
  /// Steps between evaluations; 0 evaluates only at the end.
  package var evalEvery = 200
  /// Tokens of the validation split scored at each evaluation during training; 0 scores all of them.
  package var evalTokens = 100_000
  /// Steps between checkpoints; 0 writes one only at the end.
  package var checkpointEvery = 200
  /// Whether checkpoints are written while training goes on, from a copy of the state that takes as much memory.
  package var backgroundCheckpoints = false
  /// How many of the newest checkpoints to keep.
  package var keepCheckpoints = 2
  /// Checkpoints whose step is a multiple of it are kept, too; 0 keeps none of them.
  package var keepEvery = 0
  /// Whether the checkpoint with the least loss on the validation split is kept, too.
  package var keepBest = false
  package var logEvery = 10

  package enum CodingKeys: String, CodingKey, CaseIterable {
    case batch, packing, steps, precision, lr, warmup, schedule, decay, ema, recompute, betas, eps, clip,
      freeze,
      spike,
      seed
    case microBatch = "micro_batch"
    case labelSmoothing = "label_smoothing"
    case valueLR = "value_lr"
    case evalEvery = "eval_every"
    case evalTokens = "eval_tokens"
    case checkpointEvery = "checkpoint_every"
    case keepCheckpoints = "keep_checkpoints"
    case backgroundCheckpoints = "background_checkpoints"
    case keepEvery = "keep_every"
    case keepBest = "keep_best"
    case lrEnd = "lr_end"
    case lrScales = "lr_scales"
    case weightDecay = "weight_decay"
    case maxSkips = "max_skips"
    case logEvery = "log_every"
  }

  package init() {}

  package init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    func read<Value: Decodable>(_ key: CodingKeys, into value: inout Value) throws {
      value = try keys.decodeIfPresent(Value.self, forKey: key) ?? value
    }
    try read(.batch, into: &batch)
    microBatch = try keys.decodeIfPresent(Int.self, forKey: .microBatch)
    packing = try keys.decodeIfPresent(Packing.self, forKey: .packing)
    try read(.steps, into: &steps)
    try read(.recompute, into: &recompute)
    try read(.precision, into: &precision)
    try read(.lr, into: &lr)
    try read(.warmup, into: &warmup)
    try read(.schedule, into: &schedule)
    try read(.betas, into: &betas)
    try read(.eps, into: &eps)
    try read(.clip, into: &clip)
    try read(.labelSmoothing, into: &labelSmoothing)
    try read(.valueLR, into: &valueLR)
    try read(.seed, into: &seed)
    try read(.evalEvery, into: &evalEvery)
    try read(.evalTokens, into: &evalTokens)
    try read(.checkpointEvery, into: &checkpointEvery)
    try read(.keepCheckpoints, into: &keepCheckpoints)
    try read(.backgroundCheckpoints, into: &backgroundCheckpoints)
    try read(.keepEvery, into: &keepEvery)
    try read(.keepBest, into: &keepBest)
    try read(.lrEnd, into: &lrEnd)
    try read(.decay, into: &decay)
    try read(.lrScales, into: &lrScales)
    try read(.weightDecay, into: &weightDecay)
    try read(.freeze, into: &freeze)
    try read(.ema, into: &ema)
    try read(.spike, into: &spike)
    try read(.maxSkips, into: &maxSkips)
    try read(.logEvery, into: &logEvery)
  }

  /// Sequences of one micro-batch.
  package var sequencesAtOnce: Int { microBatch ?? batch }

  package var learningRate: LearningRateSchedule {
    LearningRateSchedule(shape: schedule, peak: lr, warmup: warmup, steps: steps, end: lrEnd, decay: decay)
  }

  package func isFrozen(_ group: ParameterGroup) -> Bool {
    !freeze.isEmpty && freeze.contains(group.rawValue)
  }

  package func rateFactor(of group: ParameterGroup) -> Double {
    lrScales.isEmpty ? 1 : lrScales[group.rawValue] ?? 1
  }

  /// More than any run, and few enough that sums and products of them cannot overflow.
  private static let most = 1 << 40

  /// The whole numbers of the section, what each may be and what 0 means, by their keys.
  package var wholeNumbers: [(key: String, value: Int, range: ClosedRange<Int>, zero: String)] {
    let most = Self.most
    return [
      ("batch", batch, 1...1 << 20, ""), ("micro_batch", sequencesAtOnce, 1...1 << 20, ""),
      ("steps", steps, 1...most, ""), ("warmup", warmup, 0...most, ""),
      ("eval_every", evalEvery, 0...most, " (only at the end)"),
      ("eval_tokens", evalTokens, 0...most, " (all of them)"),
      ("checkpoint_every", checkpointEvery, 0...most, " (only at the end)"),
      ("keep_checkpoints", keepCheckpoints, 1...most, ""), ("keep_every", keepEvery, 0...most, " (none)"),
      ("max_skips", maxSkips, 0...most, ""), ("log_every", logEvery, 1...most, ""),
    ]
  }

  /// Throws a usage ``Failure`` whose message begins with the key.
  package func validate() throws {
    func require(_ condition: Bool, _ message: String) throws {
      if !condition { throw Failure(.usage, "train." + message) }
    }
    for (key, value, range, zero) in wholeNumbers {
      let end = range.upperBound == Self.most ? "2^40" : "\(range.upperBound)"
      try require(
        range.contains(value), "\(key) must be \(range.lowerBound)\(zero) to \(end), not \(value)")
    }
    try require(
      batch % sequencesAtOnce == 0,
      "micro_batch must divide batch (\(batch)), which \(sequencesAtOnce) does not")
    // What a 32-bit number holds.
    let largest = 1e30
    try require(lr > 0, "lr must be positive, not \(lr)")
    try require(lr <= largest, "lr must be at most 1e30, not \(lr)")
    try require((0...largest).contains(valueLR), "value_lr must be 0 to 1e30, not \(valueLR)")
    try require((1e-30...largest).contains(eps), "eps must be 1e-30 to 1e30, not \(eps)")
    try require(
      betas.count == 2 && betas.allSatisfy { (0..<1).contains($0) },
      "betas must be two numbers from 0 to below 1, not \(betas)")
    try require((0...largest).contains(clip), "clip must be 0 (no clipping) to 1e30, not \(clip)")
    try require(
      (0..<1).contains(labelSmoothing), "label_smoothing must be from 0 to below 1, not \(labelSmoothing)")
    try require((0...1).contains(lrEnd), "lr_end must be 0 to 1, not \(lrEnd)")
    try require(decay > 0 && decay <= 1, "decay must be above 0 and at most 1, not \(decay)")
    try require((0..<1).contains(ema), "ema must be 0 (none) to below 1, not \(ema)")
    try require((0...1).contains(weightDecay), "weight_decay must be 0 to 1, not \(weightDecay)")
    try require(
      spike == 0 || (1...largest).contains(spike), "spike must be 0 (none) or 1 to 1e30, not \(spike)")
    for (key, name) in freeze.map({ ("freeze", $0) }) + lrScales.keys.sorted().map({ ("lr_scales", $0) })
    where !ParameterGroup.names.contains(name) {
      throw Failure(
        .usage, "train.\(key) names \"\(name)\", which is no group of parameters",
        remedy: Suggestion.remedy(for: name, among: ParameterGroup.names))
    }
    try require(
      Set(freeze).count < ParameterGroup.allCases.count, "freeze names all groups, so that nothing is trained"
    )
    for (name, factor) in lrScales.sorted(by: { $0.key < $1.key }) {
      try require(
        (0...largest).contains(factor),
        "lr_scales gives \(name) the factor \(factor), which must be 0 to 1e30")
    }
  }
}

/// A complete training recipe: the content of `--config` and, with all defaults filled in, of a checkpoint's `config.json`.
package struct TrainingRecipe: Codable, Sendable, Equatable {
  package var model: ModelConfiguration
  package var train: TrainingConfiguration

  package init(model: ModelConfiguration, train: TrainingConfiguration) {
    self.model = model
    self.train = train
  }

  /// Throws a ``Failure`` whose message begins with the key that cannot be.
  package func validate() throws {
    try model.validate()
    try train.validate()
    // In floating point, because the products are what could overflow.
    let tokens = Double(train.batch) * Double(model.context)
    let width = Double(max(4 * model.dim, model.vocabularySize, model.context))
    let perToken =
      width + Double(model.memory.map { $0.heads * max($0.queryDim, 4 * $0.topk, 2 * $0.subkeys) } ?? 0)
    guard tokens * perToken * Double(model.layers) <= 0x1p56 else {
      throw Failure(
        .usage,
        "train.batch \(train.batch) times model.context \(model.context) is more than a machine can hold",
        remedy: "Use a smaller batch or a shorter context")
    }
  }

  /// Every setting by its key: `train.lr` → `0.00025`.
  package var settings: [String: String] {
    guard let data = try? JSONEncoder().encode(self),
      let object = try? JSONSerialization.jsonObject(with: data)
    else { return [:] }
    var flat: [String: String] = [:]
    func add(_ value: Any, _ path: String) {
      if let members = value as? [String: Any] {
        for (key, value) in members { add(value, path.isEmpty ? key : "\(path).\(key)") }
      } else {
        flat[path] = (value as? [Any]).map { $0.map { "\($0)" }.joined(separator: ", ") } ?? "\(value)"
      }
    }
    add(object, "")
    return flat
  }
}
