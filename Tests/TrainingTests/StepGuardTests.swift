import Foundation
import Model
import Support
import TestSupport
import Testing

@testable import Training

@Suite(.timeLimit(.minutes(60))) struct StepGuardTests {
  private let laboratory: Laboratory

  init() throws { laboratory = try Laboratory() }

  private func recipe() -> TrainingRecipe {
    var recipe = Laboratory.recipe()
    (recipe.train.warmup, recipe.train.clip, recipe.train.evalEvery) = (0, 0, 0)
    recipe.train.checkpointEvery = 1
    return recipe
  }

  @Test(arguments: [0, 3, 5]) func aRunThatDivergesStopsAfterSoManySteps(limit: Int) throws {
    var recipe = recipe()
    (recipe.train.lr, recipe.train.maxSkips) = (1e30, limit)
    let thrown = #expect(throws: Failure.self) { try laboratory.train(recipe, into: "run") }
    let failure = try #require(thrown)
    let skipped = limit == 0 ? "that step was skipped" : "the last \(limit + 1) steps were skipped"
    #expect(failure.message.contains(skipped), "\(failure)")
    #expect(failure.message.contains("the first tensor that is not finite is "), "\(failure)")
    #expect(failure.remedy?.hasPrefix("Lower train.lr,") == true, "\(failure)")
    // The last checkpoint is the one before the first step that was skipped.
    let checkpoint = try Checkpoint(laboratory.run("run"))
    #expect(checkpoint.state.stepGuard == nil)
    #expect(failure.message.contains("the last good checkpoint is \(Path.name(of: checkpoint.directory))"))
    #expect(failure.message.contains("at step \(checkpoint.state.step + limit + 1),"), "\(failure)")
  }

  /// The rate that has moved the largest number is the one to lower, whatever tensor is not finite first.
  @Test func theRateThatDivergedIsNamed() throws {
    let device = try CPUOperations<Float>(pool: WorkerPool(threads: 2))
    var recipe = recipe()
    recipe.model.vocabularySize = Laboratory.vocabularySize
    let model = try Transformer(recipe.model, device: device, batch: (1, 16), training: true, seed: 1)
    let run = laboratory.run("run")
    try SystemCall.makeDirectories(run)
    let state = try JSONDecoder().decode(
      Checkpoint.State.self,
      from: Data(
        """
        {"step": 1, "tokens": 0, "seed": 1, "cursor": {"epoch": 0, "window": 0}, "split": "train",
         "dataset": "", "dataset_path": "", "code_version": ""}
        """.utf8))
    for (name, rate) in [("blocks.1.memory.values", "value_lr"), ("blocks.0.attention.input.weight", "lr")] {
      let parameter = try #require(model.parameters.first { $0.name == name })
      let good = device.download(parameter.value)
      var bad = good
      bad[7] = -1e25
      bad.withUnsafeBytes { device.upload($0, to: parameter.value.address) }
      #expect(Diagnosis(model).rate == rate && Diagnosis(model).largest.name == name)
      #expect(Diagnosis(model).largest.size == 1e25 && Diagnosis(model).notFinite == nil)
      let failure = [Float.infinity].withUnsafeBufferPointer { numbers in
        #expect(throws: Failure.self) {
          try Checkpoint.write(
            run: run, model: Checkpoint.tensors(of: model),
            optimizer: [.init("output.bias.second_moment", shape: [1], numbers)], recipe: recipe,
            state: state, tokenizerJSON: [], keep: 1)
        }
      }
      #expect(failure?.message.hasPrefix("the tensor output.bias.second_moment holds") == true)
      #expect(failure?.remedy?.hasPrefix("Lower train.\(rate),") == true)
      bad[8] = .nan
      bad.withUnsafeBytes { device.upload($0, to: parameter.value.address) }
      #expect(Diagnosis(model).notFinite == name && Diagnosis(model).largest.size == .infinity)
      good.withUnsafeBytes { device.upload($0, to: parameter.value.address) }
    }
    #expect(try Checkpoint.all(in: run).isEmpty)
  }

  /// With spikes that are skipped, stopped anywhere: the same bytes.
  @Test func aResumedRunRemembersTheMean() throws {
    var recipe = recipe()
    recipe.train.spike = 1
    recipe.train.maxSkips = 100
    recipe.train.lr = 3e-2
    try laboratory.train(recipe, into: "whole")
    let state = try #require(try Checkpoint(laboratory.run("whole")).state.stepGuard)
    #expect(state.skipped > 0 && state.skipped < 11 && state.normMean != nil)
    let logged = try laboratory.metrics("whole").compactMap { $0["skipped_steps"] as? Int }
    #expect(logged.last == state.skipped)
    for stop in [2, 7] {
      recipe.train.steps = stop
      try laboratory.train(recipe, into: "stopped-\(stop)")
      recipe.train.steps = 12
      try laboratory.train(recipe, into: "stopped-\(stop)", resume: true)
      #expect(try laboratory.bytes("stopped-\(stop)") == laboratory.bytes("whole"))
    }
    recipe.train.maxSkips = 0
    let failure = #expect(throws: Failure.self) { try laboratory.train(recipe, into: "none") }
    #expect(failure?.message.hasPrefix("the gradient is more than train.spike times its mean") == true)
    #expect(failure?.remedy?.hasPrefix("Raise train.spike or train.max_skips") == true)
  }
}
