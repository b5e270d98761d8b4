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
  private let runDirectory: RunDirectory
  private let checkpointWriter = CheckpointWriter()
  /// The time in which training waited for checkpoints.
  private var checkpointSeconds = 0.0
  private var stepGuard: StepGuard
  /// The checkpoint that the parameters began with.
  private let initializedFrom: String?
  private var tokens = 0
  private var lastEvaluation: Evaluation?

  /// Prepares a run: opens the data, builds the model and, with `resume`, restores the newest checkpoint.
  ///
  /// Throws if the directory holds a run and `resume` is not given, if the checkpoint belongs to another model, dataset or
  /// seed, or if another process works in the directory. Then a directory that was not there is not there afterwards.
  ///
  /// - Parameters:
  ///   - resumeFrom: a checkpoint of the run in place of the newest; those after it are set aside.
  ///   - initial: gives a run that begins its parameters.
  package init(
    recipe given: TrainingRecipe, dataset datasetPath: String, split: String, evaluationSplit: String?,
    directory: String, resume: Bool, resumeFrom: String? = nil, initial: Checkpoint? = nil,
    on device: Device, engine: EngineChoice? = nil, collective: any Collective = SingleProcess(),
    isQuiet: Bool
  ) throws {
    self.engine = engine
    var recipe = given
    dataset = try Dataset(datasetPath)
    let vocabularySize = dataset.index.vocabularySize
    guard [0, vocabularySize].contains(recipe.model.vocabularySize) || initial != nil else {
      throw Failure(
        .usage,
        "model.vocabulary_size is \(recipe.model.vocabularySize), but the tokenizer of the dataset has \(vocabularySize) tokens",
        file: datasetPath, remedy: "Leave model.vocabulary_size out: the dataset decides")
    }
    recipe.model.vocabularySize = vocabularySize
    recipe.train.packing = recipe.train.packing ?? dataset.index.packing ?? .stream
    try recipe.validate()
    try initial?.checkTokenizer(
      sha256: dataset.index.tokenizer.sha256, vocabularySize: vocabularySize, of: datasetPath)
    try Footprint(recipe, on: device).check(against: MemoryLimit.bytes)
    self.recipe = recipe
    self.collective = collective
    self.directory = directory
    self.split = split
    self.isQuiet = isQuiet
    self.evaluationSplit = try Self.evaluationSplit(evaluationSplit, in: dataset)
    tokenizerJSON = try dataset.tokenizerJSON()
    datasetDigest = Self.digest(of: dataset)

    runDirectory = try RunDirectory(directory)
    try? TemporaryName.sweep(directory)
    let checkpoint = try Resumption.choose(in: directory, named: resumeFrom)
    if !resume && resumeFrom == nil && (checkpoint != nil || MetricsLog.holdsAnything(in: directory)) {
      throw Failure(
        .usage, "holds a run already", file: directory,
        remedy: "Add --resume to go on with it, or choose another directory")
    }
    let resumption = checkpoint.map { Resumption(checkpoint: $0, recipe: recipe) }
    try resumption?.check(split: split, datasetDigest: datasetDigest)

    let train = recipe.train
    model = try Transformer(
      recipe.model, device: device, batch: (train.sequencesAtOnce, recipe.model.context), training: true,
      microBatches: train.batch / train.sequencesAtOnce, recomputes: train.recompute,
      isInitialized: checkpoint == nil, seed: train.seed)
    optimizer = try Optimizer(model, keepsAverages: train.ema > 0)
    step = TrainingStep(model, optimizer, train, collective: collective)
    stepGuard = StepGuard(train, checkpoint?.state.stepGuard)
    var lines = resumption?.lines ?? []
    if let checkpoint {
      try checkpoint.restore(model)
      try optimizer.restore(
        from: .init(checkpoint.checkedPath(of: .optimizer)), updates: checkpoint.state.step)
      tokens = checkpoint.state.tokens
      initializedFrom = checkpoint.state.initializedFrom
    } else if let initial {
      lines += Self.lines(of: try initial.initialize(model), initial)
      initializedFrom = initial.directory
    } else {
      initializedFrom = nil
    }
    if checkpoint == nil { optimizer.startAverages() }
    let loader = try BatchLoader(
      dataset: dataset, split: split, packing: train.packing!, sequenceLength: recipe.model.context,
      batch: train.batch, seed: train.seed, cursor: checkpoint?.state.cursor)
    (cursor, paddingShare) = (loader.cursor, loader.paddingShare)
    batches = BatchPrefetcher(loader)
    if let checkpoint, resumeFrom != nil {
      let aside = try Resumption.setAside(after: checkpoint, in: directory)
      if !aside.isEmpty { lines.append("later checkpoints are set aside: " + aside.joined(separator: ", ")) }
    }
    metrics = try MetricsLog(directory: directory, keepingThrough: checkpoint?.state.step ?? -1)
    // A run that was killed may have left more checkpoints.
    try Checkpoint.settle(in: directory, keep: Retention(train, losses: metrics.losses))
    runDirectory.keep()
    if !isQuiet { for line in lines { Log.line(line) } }
  }

  private static func lines(of difference: Checkpoint.Difference, _ initial: Checkpoint) -> [String] {
    ["parameters of \(initial.directory), step \(initial.state.step)"]
      + [("drawn anew", difference.drawn), ("left out", difference.leftOut)].filter { !$1.isEmpty }
      .map { "\($0): " + $1.joined(separator: ", ") }
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
      let result = batch.inputs.withUnsafeBufferPointer { inputs in
        batch.targets.withUnsafeBufferPointer {
          step.run(inputs: inputs, targets: $0) { stepGuard.accepts(loss: $0, norm: $1) }
        }
      }
      let (loss, norm) = (result.loss, result.norm)
      let seconds = Progress.now() - began
      trainingSeconds += seconds
      tokens += loss.count
      cursor = batch.cursor
      if result.isSkipped { try skip(result) }
      stepGuard.count(norm: norm, isSkipped: result.isSkipped)
      if !result.isSkipped { pending.add(loss, seconds: seconds, waited: batches.waitSeconds - waited) }
      if stepGuard.isExhausted { throw diverged(result) }
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
      // A run that skips steps may be lost, and must not push the last good checkpoint out.
      if updates == train.steps
        || (train.checkpointEvery > 0 && updates % train.checkpointEvery == 0 && !result.isSkipped)
      {
        try save()
      }
      try evaluateIfDue()
    }
    progress.finish()
    try finishCheckpoint()
    return summary(seconds: trainingSeconds, trained: tokens - firstTokens)
  }

  private func skip(_ result: TrainingStep<Device>.Result) throws {
    guard !isQuiet else { return }
    let why =
      stepGuard.isSpike(result.norm)
      ? String(
        format: "the norm of its gradient is %.4g, more than %g times the mean of %.4g", result.norm,
        recipe.train.spike, stepGuard.state.normMean ?? 0) : "its loss or gradient is not a number"
    Log.warn("step \(optimizer.updates) is skipped: \(why)")
  }

  /// Too many steps in a row moved nothing.
  private func diverged(_ last: TrainingStep<Device>.Result) -> Failure {
    let count = stepGuard.state.inARow, isSpike = last.loss.smoothed.isFinite && last.norm.isFinite
    let diagnosis = Diagnosis(model)
    // Whether it could be written or not: what is on disk is named.
    try? finishCheckpoint()
    let good = (try? Checkpoint.all(in: directory))?.last.map(Path.name(of:))
    let what =
      isSpike
      ? "the gradient is more than train.spike times its mean"
      : "the loss or its gradient is no longer a number"
    return Failure(
      .failed,
      "\(what) at step \(optimizer.updates), and \(count == 1 ? "that step was" : "the last \(count) steps were") skipped"
        + (diagnosis.notFinite.map { "; the first tensor that is not finite is \($0)" } ?? "")
        + String(
          format: "; the largest number of a parameter is %.3g, in %@", Double(diagnosis.largest.size),
          diagnosis.largest.name)
        + "; the last good checkpoint is \(good ?? "none")", file: directory,
      remedy: isSpike
        ? "Raise train.spike or train.max_skips and go on with --resume, or lower train.\(diagnosis.rate) and start again"
        : "Lower train.\(diagnosis.rate), lengthen train.warmup or set train.clip, and start again; checkpoints that are "
          + "there are good")
  }

  /// An interrupted run saves its state: only the step in progress is lost.
  private func stopEarly() throws -> Never {
    try save()
    try finishCheckpoint()
    throw Failure(
      .interrupted, "interrupted after step \(optimizer.updates)", file: directory,
      remedy: "The same command with --resume goes on from there")
  }

  private func save() throws {
    let state = Checkpoint.State(
      step: optimizer.updates, tokens: tokens, seed: recipe.train.seed, cursor: cursor, split: split,
      dataset: datasetDigest, datasetPath: dataset.path, codeVersion: CodeVersion.current, engine: engine,
      stepGuard: stepGuard.stateToSave, initializedFrom: initializedFrom)
    let keep = Retention(recipe.train, losses: metrics.losses)
    let began = Progress.now()
    defer { checkpointSeconds += Progress.now() - began }
    guard recipe.train.backgroundCheckpoints else {
      return try Checkpoint.write(
        run: directory, model: model, optimizer: optimizer, recipe: recipe, state: state,
        tokenizerJSON: tokenizerJSON, keep: keep)
    }
    let (directory, recipe, tokenizerJSON) = (directory, recipe, tokenizerJSON)
    try checkpointWriter.start([Checkpoint.tensors(of: model), optimizer.tensors]) {
      try Checkpoint.write(
        run: directory, model: $0[0], optimizer: $0[1], recipe: recipe, state: state,
        tokenizerJSON: tokenizerJSON, keep: keep)
    }
  }

  /// Waits for the checkpoint that is being written.
  private func finishCheckpoint() throws {
    let began = Progress.now()
    defer { checkpointSeconds += Progress.now() - began }
    try checkpointWriter.finish()
  }

  // MARK: Reporting

  private var startLine: String {
    let dense = model.parameters.filter { $0.role == .dense }.map(\.count).reduce(0, +)
    let values = model.parameters.map(\.count).reduce(0, +) - dense
    let available = (try? dataset.totals(of: split).tokens) ?? 0
    let memory =
      model.memoryCount == 0 ? "no memory (a dense model)" : "\(Self.scaled(values)) in memory values"
    return "model: \(Self.scaled(dense)) dense parameters, \(memory); "
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
      ] + (stepGuard.state.skipped > 0 ? [(.skippedSteps, Double(stepGuard.state.skipped))] : [])
        + Self.means(of: try model.gatheredStatistics().map(\.use), .stepMemoryUsage, .stepMemoryKL))
    pending = PendingLoss()
  }

  private func summary(seconds: Double, trained: Int) -> Summary {
    var summary = Summary()
    summary[.steps] = .count(optimizer.updates)
    if stepGuard.state.skipped > 0 { summary[.skippedSteps] = .count(stepGuard.state.skipped) }
    summary[.tokens] = .count(tokens)
    if trained > 0 {
      summary[.tokensPerSecond] = .number(Double(trained) / seconds)
      // Share of the time of the steps in which the next batch was not ready.
      summary[.dataWait] = .number(batches.waitSeconds / seconds)
      summary[.checkpointSeconds] = .number(checkpointSeconds)
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
