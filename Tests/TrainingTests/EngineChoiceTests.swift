import Foundation
import Model
import Support
import TestSupport
import Testing

@testable import Training

/// Which kernels a run gets: flags, the run's own choice, what was remembered, what is measured, in this order.
@Suite(.timeLimit(.minutes(60))) struct EngineChoiceTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  /// A model whose matmuls are worth a measurement, and one whose are not.
  private func recipe(dim: Int = 512) -> TrainingRecipe {
    var recipe = Laboratory.recipe()
    recipe.model.dim = dim
    recipe.model.context = 128
    recipe.train.batch = 4
    return recipe
  }

  private func choose(
    _ recipe: TrainingRecipe, _ wish: EngineChoice.Wish = .init(), stored: EngineChoice? = nil,
    measures: Bool = true, cache: String? = nil
  ) throws -> (choice: EngineChoice, said: [String], warned: [String]) {
    var said: [String] = [], warned: [String] = []
    let result = try Engine.forTraining(
      recipe, wish, stored: stored, measures: measures, threads: 2, cache: cache, say: { said.append($0) },
      warn: { warned.append($0) })
    #expect(result.choice.matmul == result.engine.device.description)
    return (result.choice, said, warned)
  }

  @Test func aSmallModelIsNotMeasured() throws {
    let (choice, said, _) = try choose(recipe(dim: 32))
    #expect(said.isEmpty && choice.blas == nil && choice.kernels == .best)
    #expect(choice.processor == EngineSettings.processorName)
  }

  @Test func aMeasurementIsSaidAndRemembered() throws {
    let cache = scratch.path("cache/pkm/matmul.json"), recipe = recipe()
    try #require(MatmulTrial.candidates(.fp32).count > 1)
    let first = try choose(recipe, cache: cache)
    #expect(first.said.count == 1 && first.said[0].hasPrefix("matmul speeds of one thread: "))
    #expect(first.said[0].contains("; chosen: "))
    let second = try choose(recipe, cache: cache)
    #expect(second.said.isEmpty && second.choice == first.choice)
    // Another answer in the cache is believed: it is the same for every run.
    var text = try String(contentsOfFile: cache, encoding: .utf8)
    let other = text.contains("\"answer\" : 0") ? 1 : 0
    text.replace(/"answer" : \d/, with: "\"answer\" : \(other)")
    try text.write(toFile: cache, atomically: true, encoding: .utf8)
    #expect(try choose(recipe, cache: cache).choice != first.choice)
    // Another model asks again, and so does a damaged cache.
    var wider = recipe
    wider.model.dim = 768
    #expect(try choose(wider, cache: cache).said.count == 1)
    try "[{".write(toFile: cache, atomically: true, encoding: .utf8)
    #expect(try choose(recipe, cache: cache).said.count == 1)
  }

  @Test func aCacheThatCannotBeWrittenIsNone() throws {
    try "".write(toFile: scratch.path("file"), atomically: true, encoding: .utf8)
    #expect(try choose(recipe(), cache: scratch.path("file/matmul.json")).said.count <= 1)
  }

  @Test func flagsDecide() throws {
    let (choice, said, warned) = try choose(recipe(), .init(kernels: .plain, blas: .generic))
    #expect(said.isEmpty && warned.isEmpty && choice.kernels == .plain && choice.blas == .generic)
    #expect(choice.matmul.hasPrefix("our own GEMM"))
  }

  @Test func aResumedRunKeepsItsChoice() throws {
    let stored = try choose(recipe(), .init(kernels: .plain, blas: .generic)).choice
    let again = try choose(recipe(), stored: stored)
    #expect(again.choice == stored && again.said.isEmpty && again.warned.isEmpty)
  }

  /// A run that began before choices were kept takes what it took then.
  @Test func anOlderRunIsNotMeasured() throws {
    let found = try choose(recipe(), measures: false)
    #expect(found.said.isEmpty && found.warned.isEmpty && found.choice.blas == nil)
  }

  /// Another processor, other libraries or other flags: the run goes on, and the user knows.
  @Test func otherBitsAreAnnounced() throws {
    let stored = try choose(recipe(), .init(kernels: .plain, blas: .generic)).choice
    var elsewhere = stored
    elsewhere.processor = "Another 9000"
    let moved = try choose(recipe(), stored: elsewhere)
    #expect(moved.warned.count == 1 && moved.warned[0].contains("another processor (Another 9000, now "))
    #expect(moved.choice == stored)
    var older = stored
    older.matmul = "oneDNN 1.0, float32"
    let updated = try choose(recipe(), stored: older)
    #expect(updated.warned.count == 1 && updated.warned[0].contains("oneDNN 1.0"))
    #expect(updated.warned[0].hasSuffix("so results will differ in their last bits"))
    let flags = try choose(recipe(), .init(kernels: .avx2), stored: stored)
    #expect(flags.warned.count == 1 && flags.choice.kernels == .avx2 && flags.choice.blas == nil)
  }

  @Test func checkpointsHoldTheChoice() throws {
    let laboratory = try Laboratory()
    var recipe = Laboratory.recipe()
    recipe.train.steps = 2
    let (engine, choice) = try Engine.forTraining(
      recipe, .init(kernels: .plain, blas: .generic), stored: nil, threads: 1, cache: nil, say: { _ in },
      warn: { _ in })
    func train(on device: some Operations<Float>) throws {
      _ = try Trainer(
        recipe: recipe, dataset: laboratory.data, split: "train", evaluationSplit: nil,
        directory: laboratory.run("run"), resume: false, on: device, engine: choice, isQuiet: true
      ).run()
    }
    try train(on: engine.device)
    #expect(try Checkpoint(laboratory.run("run")).state.engine == choice)
  }

  @Test func theCacheLiesWhereTheSpecificationSays() throws {
    let path = try #require(EngineCache.path)
    #expect(path.hasPrefix("/") && path.hasSuffix("/pkm/matmul.json"))
  }
}
