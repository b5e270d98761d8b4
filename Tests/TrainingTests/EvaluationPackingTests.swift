import Foundation
import Model
import Shards
import Support
import Testing
import Training

/// Evaluation in the layout that a model was trained in.
@Suite(.timeLimit(.minutes(60))) struct EvaluationPackingTests {
  /// The sequences of one epoch of training, without padding, each by itself.
  @Test(arguments: [1, 2, 5]) func documentPackingScoresEveryTokenAndNoPadding(_ sequences: Int) throws {
    let laboratory = try Laboratory(documentLengths: [40, 3, 9, 15, 16, 17, 1, 0, 5, 33])
    let dataset = try Dataset(laboratory.data),
      device = try CPUOperations<Float>(pool: WorkerPool(threads: 2))
    var configuration = Laboratory.recipe().model
    configuration.vocabularySize = Laboratory.vocabularySize
    let model = try Transformer(
      configuration, device: device, batch: (sequences, 16), training: false, seed: 3)
    let found = try Evaluation.run(
      model, dataset: dataset, split: "train", packing: .document, sequences: sequences)

    var loader = try BatchLoader(
      dataset: dataset, split: "train", packing: .document, sequenceLength: 16, batch: 1, seed: 1)
    var (sum, count, padding) = (0.0, 0, 0)
    let single = try Transformer(configuration, device: device, batch: (1, 16), training: false, seed: 3)
    try single.collectStatistics(true)
    for _ in 0..<loader.sequenceCount {
      var inputs = [Int32](repeating: 0, count: 16), targets = inputs
      try inputs.withUnsafeMutableBufferPointer { inputs in
        try targets.withUnsafeMutableBufferPointer { try loader.next(into: inputs, targets: $0) }
      }
      targets = targets.filter { $0 >= 0 }
      padding += 16 - targets.count
      inputs = Array(inputs[..<targets.count])
      let loss = inputs.withUnsafeBufferPointer { inputs in
        targets.withUnsafeBufferPointer {
          single.evaluate(tokens: inputs, targets: $0, sequences: 1, length: inputs.count)
        }
      }
      sum += loss.nll
      count += loss.count
    }
    let totals = try dataset.totals(of: "train")
    #expect(padding > 0 && count == totals.tokens && found.scoredTokens == count)
    #expect(abs(found.nll - sum / Double(count)) < 1e-5 * found.nll)
    #expect(abs(found.wordPerplexity / exp(sum / Double(totals.words)) - 1) < 1e-4)
    let use = try #require(single.statistics?.first?.use), memory = try #require(found.memories.first)
    #expect(memory.use.usage == use.usage && abs(memory.use.kl - use.kl) < 1e-5)
    let stream = try Evaluation.run(model, dataset: dataset, split: "train", sequences: sequences)
    #expect(stream.scoredTokens == count - 1 && stream.nll != found.nll)
  }

  @Test func aLimitEndsWithTheSequenceThatReachesIt() throws {
    let laboratory = try Laboratory(documentLengths: [40, 3, 9, 15, 16, 17, 1, 0, 5, 33])
    let dataset = try Dataset(laboratory.data),
      device = try CPUOperations<Float>(pool: WorkerPool(threads: 2))
    var configuration = Laboratory.recipe().model
    configuration.vocabularySize = Laboratory.vocabularySize
    let model = try Transformer(configuration, device: device, batch: (5, 16), training: false, seed: 3)
    // The first document has 41 tokens with its end, the second 4: sequences of 16, 16 and 9 + 4.
    for (limit, scored) in [(1, 16), (16, 16), (17, 32), (33, 45)] {
      let found = try Evaluation.run(
        model, dataset: dataset, split: "train", packing: .document, sequences: 5, tokenLimit: limit)
      #expect(found.scoredTokens == scored, "limit \(limit)")
    }
  }

  /// Training evaluates in the packing of the run.
  @Test func trainingEvaluatesInItsOwnPacking() throws {
    let laboratory = try Laboratory(documentLengths: [40, 3, 9, 15, 16, 17, 1, 0, 5, 33])
    var recipe = Laboratory.recipe()
    recipe.train.packing = .document
    recipe.train.steps = 1
    recipe.train.evalTokens = 0
    try laboratory.train(recipe, into: "run", evaluating: "train")
    let logged = try laboratory.metrics("run").filter { $0["split"] as? String == "train" }
    let checkpoint = try Checkpoint(laboratory.run("run"))
    let model = try checkpoint.makeModel(
      on: CPUOperations<Float>(pool: WorkerPool(threads: 2)), maximumSequences: 4)
    try checkpoint.restore(model)
    let nll = try Evaluation.run(
      model, dataset: .init(laboratory.data), split: "train", packing: .document, sequences: 4
    ).nll
    #expect(logged.last?["nll"] as? Double == nll)
  }
}
