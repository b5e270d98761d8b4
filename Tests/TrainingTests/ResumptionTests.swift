import Foundation
import Model
import Shards
import Support
import TestSupport
import Testing
import Training

/// Older checkpoints, other runs' parameters, and refused runs.
@Suite(.timeLimit(.minutes(60))) struct ResumptionTests {
  private let bench: Workbench
  private let run: String
  private let device: CPUOperations<Float>

  init() throws {
    bench = try Workbench()
    run = bench.scratch.path("run")
    device = try CPUOperations<Float>(pool: TrainingArithmeticTests.pool)
  }

  private func train(
    _ recipe: TrainingRecipe, in directory: String? = nil, data: String? = nil, resume: Bool = false,
    resumeFrom: String? = nil, initial: String? = nil
  ) throws {
    _ = try Trainer(
      recipe: recipe, dataset: data ?? bench.data, split: "train", evaluationSplit: nil,
      directory: directory ?? run, resume: resume, resumeFrom: resumeFrom,
      initial: initial.map { try Checkpoint($0) }, on: device, isQuiet: true
    ).run()
  }

  private func recipe() -> TrainingRecipe {
    var recipe = TrainingArithmeticTests.recipe()
    (recipe.train.checkpointEvery, recipe.train.keepCheckpoints) = (1, 9)
    return recipe
  }

  private func names() throws -> [String] {
    try SystemCall.names(in: run).filter { $0.hasPrefix("step-") }.sorted()
  }

  /// By name or by path: what follows is made again to the same bytes, and what was there is kept aside.
  @Test(arguments: [true, false]) func aRunGoesOnFromAnOlderCheckpoint(isName: Bool) throws {
    try train(recipe())
    let right = try bench.record(of: run)
    // The newest is damaged.
    let damaged = run + "/step-00000004/model.safetensors"
    var bytes = try Data(contentsOf: URL(fileURLWithPath: damaged))
    let whole = bytes
    bytes[bytes.count / 2] ^= 1
    try bytes.write(to: URL(fileURLWithPath: damaged))
    let refusal = #expect(throws: Failure.self) { try train(recipe(), resume: true) }
    #expect(refusal?.remedy?.contains("--resume-from") == true)
    try train(recipe(), resumeFrom: isName ? "step-00000002" : run + "/step-00000002/")
    #expect(try bench.record(of: run).differences(from: right, tolerance: 0) == [])
    #expect(try Data(contentsOf: URL(fileURLWithPath: damaged)) == whole)
    #expect(
      try names() == [
        "step-00000001", "step-00000002", "step-00000003", "step-00000003.set-aside", "step-00000004",
        "step-00000004.set-aside",
      ])
    // Again: no name is taken twice.
    try train(recipe(), resumeFrom: "step-00000003")
    #expect(try names().contains("step-00000004.set-aside-2"))
  }

  @Test func whatIsNoCheckpointOfTheRunIsRefused() throws {
    try train(recipe())
    try train(recipe(), in: bench.scratch.path("other"))
    let before = try names()
    for (name, message) in [
      ("step-00000009", "is no checkpoint"), ("nowhere/at all", "is no checkpoint"),
      (bench.scratch.path("other/step-00000002"), "is not a checkpoint of the run in \(run)"),
    ] {
      let refusal = #expect(throws: Failure.self) { try train(recipe(), resumeFrom: name) }
      #expect(refusal?.kind == .usage && refusal?.message == message)
    }
    #expect(try names() == before)
  }

  /// The same run, begun with given parameters, written out.
  private func check(_ recipe: TrainingRecipe, initial: String, data: Workbench) throws {
    let directory = bench.scratch.path("tuned"), checkpoint = try Checkpoint(initial)
    try train(recipe, in: directory, data: data.data, initial: initial)
    let found = try data.record(of: directory)
    var tensors: [String: [Double]] = [:]
    for (name, numbers) in try bench.record(of: initial).tensors where !name.hasSuffix("_moment") {
      tensors[name] = numbers
    }
    var model = recipe.model
    model.vocabularySize = Workbench.vocabularySize
    let drawn = try Transformer(
      model, device: device, batch: (1, model.context), training: false, seed: recipe.train.seed)
    var start: [String: [Double]] = [:]
    for tensor in drawn.parameters + drawn.buffers {
      start[tensor.name] = tensors[tensor.name] ?? device.download(tensor.value).map(Double.init)
    }
    var right = try data.plainRun(recipe, from: PlainModel(configuration: model, tensors: start))
    right.checkpoints.removeAll { $0 == "step-00000000" }
    #expect(found.differences(from: right, tolerance: 1e-3) == [])
    #expect(try Checkpoint(directory).state.initializedFrom == checkpoint.directory)
    // A resumed run remembers, and needs the first run no more.
    var longer = recipe
    longer.train.steps += 1
    try train(longer, in: directory, data: data.data, resume: true)
    #expect(try Checkpoint(directory).state.initializedFrom == checkpoint.directory)
  }

  @Test func aRunBeginsWithTheParametersOfAnother() throws {
    try train(recipe())
    var tuned = recipe()
    (tuned.model.dropout, tuned.train.lr, tuned.train.batch, tuned.train.seed) = (0.2, 0.003, 2, 8)
    (tuned.train.schedule, tuned.train.warmup, tuned.train.packing) = (.linear, 1, .stream)
    try check(tuned, initial: run, data: Workbench(seed: 4))
  }

  /// A dense model gets a memory in place of a feed-forward layer.
  @Test(arguments: [[2], [1, 3]]) func aMemoryMayBeAdded(layers: [Int]) throws {
    var dense = recipe()
    dense.model.memory = nil
    try train(dense)
    var tuned = recipe()
    tuned.model.memory?.layers = layers
    try check(tuned, initial: run, data: Workbench(seed: 4))
  }

  @Test func oneMoreMemoryMayBeAdded() throws {
    try train(recipe())
    var tuned = recipe()
    tuned.model.memory?.layers = [1, 2, 3]
    try check(tuned, initial: run, data: Workbench(seed: 4))
  }

  @Test func otherShapesAndTokenizersAreRefused() throws {
    try train(recipe())
    let changes: [(String, (inout ModelConfiguration) -> Void)] = [
      ("model.layers is 3 there, 4 in the recipe", { $0.layers = 4 }),
      ("model.norm is post there, pre in the recipe", { $0.norm = .pre }),
      ("model.context is 5 there, 6 in the recipe", { $0.context = 6 }),
      ("model.memory.subkeys is 4 there, 5 in the recipe", { $0.memory?.subkeys = 5 }),
      ("model.memory.layers is 1, 3 there, 1, 2 in the recipe", { $0.memory?.layers = [1, 2] }),
      ("model.memory.values is fp32 there, bf16 in the recipe", { $0.memory?.values = .bf16 }),
      ("model.memory.layers is 1, 3 there, not set in the recipe", { $0.memory = nil }),
    ]
    let directory = bench.scratch.path("new/tuned")
    for (message, change) in changes {
      var tuned = recipe()
      change(&tuned.model)
      let refusal = #expect(throws: Failure.self) { try train(tuned, in: directory, initial: run) }
      #expect(
        refusal?.kind == .usage && refusal?.message.contains(message) == true,
        "\(String(describing: refusal))")
      // Nothing is left behind, not even the directory above.
      #expect(!Path.exists(bench.scratch.path("new")))
    }
    let other = bench.scratch.path("other")
    try writeDataset(
      other, train: [TestDocument(tokens: Array(repeating: 3, count: 40))], valid: [], vocabulary: 12)
    let refusal = #expect(throws: Failure.self) {
      try train(recipe(), in: directory, data: other, initial: run)
    }
    #expect(refusal?.message == "was encoded with a tokenizer other than the model's")
    #expect(!Path.exists(bench.scratch.path("new")))
  }

  /// Refused after the directory was locked: it goes again if it was made, and stays as it was if it was there.
  @Test func aRefusedRunLeavesNothing() throws {
    let directory = bench.scratch.path("a/b/run")
    try train(recipe())
    var wrong = recipe()
    wrong.model.layers = 4
    let refusal = #expect(throws: Failure.self) { try train(wrong, in: directory, initial: run) }
    #expect(refusal != nil && !Path.exists(bench.scratch.path("a")))
    try SystemCall.makeDirectories(directory)
    #expect(throws: Failure.self) { try train(wrong, in: directory, initial: run) }
    #expect(Path.isDirectory(directory))
  }

  @Test func aVocabularySizeThatTheDataDoNotHaveIsRefused() throws {
    var recipe = recipe()
    recipe.model.vocabularySize = 99
    let refusal = #expect(throws: Failure.self) { try train(recipe) }
    #expect(refusal?.message == "model.vocabulary_size is 99, but the tokenizer of the dataset has 11 tokens")
    recipe.model.vocabularySize = Workbench.vocabularySize
    try train(recipe)
  }
}
