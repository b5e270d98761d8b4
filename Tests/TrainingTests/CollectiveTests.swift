import Model
import Support
import Testing
import Training

@Suite(.timeLimit(.minutes(60))) struct CollectiveTests {
  /// One of two ranks that exchanges nothing but the number of scored tokens.
  struct Rank: Collective {
    let rank: Int
    let scored: Int

    var rankCount: Int { 2 }
    func sum(_ count: Int) -> Int { scored }
    func sum(_ gradients: Vector<Float>, on device: some Operations<Float>) {}
    func gather(_ gradient: ValueGradient<Float>, on device: some Operations<Float>) {}
    func agree(_ isTrue: Bool) -> Bool { isTrue }
  }

  /// The gradients of two ranks add up to those of one process over the same micro-batches: same masks, same scale.
  @Test func ranksComputeTheirPartsOfOneBatch() throws {
    var configuration = ModelConfiguration()
    (configuration.layers, configuration.dim, configuration.heads) = (2, 24, 2)
    (configuration.context, configuration.dropout, configuration.vocabularySize) = (8, 0.3, 50)
    let pool = WorkerPool(threads: 1), length = configuration.context
    let text = (0...4 * length).map { Int32($0 * 7919 % 50) }
    // The ranks score different numbers of tokens.
    let targets = text.dropFirst().enumerated().map { $0 % 9 == 4 || $0 < 5 ? -1 : $1 }
    let scored = targets.count { $0 >= 0 }
    func gradients(_ collective: any Collective, sequences: Range<Int>) throws -> [Float] {
      var train = TrainingConfiguration()
      (train.batch, train.microBatch) = (sequences.count, 1)
      let model = try Transformer(
        configuration, device: CPUOperations<Float>(pool: pool), batch: (1, length), training: true, seed: 3)
      let step = TrainingStep(model, try Optimizer(model), train, collective: collective)
      let tokens = sequences.lowerBound * length..<sequences.upperBound * length
      text.withUnsafeBufferPointer { text in
        targets.withUnsafeBufferPointer {
          step.run(
            inputs: UnsafeBufferPointer(rebasing: text[tokens]),
            targets: UnsafeBufferPointer(rebasing: $0[tokens]))
        }
      }
      return model.device.download(try #require(model.gradients))
    }
    let whole = try gradients(SingleProcess(), sequences: 0..<4)
    let first = try gradients(Rank(rank: 0, scored: scored), sequences: 0..<2)
    let second = try gradients(Rank(rank: 1, scored: scored), sequences: 2..<4)
    let largest = whole.map(abs).max() ?? 0
    #expect(largest > 0)
    #expect(zip(whole, zip(first, second)).allSatisfy { abs($0 - ($1.0 + $1.1)) < 1e-5 * max(1, largest) })
    // Rank 0 in place of rank 1 would repeat the masks of the first half.
    let repeated = try gradients(Rank(rank: 0, scored: scored), sequences: 2..<4)
    #expect(zip(second, repeated).contains { abs($0 - $1) > 1e-3 * largest })
  }

  /// Two ranks with the same part of the batch, as one of them sees it.
  struct Twin: Collective {
    var rank: Int { 0 }
    var rankCount: Int { 2 }
    func sum(_ count: Int) -> Int { 2 * count }
    func sum(_ gradients: Vector<Float>, on device: some Operations<Float>) { device.scale(gradients, by: 2) }
    func gather(_ gradient: ValueGradient<Float>, on device: some Operations<Float>) {
      device.append(gradient.gathered, to: gradient)
    }
    func agree(_ isTrue: Bool) -> Bool { isTrue }
  }

  /// Gradients are added up and reads are gathered before the update: the mean over twice the same is the same.
  @Test func gradientsOfAllRanksReachTheUpdate() throws {
    var configuration = TrainingArithmeticTests.recipe().model
    configuration.vocabularySize = 50
    let device = try CPUOperations<Float>(pool: WorkerPool(threads: 1)), length = configuration.context
    let text = (0...2 * length).map { Int32($0 * 7919 % 50) }
    func step(_ collective: any Collective) throws -> (squaredNorm: Double, tokens: [Int]) {
      var train = TrainingConfiguration()
      train.batch = 2
      let model = try Transformer(
        configuration, device: device, batch: (2, length), training: true, microBatches: 2, seed: 3)
      let step = TrainingStep(model, try Optimizer(model), train, collective: collective)
      text.withUnsafeBufferPointer { text in
        step.run(
          inputs: UnsafeBufferPointer(rebasing: text.dropLast()),
          targets: UnsafeBufferPointer(rebasing: text.dropFirst()))
      }
      return (
        model.readStep().squaredNorm, (0..<model.memoryCount).map { model.valueGradient(ofMemory: $0).tokens }
      )
    }
    let alone = try step(SingleProcess()), together = try step(Twin())
    #expect(alone.tokens == [2 * length, 2 * length] && together.tokens == alone.tokens.map { 2 * $0 })
    #expect(alone.squaredNorm > 0 && abs(together.squaredNorm / alone.squaredNorm - 1) < 1e-5)
  }
}
