import Foundation
import Model
import Shards
import Testing

@testable import Training

@Suite(.timeLimit(.minutes(60))) struct RateRangeTests {
  /// Beside the same steps written out, each with a rate of its own.
  @Test func theRatesGrowByTheSameFactor() throws {
    let bench = try Workbench(), recipe = TrainingArithmeticTests.recipe()
    let device = try CPUOperations<Float>(pool: TrainingArithmeticTests.pool), steps = 5
    let range = try RateRange.measure(
      recipe, dataset: Dataset(bench.data), split: "train", rates: 0.001...0.016, steps: steps, on: device)
    #expect(!range.hasDiverged && range.points.count == steps)
    var model = recipe.model
    model.vocabularySize = Workbench.vocabularySize
    let drawn = try Transformer(
      model, device: device, batch: (1, model.context), training: false, seed: recipe.train.seed)
    var start: [String: [Double]] = [:]
    for tensor in drawn.parameters + drawn.buffers {
      start[tensor.name] = device.download(tensor.value).map(Double.init)
    }
    var train = recipe.train
    (train.schedule, train.warmup) = (.constant, 0)
    var plain = PlainTraining(PlainModel(configuration: model, tensors: start), train)
    var loader = try BatchLoader(
      dataset: Dataset(bench.data), split: "train", packing: .document, sequenceLength: model.context,
      batch: train.batch, seed: train.seed)
    var inputs = [Int32](repeating: 0, count: train.batch * model.context), targets = inputs
    for (index, rate) in [0.001, 0.002, 0.004, 0.008, 0.016].enumerated() {
      try inputs.withUnsafeMutableBufferPointer { inputs in
        try targets.withUnsafeMutableBufferPointer { try loader.next(into: inputs, targets: $0) }
      }
      plain.train.lr = rate
      let right = plain.step(inputs: inputs, targets: targets).loss
      #expect(abs(range.points[index].rate / rate - 1) < 1e-9)
      #expect(abs(range.points[index].loss / right - 1) < 2e-4)
    }
  }

  @Test func aTestEndsWhereTheLossDiverges() throws {
    let bench = try Workbench(), device = try CPUOperations<Float>(pool: TrainingArithmeticTests.pool)
    let range = try RateRange.measure(
      TrainingArithmeticTests.recipe(), dataset: Dataset(bench.data), split: "train", rates: 1e-3...1e20,
      steps: 40, on: device)
    #expect(range.hasDiverged && range.points.count < 20)
    let best = zip(range.points, range.means).min { $0.1 < $1.1 }
    #expect(range.suggestion == best.map { $0.0.rate / 10 })
  }

  /// (0.9 · 2 + 4) / 1.9, then (0.9 · (0.9 · 2 + 4) + 1) / 2.71.
  @Test func meansFallByTheSameFactor() {
    var range = RateRange()
    range.points = [.init(rate: 1, loss: 2), .init(rate: 2, loss: 4), .init(rate: 4, loss: 1)]
    #expect(zip(range.means, [2, 5.8 / 1.9, 6.22 / 2.71]).allSatisfy { abs($0 - $1) < 1e-12 })
    #expect(range.suggestion == 0.1)
  }
}
