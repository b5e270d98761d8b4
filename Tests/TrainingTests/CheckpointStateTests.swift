import Foundation
import Model
import Support
import Testing
import Training

@Suite(.timeLimit(.minutes(60))) struct CheckpointStateTests {
  private let bench: Workbench
  private let run: String

  init() throws {
    bench = try Workbench()
    run = bench.scratch.path("run")
  }

  private func train(_ recipe: TrainingRecipe, resume: Bool) throws {
    try bench.trainer(
      recipe, in: run, resume: resume, on: CPUOperations<Float>(pool: TrainingArithmeticTests.pool))
  }

  /// A number that no run writes is one that sums and products could not bear.
  @Test func numbersOutOfRangeAreNamed() throws {
    try train(TrainingArithmeticTests.recipe(), resume: false)
    let file = try Checkpoint(run).directory + "/trainer.json"
    let original = try Data(contentsOf: URL(fileURLWithPath: file))
    func refusal(_ keys: [String], _ number: Int) throws -> Failure? {
      var object = try #require(JSONSerialization.jsonObject(with: original) as? [String: Any])
      if keys.count == 1 {
        object[keys[0]] = number
      } else {
        var members = try #require(object[keys[0]] as? [String: Any])
        members[keys[1]] = number
        object[keys[0]] = members
      }
      try JSONSerialization.data(withJSONObject: object).write(to: URL(fileURLWithPath: file))
      do { _ = try Checkpoint(run) } catch { return error as? Failure }
      return nil
    }
    for keys in [["step"], ["tokens"], ["cursor", "epoch"], ["cursor", "window"]] {
      for number in [0, 1 << 53] { #expect(try refusal(keys, number) == nil) }
      for number in [-1, 1 << 53 + 1] {
        let failure = try refusal(keys, number)
        #expect(failure?.kind == .badInput && failure?.file == file)
        #expect(failure?.message.hasPrefix("\(keys.joined(separator: ".")) is \(number)") == true)
      }
    }
  }

  /// From the resumed step on, the schedule is that of the new number of steps.
  @Test(arguments: LearningRateSchedule.Shape.allCases) func aRunMayGoOn(
    schedule: LearningRateSchedule.Shape
  ) throws {
    var recipe = TrainingArithmeticTests.recipe()
    recipe.train.schedule = schedule
    try train(recipe, resume: false)
    recipe.train.steps = 6
    try train(recipe, resume: true)
    #expect(try Checkpoint(run).state.step == 6)
    let rates = try bench.record(of: run).lines.compactMap { $0.numbers["learning_rate"] }
    for (index, rate) in rates.enumerated() {
      var right = recipe.train
      if index < 4 { right.steps = 4 }
      #expect(abs(rate / PlainTraining.rate(right, update: index + 1) - 1) < 1e-9)
    }
    #expect(rates.count == 6)
  }

  @Test func fewerStepsThanDoneAreRefused() throws {
    var recipe = TrainingArithmeticTests.recipe()
    try train(recipe, resume: false)
    recipe.train.steps = 3
    let refusal = #expect(throws: Failure.self) { try train(recipe, resume: true) }
    #expect(refusal?.kind == .usage && refusal?.message == "train.steps is 3, but the run has done 4 steps")
  }

  /// Stopped at any step and resumed: the lines that the whole run has, and its bytes.
  @Test(arguments: 1..<4) func aResumedRunIsTheWholeRun(stop: Int) throws {
    var recipe = TrainingArithmeticTests.recipe()
    recipe.model.dropout = 0.2
    let whole = bench.scratch.path("whole"),
      device = try CPUOperations<Float>(pool: TrainingArithmeticTests.pool)
    try bench.trainer(recipe, in: whole, resume: false, on: device)
    recipe.train.steps = stop
    // The last step of a run is evaluated whole, which the whole run does not do there.
    recipe.train.evalEvery = 0
    try train(recipe, resume: false)
    recipe.train.steps = 4
    try train(recipe, resume: true)
    let (right, found) = try (bench.record(of: whole), bench.record(of: run))
    #expect(found.tensors == right.tensors)
    #expect(found.lines.filter { $0.split == nil } == right.lines.filter { $0.split == nil })
    #expect(found.lines.filter { $0.split != nil }.map(\.step) == [0, stop, 4])
    let (a, b) = try (Checkpoint(whole).state, Checkpoint(run).state)
    #expect(a.tokens == b.tokens && a.cursor == b.cursor && a.step == b.step)
    // A finished run has nothing left to do, not even an evaluation.
    try train(recipe, resume: true)
    #expect(try bench.record(of: run).lines == found.lines)
  }

  /// Written while training goes on: every file of every checkpoint has the same bytes.
  @Test(arguments: [EngineSettings.Precision.fp32, .bf16]) func checkpointsInTheBackgroundAreTheSame(
    values: EngineSettings.Precision
  ) throws {
    var recipe = TrainingArithmeticTests.recipe()
    (recipe.train.steps, recipe.train.checkpointEvery, recipe.train.keepCheckpoints) = (9, 1, 99)
    recipe.model.memory?.values = values
    try train(recipe, resume: false)
    recipe.train.backgroundCheckpoints = true
    let other = bench.scratch.path("other")
    try bench.trainer(
      recipe, in: other, resume: false, on: CPUOperations<Float>(pool: TrainingArithmeticTests.pool))
    for step in 1...9 {
      for file in ["model.safetensors", "optimizer.safetensors", "tokenizer.json"] {
        let name = "/step-0000000\(step)/" + file
        #expect(try MappedFile.read(run + name) == MappedFile.read(other + name), "\(name)")
      }
    }
    // A failure in the background is one of the run.
    recipe.train.steps = 12
    recipe.train.backgroundCheckpoints = true
    try SystemCall.makeDirectories(run + "/step-00000011")
    try Data([1]).write(to: URL(fileURLWithPath: run + "/step-00000011/x"))
    let failure = #expect(throws: Failure.self) { try train(recipe, resume: true) }
    #expect(failure?.message == "exists already" && failure?.file?.hasSuffix("step-00000011") == true)
  }

  /// The averages are in the checkpoint, are those of the whole run after a stop, and can be taken in place of the parameters.
  @Test func averagesGoOnAndCanBeUsed() throws {
    var recipe = TrainingArithmeticTests.recipe()
    recipe.train.ema = 0.7
    let whole = bench.scratch.path("whole"),
      device = try CPUOperations<Float>(pool: TrainingArithmeticTests.pool)
    try bench.trainer(recipe, in: whole, resume: false, on: device)
    recipe.train.steps = 2
    try train(recipe, resume: false)
    recipe.train.steps = 4
    try train(recipe, resume: true)
    let (right, found) = try (bench.record(of: whole), bench.record(of: run))
    #expect(found.tensors == right.tensors)
    let checkpoint = try Checkpoint(run)
    let model = try checkpoint.makeModel(on: device, maximumSequences: 1)
    try checkpoint.restore(model, averaged: true)
    for parameter in model.parameters {
      let numbers = device.download(parameter.value).map(Double.init)
      #expect(numbers == right.tensors[parameter.name + ".average"])
      #expect(numbers != right.tensors[parameter.name])
    }
    for buffer in model.buffers {
      #expect(device.download(buffer.value).map(Double.init) == right.tensors[buffer.name])
    }
    recipe.train.ema = 0
    let other = bench.scratch.path("other")
    try bench.trainer(recipe, in: other, resume: false, on: device)
    let refusal = #expect(throws: Failure.self) { try Checkpoint(other).restore(model, averaged: true) }
    #expect(refusal?.message == "holds no averages of the parameters")
  }
}
