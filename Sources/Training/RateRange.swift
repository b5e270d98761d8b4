import Foundation
import Model
import Shards
import Support

/// The learning-rate range test (Smith, 2017, section 3.3): a short training from the start, in which the rate of the dense
/// parameters grows from step to step by the same factor.
package struct RateRange {
  package struct Point: Sendable {
    package let rate: Double
    /// The mean smoothed loss of the step's tokens, before its update.
    package let loss: Double
  }

  package internal(set) var points: [Point] = []
  /// Whether the test ended early, because the loss was no number or more than twice the first.
  package private(set) var hasDiverged = false

  /// Runs the steps; everything but rate, schedule and length is that of the recipe.
  package static func measure(
    _ given: TrainingRecipe, dataset: Dataset, split: String, rates: ClosedRange<Double>, steps: Int,
    on device: some Operations<Float>, isQuiet: Bool = true
  ) throws -> RateRange {
    var recipe = given
    recipe.model.vocabularySize = dataset.index.vocabularySize
    (recipe.train.schedule, recipe.train.warmup) = (.constant, 0)
    try recipe.validate()
    try Footprint(recipe, on: device).check(against: MemoryLimit.bytes)
    let train = recipe.train, length = recipe.model.context
    let model = try Transformer(
      recipe.model, device: device, batch: (train.sequencesAtOnce, length), training: true,
      microBatches: train.batch / train.sequencesAtOnce, recomputes: train.recompute, seed: train.seed)
    let optimizer = try Optimizer(model)
    var loader = try BatchLoader(
      dataset: dataset, split: split, packing: train.packing ?? dataset.index.packing ?? .stream,
      sequenceLength: length, batch: train.batch, seed: train.seed)
    var inputs = [Int32](repeating: 0, count: train.batch * length), targets = inputs
    var range = RateRange()
    let progress = Progress("testing rates", unit: " steps", isQuiet: isQuiet)
    for index in 0..<steps {
      try Interruption.check()
      let share = steps > 1 ? Double(index) / Double(steps - 1) : 0
      recipe.train.lr = rates.lowerBound * pow(rates.upperBound / rates.lowerBound, share)
      try inputs.withUnsafeMutableBufferPointer { inputs in
        try targets.withUnsafeMutableBufferPointer { try loader.next(into: inputs, targets: $0) }
      }
      let step = TrainingStep(model, optimizer, recipe.train)
      let result = inputs.withUnsafeBufferPointer { inputs in
        targets.withUnsafeBufferPointer {
          step.run(inputs: inputs, targets: $0) { $0.isFinite && $1.isFinite }
        }
      }
      let loss = result.loss.smoothed / Double(result.loss.count)
      if !result.isSkipped { range.points.append(Point(rate: recipe.train.lr, loss: loss)) }
      range.hasDiverged = result.isSkipped || loss > 2 * (range.points.first?.loss ?? .infinity)
      progress.update(done: index + 1, of: steps)
      if range.hasDiverged { break }
    }
    progress.finish()
    return range
  }

  /// The losses as exponential means, each the mean of the losses so far with weights that fall by 0.9 a step.
  package var means: [Double] {
    var (sum, weight) = (0.0, 0.0)
    return points.map {
      (sum, weight) = (0.9 * sum + $0.loss, 0.9 * weight + 1)
      return sum / weight
    }
  }

  /// A tenth of the rate with the least mean loss; nil if no step was a number.
  package var suggestion: Double? {
    zip(points, means).min { $0.1 < $1.1 }.map { $0.0.rate / 10 }
  }
}
