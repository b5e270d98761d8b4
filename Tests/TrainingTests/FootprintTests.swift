import Model
import Support
import Testing

@testable import Training

@Suite struct FootprintTests {
  @Test func memoryThatMayNotBeReadIsOnlyWarnedOf() throws {
    var recipe = TrainingRecipe(model: ModelConfiguration(), train: TrainingConfiguration())
    recipe.model.vocabularySize = 100
    recipe.model.memory = .init()
    recipe.model.memory?.layers = [2]
    recipe.model.memory?.subkeys = 64
    let footprint = try Footprint(recipe, on: Engine(precision: .fp32, threads: 1).device)
    let growing = footprint.parts.filter(\.growsWithReads).reduce(0) { $0 + $1.bytes }
    #expect(growing == 8 * 64 * 64 * recipe.model.dim)
    try footprint.check(against: footprint.bytes)
    try footprint.check(against: footprint.bytes - growing)
    let failure = #expect(throws: Failure.self) {
      try footprint.check(against: footprint.bytes - growing - 1)
    }
    #expect(failure?.kind == .usage)
  }
}
