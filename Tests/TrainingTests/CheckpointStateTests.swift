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

  /// A cosine depends on the last step, the other schedules do not.
  @Test(arguments: LearningRateSchedule.Shape.allCases) func aRunMayGoOnUnlessItsScheduleEnds(
    schedule: LearningRateSchedule.Shape
  ) throws {
    var recipe = TrainingArithmeticTests.recipe()
    recipe.train.schedule = schedule
    try train(recipe, resume: false)
    recipe.train.steps = 6
    if schedule == .cosine {
      let refusal = #expect(throws: Failure.self) { try train(recipe, resume: true) }
      #expect(refusal?.message.hasSuffix(": train.steps was 4, is 6") == true)
    } else {
      try train(recipe, resume: true)
      #expect(try Checkpoint(run).state.step == 6)
    }
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
}
