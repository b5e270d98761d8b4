import Foundation
import Model
import Shards
import Support

/// A complete state of training on disk: `step-00001000/` with `model.safetensors`, `optimizer.safetensors`, `config.json`,
/// `trainer.json` and `tokenizer.json`. It appears by rename; `latest` in the run directory names the newest.
package struct Checkpoint {
  /// The content of `trainer.json`: everything but tensors that the next step depends on.
  package struct State: Codable, Equatable {
    /// Finished updates; together with the seed they decide the dropout masks and the schedule.
    package var step: Int
    package var tokens: Int
    package var seed: UInt64
    /// The next sequence of the training split.
    package var cursor: LoaderCursor
    package var split: String
    /// Digest of the dataset's content: resuming on other data is refused.
    package var dataset: String
    package var datasetPath: String
    package var codeVersion: String
    /// XXH64 of the other files, by name; nil in checkpoints of earlier versions.
    package var checksums: [String: String]?
    /// How the run multiplies matrices; nil in checkpoints of earlier versions.
    package var engine: EngineChoice?
    /// nil unless a step was skipped, or spikes are looked for.
    package var stepGuard: StepGuard.State?
    /// The checkpoint that the parameters began with; nil for those of the seed.
    package var initializedFrom: String?

    package enum CodingKeys: String, CodingKey {
      case step, tokens, seed, cursor, split, dataset, checksums, engine
      case stepGuard = "step_guard"
      case initializedFrom = "initialized_from"
      case datasetPath = "dataset_path"
      case codeVersion = "code_version"
    }
  }

  /// The checkpoint's own directory.
  package let directory: String
  package let recipe: TrainingRecipe
  package let state: State

  /// What to do about one that is damaged.
  static let another = "Use another checkpoint of the run (train: --resume-from)"

  package enum File: String, CaseIterable {
    case model = "model.safetensors"
    case optimizer = "optimizer.safetensors"
    case configuration = "config.json"
    case tokenizer = "tokenizer.json"
  }

  package func path(of file: File) -> String { Path.join(directory, file.rawValue) }

  /// The path of a file, after comparing its bytes with the checksum. Throws if it is damaged.
  package func checkedPath(of file: File) throws -> String {
    let path = path(of: file)
    if let expected = state.checksums?[file.rawValue], try Self.checksum(of: path) != expected {
      throw Failure(
        .badInput, "the file is damaged: its checksum is not that in trainer.json", file: path,
        remedy: Self.another)
    }
    return path
  }

  private static func checksum(of path: String) throws -> String {
    // In blocks: mapped, the largest file of a run would count as memory of the process.
    let descriptor = try SystemCall.open(path, O_RDONLY | O_NONBLOCK)
    defer { close(descriptor) }
    guard Path.isRegularFile(path) else {
      throw Failure(.inputOutput, "not a regular file", file: path, remedy: another)
    }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    defer { buffer.deallocate() }
    let hash = StreamingXXH64()
    while case let count = try SystemCall.read(descriptor, into: buffer, path: path), count > 0 {
      hash.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }
    return Hashing.hexadecimal(hash.digest)
  }

  // MARK: Reading

  /// Opens a checkpoint, or the newest one of a run directory.
  package init(_ path: String) throws {
    if Path.exists(Path.join(path, "trainer.json")) {
      directory = path
    } else if let newest = try Self.all(in: path).last {
      directory = newest
    } else {
      throw Failure(
        .inputOutput, "holds no checkpoint", file: path,
        remedy: "Name a run directory of pkm-train or one of its step-… directories")
    }
    state = try Self.decode(State.self, Path.join(directory, "trainer.json"))
    recipe = try Self.decode(TrainingRecipe.self, Path.join(directory, File.configuration.rawValue))
    // Before the checksum, so that a number that cannot be is named.
    try validate()
    _ = try checkedPath(of: .configuration)
  }

  /// Every number of the two files is one that a run could have written, so that sums and products cannot overflow.
  private func validate() throws {
    let numbers = [
      ("step", state.step), ("tokens", state.tokens), ("cursor.epoch", state.cursor.epoch),
      ("cursor.window", state.cursor.sequence),
    ]
    let bounds = NumberBounds(
      Path.join(directory, "trainer.json"), remedy: Self.another)
    for (key, value) in numbers { try bounds.check(value, key, in: JSONDecoding.counts) }
    do { try recipe.validate() } catch let failure as Failure {
      throw Failure(
        .badInput, failure.message + (failure.remedy.map { ". \($0)" } ?? ""), file: path(of: .configuration),
        remedy: Self.another)
    }
    // A model is made before its tensors are read, so a size that is only possible must also be that of the file.
    var status = stat()
    guard stat(path(of: .model), &status) == 0 else { return }
    let needed = recipe.model.parameterDescriptions.reduce(0) { $0 + 2 * $1.count }
    if needed > Int(status.st_size) {
      throw Failure(
        .badInput,
        "has \(status.st_size) bytes, but a model as in \(File.configuration.rawValue) takes at least \(needed)",
        file: path(of: .model), remedy: Self.another)
    }
  }

  /// The checkpoints of a run, oldest first.
  ///
  /// Their directories appear by rename, so all of them are whole. A name such as `step-00000100-best` is one that a user
  /// has given, and is none of them.
  package static func all(in run: String) throws -> [String] {
    guard Path.isDirectory(run) else { return [] }
    return try SystemCall.names(in: run).compactMap { name in
      step(ofName: name).map { (step: $0, name: name) }
    }
    .filter { !Path.isLink(Path.join(run, $0.name)) }
    .filter { Path.exists(Path.join(Path.join(run, $0.name), "trainer.json")) }
    .sorted { $0.step < $1.step }.map { Path.join(run, $0.name) }
  }

  /// The step of a directory name as ``write(run:model:optimizer:recipe:state:tokenizerJSON:keep:)`` makes them; nil for any
  /// other.
  static func step(ofName name: String) -> Int? {
    guard name.hasPrefix("step-"), case let digits = name.dropFirst(5), digits.utf8.count <= 16,
      digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let step = Int(digits)
    else { return nil }
    return name == self.name(ofStep: step) ? step : nil
  }

  private static func name(ofStep step: Int) -> String { "step-\(step.zeroPadded(to: 8))" }

  private static func decode<Value: Decodable>(_ type: Value.Type, _ path: String) throws -> Value {
    try JSONDecoding.decode(
      type, from: MappedFile.readRegular(path), file: path, remedy: Self.another)
  }

  /// Copies parameters and buffers into a model of the same configuration; with `averaged`, the averages of the parameters
  /// that training has kept with `train.ema`, where there are some: values in bf16 have none.
  package func restore(_ model: Transformer<some Operations<Float>>, averaged: Bool = false) throws {
    let contents = try SafeTensors.Contents(checkedPath(of: .model))
    if averaged && recipe.train.ema == 0 {
      throw Failure(
        .usage, "holds no averages of the parameters", file: directory,
        remedy: "Training keeps them with train.ema")
    }
    let averages = averaged ? try SafeTensors.Contents(checkedPath(of: .optimizer)) : nil
    for tensor in model.parameters + model.buffers {
      let name = Self.averageName(tensor.name)
      if let averages, averages.shape(of: name) != nil {
        try averages.read(name, shape: tensor.shape, into: tensor.stored, on: model.device)
      } else {
        try contents.read(tensor.name, shape: tensor.shape, into: tensor.stored, on: model.device)
      }
    }
    model.parametersChanged()
  }

  static func averageName(_ parameter: String) -> String { parameter + ".average" }

  // MARK: Writing

  /// Writes a checkpoint, points `latest` at it and removes those that need not be kept.
  ///
  /// A checkpoint that is there already has the same state and is left alone: it may be the only one. Throws a failure that
  /// names the tensor, and writes nothing, if a number of the model or of the optimizer is not finite.
  package static func write<Device: Operations<Float>>(
    run: String, model: Transformer<Device>, optimizer: Optimizer<Device>, recipe: TrainingRecipe,
    state: State,
    tokenizerJSON: [UInt8], keep: Retention
  ) throws {
    try write(
      run: run, model: tensors(of: model), optimizer: optimizer.tensors, recipe: recipe, state: state,
      tokenizerJSON: tokenizerJSON, keep: keep)
  }

  static func tensors(of model: Transformer<some Operations<Float>>) -> [SafeTensors.Tensor] {
    (model.parameters + model.buffers).map {
      SafeTensors.Tensor($0.name, shape: $0.shape, $0.stored, on: model.device)
    }
  }

  static func write(
    run: String, model: [SafeTensors.Tensor], optimizer: [SafeTensors.Tensor], recipe: TrainingRecipe,
    state: State, tokenizerJSON: [UInt8], keep: Retention
  ) throws {
    let path = Path.join(run, name(ofStep: state.step))
    if try all(in: run).contains(path) { return try settle(in: run, keep: keep) }
    let directory = try OutputDirectory(path)
    func file(_ name: String) -> String { Path.join(directory.temporary, name) }

    do {
      try SafeTensors.write(model, to: file(File.model.rawValue))
      try SafeTensors.write(optimizer, to: file(File.optimizer.rawValue))
    } catch let fault as SafeTensors.NotFinite {
      throw diverged(fault, model, in: run, step: state.step)
    }
    try JSONFile.write(recipe, to: file(File.configuration.rawValue))
    let tokenizer = try OutputFile(file(File.tokenizer.rawValue))
    try tokenizer.write(tokenizerJSON)
    try tokenizer.finish()
    var state = state
    state.checksums = try Dictionary(
      uniqueKeysWithValues: File.allCases.map { ($0.rawValue, try checksum(of: file($0.rawValue))) })
    try JSONFile.write(state, to: file("trainer.json"))
    try directory.finish()
    try settle(in: run, keep: keep)
  }

  /// Says which tensor has diverged, and where the run can go on from.
  private static func diverged(
    _ fault: SafeTensors.NotFinite, _ model: [SafeTensors.Tensor], in run: String, step: Int
  ) -> Failure {
    let last = (try? all(in: run))?.last
    // Values that are too large make the moments of other parameters infinite first.
    let diagnosis = Diagnosis(parameters: model)
    let rate = diagnosis.notFinite.map(Diagnosis.rate(of:)) ?? diagnosis.rate
    return Failure(
      .failed,
      "the tensor \(fault.tensor) holds a number that is not finite after step \(step) (element \(fault.index)), so no "
        + "checkpoint of this step was written; the last good one is \(last.map(Path.name(of:)) ?? "none")",
      file: run,
      remedy: "Lower train.\(rate), lengthen train.warmup or set train.clip, and start again"
        + (last == nil ? "" : ", or use the checkpoint that is there"))
  }

  /// Points `latest` at the newest checkpoint, `best` at the best one, and removes those that need not be kept.
  package static func settle(in run: String, keep: Retention) throws {
    let all = try all(in: run)
    guard let newest = all.last else { return }
    func point(_ name: String, at checkpoint: String) throws {
      let file = try OutputFile(Path.join(run, name))
      try file.write(Path.name(of: checkpoint) + "\n")
      try file.finish()
    }
    try point("latest", at: newest)
    let steps = all.map { step(ofName: Path.name(of: $0))! }
    let kept = keep.kept(of: steps)
    if let best = keep.best(of: steps), let index = steps.firstIndex(of: best) {
      try point("best", at: all[index])
    }
    for (step, old) in zip(steps, all) where !kept.contains(step) { try SystemCall.remove(old) }
  }
}

extension Checkpoint {
  /// An engine in the precision that the model was trained in, or in another one.
  package func makeEngine(
    precision: EngineSettings.Precision? = nil, threads: Int, kernels: EngineSettings.Instructions? = nil,
    library: EngineSettings.Library? = nil
  ) throws -> Engine {
    try Engine(
      precision: precision ?? recipe.train.precision, kernels: kernels, library: library, threads: threads)
  }

  /// A model of the checkpoint's configuration, for ``restore(_:)`` and then evaluation or generation; with
  /// `isInitialized`, the model that training began with.
  package func makeModel<Device: Operations<Float>>(
    on device: Device, maximumSequences: Int, isInitialized: Bool = false
  ) throws -> Transformer<Device> {
    try Transformer(
      recipe.model, device: device, batch: (maximumSequences, recipe.model.context), training: false,
      isInitialized: isInitialized, seed: recipe.train.seed)
  }
}
