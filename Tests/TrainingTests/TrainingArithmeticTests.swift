import Foundation
import Model
import Support
import Testing
import Training

/// Whole runs beside the same runs written out in plain arithmetic: losses, rates, norms, every parameter, running
/// statistic and moment, and the evaluations.
@Suite(.timeLimit(.minutes(60))) struct TrainingArithmeticTests {
  static let pool = WorkerPool(threads: 2)

  /// No two numbers are alike, and none is a default, so that one in place of another is seen.
  static func recipe() -> TrainingRecipe {
    var model = ModelConfiguration(), memory = ModelConfiguration.Memory(), train = TrainingConfiguration()
    (model.layers, model.dim, model.heads, model.context) = (3, 6, 2, 5)
    // Two memories around a block without one.
    (memory.layers, memory.subkeys, memory.heads, memory.topk, memory.queryDim) = ([1, 3], 4, 2, 3, 4)
    model.memory = memory
    (train.batch, train.microBatch, train.steps, train.packing) = (4, 2, 4, .document)
    (train.lr, train.valueLR, train.betas, train.eps) = (0.013, 0.0071, [0.83, 0.957], 3e-3)
    (train.warmup, train.clip, train.labelSmoothing, train.seed) = (2, 0.3, 0.17, 5)
    (train.evalEvery, train.evalTokens, train.checkpointEvery, train.logEvery) = (2, 7, 3, 1)
    return TrainingRecipe(model: model, train: train)
  }

  static let recipes: [TrainingRecipe] = {
    var preNorm = recipe()
    (preNorm.model.norm, preNorm.model.dropout) = (.pre, 0.2)
    preNorm.model.memory?.layers = [2]
    preNorm.model.memory?.batchNorm = false
    (preNorm.train.schedule, preNorm.train.clip, preNorm.train.recompute) = (.cosine, 0, true)
    (preNorm.train.warmup, preNorm.train.steps, preNorm.train.microBatch) = (3, 5, nil)
    (preNorm.train.packing, preNorm.train.logEvery) = (.stream, 2)
    var dense = recipe()
    (dense.model.memory, dense.model.dropout, dense.train.labelSmoothing) = (nil, 0.3, 0)
    (dense.train.schedule, dense.train.clip, dense.train.microBatch) = (.constant, 100, 1)
    return [recipe(), preNorm, dense]
  }()

  @Test(arguments: 0..<3) func aRunIsWhatTheFormulasSay(_ index: Int) throws {
    let recipe = Self.recipes[index], bench = try Workbench()
    let start = PlainModel(recipe.model, seed: 11)
    let right = try bench.plainRun(recipe, from: start)
    let cpu = try bench.run(recipe, from: start, on: CPUOperations<Float>(pool: Self.pool))
    #expect(cpu.differences(from: right, tolerance: 2e-4) == [])
    let reference = try bench.run(recipe, from: start, on: ReferenceOperations<Float>())
    #expect(reference.differences(from: right, tolerance: 2e-4) == [])
  }
}
