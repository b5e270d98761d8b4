import Foundation
import Model
import Shards
import Support
import TestSupport
import Training

/// A dataset of some short documents, and runs on it from given parameters: those of the trainer and written out.
final class Workbench {
  static let vocabularySize = 11
  /// No sum of them is a multiple of a context, and document packing pads most sequences.
  static let lengths = (train: [7, 2, 12, 4, 3, 9, 1, 6, 8, 5], valid: [8, 3, 5])
  let scratch: Scratch
  let data: String
  let validation: [TestDocument]
  /// Any checkpoint of a run on this dataset.
  private var anyState: Checkpoint.State?

  init(seed: UInt64 = 3, packing: Packing? = nil) throws {
    scratch = try Scratch()
    data = scratch.path("data")
    let documents = (Self.lengths.train + Self.lengths.valid).enumerated().map { index, length in
      TestDocument(
        tokens: plainNumbers(length, seed: seed, name: "document \(index)").map {
          UInt32(abs($0) * 1e6) % UInt32(Self.vocabularySize - 1)
        }, textBytes: 4 * length + index, words: length / 2 + 1)
    }
    validation = Array(documents.suffix(Self.lengths.valid.count))
    try writeDataset(
      data, train: documents.dropLast(validation.count), valid: validation, vocabulary: Self.vocabularySize,
      packing: packing)
  }

  /// The tokens of the validation split.
  var validationTokens: [Int] {
    validation.flatMap { $0.tokens.map(Int.init) + [Self.vocabularySize - 1] }
  }

  func trainer(
    _ recipe: TrainingRecipe, in directory: String, resume: Bool, on device: some Operations<Float>
  ) throws {
    _ = try Trainer(
      recipe: recipe, dataset: data, split: "train", evaluationSplit: nil, directory: directory,
      resume: resume, on: device, isQuiet: true
    ).run()
  }

  private func completed(_ recipe: TrainingRecipe) -> TrainingRecipe {
    var recipe = recipe
    recipe.model.vocabularySize = Self.vocabularySize
    recipe.train.packing = recipe.train.packing ?? .stream
    return recipe
  }

  private func state() throws -> Checkpoint.State {
    if let anyState { return anyState }
    var recipe = TrainingRecipe(model: ModelConfiguration(), train: TrainingConfiguration())
    (recipe.model.layers, recipe.model.dim, recipe.model.heads, recipe.model.context) = (1, 2, 1, 2)
    (recipe.train.steps, recipe.train.batch) = (1, 1)
    try trainer(
      recipe, in: scratch.path("any"), resume: false, on: CPUOperations<Float>(pool: WorkerPool(threads: 1)))
    var state = try Checkpoint(scratch.path("any")).state
    (state.step, state.tokens, state.cursor) = (0, 0, LoaderCursor())
    anyState = state
    return state
  }

  /// A run of the trainer that begins with these parameters: they are put into a checkpoint of step 0, which it resumes.
  func run(_ recipe: TrainingRecipe, from start: PlainModel, on device: some Operations<Float>) throws
    -> RunRecord
  {
    let recipe = completed(recipe), directory = scratch.path(UUID().uuidString)
    let model = try Transformer(
      recipe.model, device: device, batch: (1, recipe.model.context), training: true, isInitialized: false,
      seed: 0)
    for tensor in model.parameters + model.buffers {
      let numbers = start.tensors[tensor.name]!.map(Float.init)
      if tensor.stored.isBF16 {
        numbers.map { UInt16($0.bitPattern >> 16) }.withUnsafeBytes {
          device.upload($0, to: tensor.stored.address)
        }
      } else {
        numbers.withUnsafeBytes { device.upload($0, to: tensor.stored.address) }
      }
    }
    try SystemCall.makeDirectories(directory)
    try Checkpoint.write(
      run: directory, model: model, optimizer: Optimizer(model), recipe: recipe, state: state(),
      tokenizerJSON: testTokenizer, keep: 1)
    try trainer(recipe, in: directory, resume: true, on: device)
    return try record(of: directory)
  }

