import Foundation
import Model
import Shards
import Support

/// Training from the start or a checkpoint to the last step: one visible loop.
///
/// For a seed and a dataset the result is the same to the bit for any number of threads, interruptions and resumptions. It
/// is not the same for another number of ranks, which add up gradients in another order.
package final class Trainer<Device: Operations> where Device.Scalar == Float {
  private let recipe: TrainingRecipe
  private let directory: String
  private let dataset: Dataset
  private let split: String
  private let evaluationSplit: String?
  private let isQuiet: Bool
  /// How `device` multiplies, for the checkpoints.
  private let engine: EngineChoice?
  private let tokenizerJSON: [UInt8]
  private let datasetDigest: String

  private let model: Transformer<Device>
  private let optimizer: Optimizer<Device>
  private let step: TrainingStep<Device>
  private let collective: any Collective
  private let batches: BatchPrefetcher
  /// The start of the batch after the last finished update.
  private var cursor: LoaderCursor
  private let paddingShare: Double
  private let metrics: MetricsLog
  private let lock: FileLock
  private var tokens = 0
  private var lastEvaluation: Evaluation?

  /// Prepares a run: opens the data, builds the model and, with `resume`, restores the newest checkpoint.
  ///
  /// Throws if the directory holds a run and `resume` is not given, if the checkpoint belongs to another model, dataset or
  /// seed, or if another process works in the directory.
  package init(
    recipe given: TrainingRecipe, dataset datasetPath: String, split: String, evaluationSplit: String?,
    directory: String, resume: Bool, on device: Device, engine: EngineChoice? = nil,
    collective: any Collective = SingleProcess(), isQuiet: Bool
  ) throws {
    self.engine = engine
    var recipe = given
    dataset = try Dataset(datasetPath)
    recipe.model.vocabularySize = dataset.index.vocabularySize
    recipe.train.packing = recipe.train.packing ?? dataset.index.packing ?? .stream
    try recipe.validate()
    try Footprint(recipe, on: device).check(against: MemoryLimit.bytes)
    self.recipe = recipe
    self.collective = collective
    self.directory = directory
    self.split = split
    self.isQuiet = isQuiet
    self.evaluationSplit = try Self.evaluationSplit(evaluationSplit, in: dataset)
    tokenizerJSON = try dataset.tokenizerJSON()
    datasetDigest = Self.digest(of: dataset)

    try SystemCall.makeDirectories(directory)
    lock = try FileLock(Path.join(directory, ".lock"), what: "this run directory")
    try? TemporaryName.sweep(directory)
    let checkpoints = try Checkpoint.all(in: directory)
    if !resume && (!checkpoints.isEmpty || MetricsLog.holdsAnything(in: directory)) {
      throw Failure(
        .usage, "holds a run already", file: directory,
        remedy: "Add --resume to go on with it, or choose another directory")
    }
    let checkpoint = try checkpoints.last.map { try Checkpoint($0) }

    let train = recipe.train
    model = try Transformer(
      recipe.model, device: device, batch: (train.sequencesAtOnce, recipe.model.context), training: true,
      microBatches: train.batch / train.sequencesAtOnce, recomputes: train.recompute,
      isInitialized: checkpoint == nil, seed: train.seed)
    optimizer = try Optimizer(model)
    step = TrainingStep(model, optimizer, train, collective: collective)
    if let checkpoint {
      try Self.check(checkpoint, recipe: recipe, split: split, datasetDigest: datasetDigest)
      try checkpoint.restore(model)
      try optimizer.restore(
        from: .init(checkpoint.checkedPath(of: .optimizer)), updates: checkpoint.state.step)
      tokens = checkpoint.state.tokens
    }
    let loader = try BatchLoader(
      dataset: dataset, split: split, packing: train.packing!, sequenceLength: recipe.model.context,
      batch: train.batch, seed: train.seed, cursor: checkpoint?.state.cursor)
    (cursor, paddingShare) = (loader.cursor, loader.paddingShare)
    batches = BatchPrefetcher(loader)
    metrics = try MetricsLog(directory: directory, keepingThrough: checkpoint?.state.step ?? -1)
    // A run that was killed may have left more checkpoints.
    try Checkpoint.settle(in: directory, keep: train.keepCheckpoints)
    if let checkpoint, !isQuiet { Log.line("resuming after step \(checkpoint.state.step)") }
  }

  private static func evaluationSplit(_ given: String?, in dataset: Dataset) throws -> String? {
    if let given {
      _ = try dataset.totals(of: given)
      return given
    }
    return (try? dataset.totals(of: "valid")).map { $0.tokens > 1 ? "valid" : nil } ?? nil
  }

  /// SHA-256 of the token ids and the tokenizer; the path of the dataset and its recipe do not matter.
  private static func digest(of dataset: Dataset) -> String {
    let content =
      dataset.index.shards.map { "\($0.file) \($0.xxh64)\n" }.joined() + dataset.index.tokenizer.sha256
    return Array(content.utf8).withUnsafeBytes { Hashing.sha256($0) }
  }

  /// Every setting that decides the bits must be the same. How often a run logs, evaluates and saves, and when it stops, may
  /// change.
  private static func check(
    _ checkpoint: Checkpoint, recipe: TrainingRecipe, split: String, datasetDigest: String
  ) throws {
    var old = checkpoint.recipe
    if old.train.schedule != .cosine { old.train.steps = recipe.train.steps }
    old.train.evalEvery = recipe.train.evalEvery
    old.train.evalTokens = recipe.train.evalTokens
    old.train.checkpointEvery = recipe.train.checkpointEvery
    old.train.keepCheckpoints = recipe.train.keepCheckpoints
    old.train.logEvery = recipe.train.logEvery
    old.train.recompute = recipe.train.recompute
    guard old == recipe else {
      let (was, now) = (old.settings, recipe.settings)
      let differing = Set(was.keys).union(now.keys).sorted().filter { was[$0] != now[$0] }
      throw Failure(
        .usage,
        "the recipe differs from the one that this run was started with: "
          + differing.map { "\($0) was \(was[$0] ?? "not set"), is \(now[$0] ?? "not set")" }
          .joined(separator: "; "), file: checkpoint.directory,
        remedy: "Use the configuration in its config.json, or another run directory")
    }
    guard checkpoint.state.dataset == datasetDigest && checkpoint.state.split == split else {
      throw Failure(
        .usage, "the dataset differs from the one that this run was started with", file: checkpoint.directory,
        remedy: "Use the dataset at \(checkpoint.state.datasetPath), or another run directory")
    }
  }

  // MARK: The loop

  /// Trains to the last step, and returns the counts of the run.
  package func run() throws -> Summary {
    let train = recipe.train
    // A signal ends the step, and then the state is saved.
    Interruption.waitForTheEnd()
    if !isQuiet { Log.line(startLine) }
    try evaluateIfDue()

    let firstUpdate = optimizer.updates
    let firstTokens = tokens
    var trainingSeconds = 0.0
    let progress = Progress("training", unit: " tokens", isQuiet: isQuiet)
    var pending = PendingLoss()
    while optimizer.updates < train.steps {
      if collective.agree(Interruption.isRaised) { try stopEarly() }
      let began = Progress.now()
      let waited = batches.waitSeconds
      let batch = try batches.next()
      batch.inputs.withUnsafeBufferPointer { inputs in
        batch.targets.withUnsafeBufferPointer { step.run(inputs: inputs, targets: $0) }
      }
      let (loss, squaredNorm) = model.readStep(), norm = squaredNorm.squareRoot()
      let seconds = Progress.now() - began
      trainingSeconds += seconds
      tokens += loss.count
      cursor = batch.cursor
      pending.add(loss, seconds: seconds, waited: batches.waitSeconds - waited)
      guard loss.smoothed.isFinite && norm.isFinite else {
        throw Failure(
          .failed,
          "the loss or its gradient is no longer a number at step \(optimizer.updates), so no checkpoint of it was written",
          file: directory,
          remedy:
            "Lower train.lr\(recipe.model.memory == nil ? "" : " or train.value_lr"), lengthen train.warmup or set "
            + "train.clip, and start again; checkpoints that are there are good")
      }
      let updates = optimizer.updates
      if updates % train.logEvery == 0 || updates == train.steps {
        try log(&pending, norm: norm)
      }
      progress.update(
        done: tokens - firstTokens,
        of: Int(
          min(
            0x1p62,
            Double(tokens - firstTokens) * Double(train.steps - firstUpdate) / Double(updates - firstUpdate))),
        note: String(
          format: "step %d of %d, loss %.3f", updates, train.steps, loss.smoothed / Double(loss.count)))
      // Before the evaluation, which may take long and be interrupted.
      if updates == train.steps || (train.checkpointEvery > 0 && updates % train.checkpointEvery == 0) {
        try save()
      }
      try evaluateIfDue()
    }
    progress.finish()
    return summary(seconds: trainingSeconds, trained: tokens - firstTokens)
  }

  /// An interrupted run saves its state: only the step in progress is lost.
  private func stopEarly() throws -> Never {
    try save()
    throw Failure(
      .interrupted, "interrupted after step \(optimizer.updates)", file: directory,
      remedy: "The same command with --resume goes on from there")
  }

  private func save() throws {
    let state = Checkpoint.State(
      step: optimizer.updates, tokens: tokens, seed: recipe.train.seed, cursor: cursor, split: split,
      dataset: datasetDigest, datasetPath: dataset.path, codeVersion: CodeVersion.current, engine: engine)
    try Checkpoint.write(
      run: directory, model: model, optimizer: optimizer, recipe: recipe, state: state,
      tokenizerJSON: tokenizerJSON, keep: recipe.train.keepCheckpoints)
  }

  // MARK: Reporting

  private var startLine: String {
    let dense = model.parameters.filter { $0.role == .dense }.map(\.count).reduce(0, +)
    let values = model.parameters.map(\.count).reduce(0, +) - dense
    let available = (try? dataset.totals(of: split).tokens) ?? 0
    return "model: \(Self.scaled(dense)) dense parameters, \(Self.scaled(values)) in memory values; "
      + "data: \(Self.scaled(available)) tokens in split \(split)"
      + (recipe.train.packing == .document
        ? String(format: ", %.1f %% padding beside them", 100 * paddingShare) : "")
      + "; matmul: \(model.device.description)"
  }

  private static func scaled(_ count: Int) -> String {
    Progress.scaled(Double(count), "").trimmingCharacters(in: .whitespaces)
  }

  /// Evaluates before the first step, every `eval_every` steps and, on the whole split, after the last step, unless an
  /// earlier run in this directory has done so.
  private func evaluateIfDue() throws {
    let (step, train) = (optimizer.updates, recipe.train)
    let isLast = step == train.steps
    guard step == 0 || isLast || (train.evalEvery > 0 && step % train.evalEvery == 0),
      !metrics.evaluatedSteps.contains(step)
    else { return }
    do { try evaluate(tokenLimit: isLast ? 0 : train.evalTokens) } catch let failure as Failure
      where failure.kind == .interrupted
    { try stopEarly() }
  }

  private func evaluate(tokenLimit: Int) throws {
    guard let evaluationSplit else { return }
    let result = try Evaluation.run(
      model, dataset: dataset, split: evaluationSplit, packing: recipe.train.packing!,
      sequences: recipe.train.sequencesAtOnce, tokenLimit: tokenLimit == 0 ? nil : tokenLimit,
      isQuiet: isQuiet)
    lastEvaluation = result
    if !isQuiet { Log.line("step \(optimizer.updates): \(result.summaryLine)") }
    if let divergence = result.divergence {
      Log.warn("\(divergence). Lower train.lr or train.value_lr, or lengthen train.warmup, and start again")
    }
    var numbers: [(name: CountName, value: Double)] = [
      (.nll, result.nll), (.perplexity, result.perplexity), (.wordPerplexity, result.wordPerplexity),
      (.bitsPerByte, result.bitsPerByte),
    ]
    // A single memory is its own mean.
    if result.memories.count > 1 {
      numbers += Self.means(of: result.memories.map(\.use), .memoryUsage(layer: nil), .memoryKL(layer: nil))
    }
    numbers += result.memoryNumbers
    try metrics.write(step: optimizer.updates, tokens: tokens, split: result.split, numbers)
  }

  /// Means over the memories.
  private static func means(of memories: [MemoryUse], _ usage: CountName, _ kl: CountName)
    -> [(name: CountName, value: Double)]
  {
    guard !memories.isEmpty else { return [] }
    let count = Double(memories.count)
    return [
      (usage, memories.map(\.usage).reduce(0, +) / count), (kl, memories.map(\.kl).reduce(0, +) / count),
    ]
  }

  /// Loss and speed are those since the last logged step; everything else is of this step, the use of the memories too.
  private func log(_ pending: inout PendingLoss, norm: Double) throws {
    try metrics.write(
      step: optimizer.updates, tokens: tokens,
      [
        (.loss, pending.loss.smoothed / Double(pending.loss.count)),
        (.nll, pending.loss.nll / Double(pending.loss.count)),
        (.tokensPerSecond, pending.tokensPerSecond),
        (.learningRate, recipe.train.learningRate.rate(afterUpdates: optimizer.updates - 1)),
        (.gradientNorm, norm), (.dataWait, pending.waitShare),
      ] + Self.means(of: try model.gatheredStatistics().map(\.use), .stepMemoryUsage, .stepMemoryKL))
    pending = PendingLoss()
  }

  private func summary(seconds: Double, trained: Int) -> Summary {
    var summary = Summary()
    summary[.steps] = .count(optimizer.updates)
    summary[.tokens] = .count(tokens)
    if trained > 0 {
      summary[.tokensPerSecond] = .number(Double(trained) / seconds)
      // Share of the time of the steps in which the next batch was not ready.
      summary[.dataWait] = .number(batches.waitSeconds / seconds)
    }
    if let result = lastEvaluation {
      summary[.perplexity] = .number(result.perplexity)
      summary[.wordPerplexity] = .number(result.wordPerplexity)
      summary[.bitsPerByte] = .number(result.bitsPerByte)
    }
    return summary
  }
}

/// Loss and speed since the last logged step; evaluations and checkpoints are not training time.
private struct PendingLoss {
  private(set) var loss = Loss()
  private var seconds = 0.0
  private var waited = 0.0

  mutating func add(_ other: Loss, seconds: Double, waited: Double) {
    loss += other
    self.seconds += seconds
    self.waited += waited
  }

  var tokensPerSecond: Double { Double(loss.count) / max(seconds, 1e-9) }
  /// Share of the time in which the next batch was not ready.
  var waitShare: Double { waited / max(seconds, 1e-9) }
}
