import Foundation
import Testing

@testable import Model

@Suite(.timeLimit(.minutes(60))) struct MemoryStatisticsTests {
  /// Section 9, vector 5 of the reference.
  @Test(arguments: [
    ([1.0, 1, 0, 0], 0.6931471806, 0.5), ([0.7, 0.2, 0.1, 0], 0.5844758086, 0.75),
    ([0, 3, 0, 0], 1.3862943611, 0.25),
    ([2, 2, 2, 2], 0, 1), ([1e-6, 1, 0, 0], 1.3862795456, 0.5),
  ])
  func referenceVector(mass: [Double], kl: Double, usage: Double) {
    #expect(abs(MemoryUse(mass: mass).kl - kl) < 1e-9)
    #expect(MemoryUse(mass: mass).usage == usage)
    #expect(abs(MemoryUse(mass: mass.reversed()).kl - kl) < 1e-9)
  }

  /// Blocks of an inference model overwrite each other's activations; what is collected must not depend on it.
  @Test(arguments: [2, 8, 64]) func memoriesBeforeOtherBlocksAreCountedAlike(queryDim: Int) throws {
    var configuration = smallConfiguration()
    configuration.layers = 4
    configuration.memory?.layers = [1, 3]
    configuration.memory?.queryDim = queryDim
    let tokens = (0..<18).map { Int32($0 * 7 % 29) }
    let masses = try [true, false].map { training in
      let model = try Transformer(
        configuration, device: CPUOperations<Float>(pool: Pools.two), batch: (2, 9), training: training,
        seed: 2)
      try model.collectStatistics(true)
      tokens.withUnsafeBufferPointer { model.forward(tokens: $0, sequences: 2, length: 9, mode: .evaluation) }
      return try #require(model.statistics).map(\.mass)
    }
    #expect(masses[0].count == 2 && masses[0] == masses[1])
    let heads = try #require(configuration.memory?.heads)
    for mass in masses[1] { #expect(abs(mass.reduce(0, +) - Double(18 * heads)) < 1e-3) }
  }

  /// Equal tokens at one position read the same heads · topk slots, and a pass adds exactly its weight.
  @Test func constantInputUsesFewSlots() throws {
    var configuration = smallConfiguration()
    configuration.context = 1
    let model = try Transformer(
      configuration, device: CPUOperations<Float>(pool: Pools.one), batch: (8, 1), training: false, seed: 2)
    try model.collectStatistics(true)
    let tokens = [Int32](repeating: 4, count: 8)
    for _ in 0..<3 {
      tokens.withUnsafeBufferPointer { model.forward(tokens: $0, sequences: 8, length: 1, mode: .evaluation) }
    }
    let statistics = try #require(model.statistics?.first)
    let shape = try #require(configuration.memory?.shape)
    #expect(statistics.reads == 24 * shape.reads)
    #expect(abs(statistics.mass.reduce(0, +) - Double(24 * shape.heads)) < 1e-4)
    #expect(statistics.use.usage <= Double(shape.reads) / Double(shape.slots))
    #expect(statistics.use.kl >= log(Double(shape.slots) / Double(shape.reads)))
    // Training passes are not counted.
    try model.collectStatistics(true)
    tokens.withUnsafeBufferPointer {
      model.forward(tokens: $0, sequences: 8, length: 1, mode: .training(step: 0, microBatch: 0))
    }
    #expect(model.statistics?.first?.reads == 0)
  }
}
