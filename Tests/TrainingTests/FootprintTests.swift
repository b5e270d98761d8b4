import Model
import Support
import Testing

@testable import Training

@Suite(.timeLimit(.minutes(60))) struct FootprintTests {
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

  /// Each part by its definition, for blocks with and without a memory.
  @Test(arguments: [false, true]) func everyPartIsCounted(isLarge: Bool) throws {
    var model = ModelConfiguration(), memory = ModelConfiguration.Memory(), train = TrainingConfiguration()
    (model.layers, model.dim, model.heads, model.context, model.vocabularySize) = (4, 8, 2, 4, 10)
    (memory.layers, memory.subkeys, memory.heads, memory.topk, memory.queryDim) = ([2, 4], 3, 2, 2, 4)
    memory.values = isLarge ? .fp32 : .bf16
    model.memory = memory
    (train.batch, train.microBatch, train.recompute) = (6, isLarge ? 2 : nil, isLarge)
    let recipe = TrainingRecipe(model: model, train: train)
    let device = try Engine(precision: .fp32, threads: 1).device
    let parts = try Dictionary(
      uniqueKeysWithValues: Footprint(recipe, on: device).parts.map { ($0.name, $0.bytes) })

    let d = 8, embedding = 10 * d + 4 * d + 2 * d, attention = 3 * d * (d + 1) + d * (d + 1) + 2 * d
    let feedForward = 4 * d * (d + 1) + d * (4 * d + 1) + 2 * d
    let queries = 2 * 4, lookup = queries * (d + 1) + 2 * queries + 2 * 2 * 3 * 2 + 2 * d
    let dense = embedding + 2 * (attention + feedForward) + 2 * (attention + lookup) + 10, values = 2 * 9 * d
    #expect(parts["parameters, dense"] == 4 * dense && parts["gradients, dense"] == 4 * dense)
    #expect(parts["moments of Adam, dense"] == 8 * dense && parts["moments of Adam, values"] == 8 * values)
    #expect(parts["parameters, values of memories"] == (isLarge ? 4 : 2) * values)
    #expect(parts["copies in bfloat16"] == nil)

    // Every buffer is a whole number of cache lines. 24 tokens read 4 slots each.
    func lines(_ bytes: Int) -> Int { (bytes + 63) / 64 * 64 }
    let tokens = 24, reads = tokens * 4, touched = 9
    let gradient =
      3 * lines(4 * reads) + lines(4 * tokens * d) + 2 * lines(4 * touched) + lines(4 * (touched + 1))
    #expect(parts["gradients of values, as reads"] == 2 * gradient)
    func activations(_ device: some Operations<Float>, recomputes: Bool) throws -> Int {
      func bytes<Device: Operations<Float>>(_ device: Device) throws -> Int {
        try Transformer<Device>.activationBytes(
          model, batch: (isLarge ? 2 : 6, 4), microBatches: isLarge ? 3 : 1, recomputes: recomputes,
          isBF16: false)
      }
      return try bytes(device)
    }
    let right = try activations(device, recomputes: isLarge)
    #expect(parts["activations and scratch of \(isLarge ? 8 : 24) tokens"] == right - 2 * gradient)
    #expect(try (right != activations(device, recomputes: false)) == isLarge)
  }
}