  func record(of directory: String) throws -> RunRecord {
    var record = RunRecord()
    for line in try String(contentsOfFile: directory + "/metrics.jsonl", encoding: .utf8).split(
      separator: "\n")
    {
      var object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as! [String: Any]
      for machine in ["tokens_per_second", "data_wait"] { object[machine] = nil }
      let split = object.removeValue(forKey: "split") as? String
      let step = object.removeValue(forKey: "step") as! Int,
        tokens = object.removeValue(forKey: "tokens") as! Int
      record.lines.append(
        PlainLine(
          step: step, tokens: tokens, split: split, numbers: object.mapValues { $0 as? Double ?? .nan }))
    }
    record.checkpoints = try Checkpoint.all(in: directory).map { String($0.split(separator: "/").last!) }
    let checkpoint = try Checkpoint(directory)
    let values = checkpoint.recipe.model.memory?.values
    let parameters = checkpoint.recipe.model.parameterDescriptions.map { ($0.name, $0.shape) }
    let statistics = checkpoint.recipe.model.bufferDescriptions.map { ($0.name, $0.shape) }
    func read(_ file: Checkpoint.File, _ name: String, _ shape: [Int]) throws {
      let isBF16 = values == .bf16 && name.hasSuffix("memory.values")
      let contents = try SafeTensors.Contents(checkpoint.path(of: file))
      try withExtendedLifetime(contents) {
        let bytes = try contents.bytes(of: name, shape: shape, isBF16: isBF16)
        record.tensors[name] =
          isBF16
          ? bytes.withMemoryRebound(to: UInt16.self) {
            $0.map { Double(Float(bitPattern: UInt32($0) << 16)) }
          }
          : bytes.withMemoryRebound(to: Float.self) { $0.map(Double.init) }
      }
    }
    for (name, shape) in parameters + statistics { try read(.model, name, shape) }
    let averages = checkpoint.recipe.train.ema > 0 ? ["average"] : []
    for (name, shape) in parameters {
      for moment in ["first_moment", "second_moment"] + averages {
        try read(.optimizer, "\(name).\(moment)", shape)
      }
    }
    return record
  }

  /// The same run written out. `batches` come from the loader, which has tests of its own.
  func plainRun(_ recipe: TrainingRecipe, from start: PlainModel) throws -> RunRecord {
    let recipe = completed(recipe), train = recipe.train
    var training = PlainTraining(start, train), record = RunRecord(), tokens = 0
    var loader = try BatchLoader(
      dataset: Dataset(data), split: "train", packing: train.packing!, sequenceLength: recipe.model.context,
      batch: train.batch, seed: train.seed)
    var inputs = [Int32](repeating: 0, count: train.batch * recipe.model.context), targets = inputs
    var losses: [Int: Double] = [:], saved: [Int] = []
    func evaluate() {
      let isLast = training.updates == train.steps
      guard isLast || training.updates == 0 || train.evalEvery > 0 && training.updates % train.evalEvery == 0
      else { return }
      let result = PlainEvaluation(
        training.model, validationTokens,
        documents: train.packing == .document ? validation.map { $0.tokens.count + 1 } : nil,
        limit: isLast || train.evalTokens == 0 ? nil : train.evalTokens)
      losses[training.updates] = result.numbers(of: validation)["nll"]
      record.lines.append(
        PlainLine(
          step: training.updates, tokens: tokens, split: "valid",
          numbers: result.numbers(of: validation).merging(result.memoryNumbers) { $1 }))
    }
    evaluate()
    var pending = (loss: 0.0, nll: 0.0, scored: 0)
    while training.updates < train.steps {
      try inputs.withUnsafeMutableBufferPointer { inputs in
        try targets.withUnsafeMutableBufferPointer { try loader.next(into: inputs, targets: $0) }
      }
      let step = training.step(inputs: inputs, targets: targets)
      tokens += step.scored
      if !step.isSkipped {
        pending.loss += step.loss * Double(step.scored)
        pending.nll += step.nll * Double(step.scored)
        pending.scored += step.scored
      }
      let isLast = training.updates == train.steps
      if training.updates % train.logEvery == 0 || isLast {
        var numbers = [
          "loss": pending.loss / Double(pending.scored), "nll": pending.nll / Double(pending.scored),
          "learning_rate": step.rate, "gradient_norm": step.norm,
        ]
        if training.skipped > 0 { numbers["skipped_steps"] = Double(training.skipped) }
        record.lines.append(
          PlainLine(
            step: training.updates, tokens: tokens,
            numbers: numbers.merging(PlainUse.means(step.uses, named: "step_memory")) { $1 }))
        pending = (0, 0, 0)
      }
      if isLast
        || train.checkpointEvery > 0 && training.updates % train.checkpointEvery == 0 && !step.isSkipped
      {
        // The checkpoint of step 0 that the run began with was there, too.
        saved = (saved.isEmpty ? [0] : saved) + [training.updates]
        let best = saved.filter { losses[$0] != nil }.min { losses[$0]! < losses[$1]! }
        saved = saved.enumerated().filter { index, step in
          index >= saved.count - train.keepCheckpoints
            || train.keepEvery > 0 && step > 0 && step % train.keepEvery == 0
            || train.keepBest && step == best
        }.map(\.element)
      }
      evaluate()
    }
    record.checkpoints = saved.map { String(format: "step-%08d", $0) }
    record.tensors = training.model.tensors
    if train.ema > 0 {
      for (name, numbers) in training.averages { record.tensors[name + ".average"] = numbers }
    }
    for (name, numbers) in training.first { record.tensors[name + ".first_moment"] = numbers }
    for (name, numbers) in training.second { record.tensors[name + ".second_moment"] = numbers }
    return record
  }
}
