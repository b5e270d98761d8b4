import Foundation
import Model
import Shards
import Support
import TestSupport
import Testing
import Training

/// Evaluation beside the same token by token, each predicted from a forward pass over what comes before it.
@Suite(.timeLimit(.minutes(60))) struct EvaluationArithmeticTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var context: Int
    var sequences = 2
    var limit: Int?
    var norm = ModelConfiguration.Norm.post
    var packing: Packing?
    /// As the recipe lists them.
    var layers = [1, 3]

    var testDescription: String { "\(self)" }
  }

  /// Of a stream, 18 tokens are scored, unless there is a limit; of 19 tokens in documents, all.
  @Test(arguments: [
    Case(context: 5), Case(context: 5, norm: .pre, packing: .document), Case(context: 5, packing: .stream),
    Case(context: 6), Case(context: 6, layers: [3, 1]), Case(context: 7, sequences: 1), Case(context: 17),
    Case(context: 18), Case(context: 25),
    Case(context: 1, sequences: 4), Case(context: 4, sequences: 3, limit: 14, packing: .document),
    Case(context: 5, limit: 7), Case(context: 5, limit: 15), Case(context: 5, limit: 18),
    Case(context: 5, limit: 100), Case(context: 5, limit: 1),
  ]) func everyTokenIsScoredOnceFromTheTextBeforeIt(_ this: Case) throws {
    let bench = try Workbench(packing: this.packing)
    var configuration = TrainingArithmeticTests.recipe().model
    (configuration.context, configuration.norm) = (this.context, this.norm)
    configuration.dropout = 0.4
    configuration.memory?.layers = this.layers
    let plain = PlainModel(configuration, seed: 7)
    let packing = this.packing ?? .stream
    let right = PlainEvaluation(
      plain, bench.validationTokens,
      documents: packing == .document ? bench.validation.map { $0.tokens.count + 1 } : nil, limit: this.limit)
    if packing == .stream { #expect(right.nll.count == min(18, this.limit ?? 18)) }
    func check(_ device: some Operations<Float>) throws {
      let found = try Evaluation.run(
        plain.transformer(on: device, sequences: this.sequences), dataset: Dataset(bench.data),
        split: "valid", packing: packing, sequences: this.sequences, tokenLimit: this.limit)
      #expect(found.split == "valid" && found.scoredTokens == right.nll.count)
      let numbers = right.numbers(of: bench.validation)
      for (name, number) in [
        ("nll", found.nll), ("perplexity", found.perplexity), ("word_perplexity", found.wordPerplexity),
        ("bits_per_byte", found.bitsPerByte),
      ] {
        let expected = try #require(numbers[name])
        #expect(abs(number - expected) < 1e-4 * abs(expected), "\(name) is \(number), not \(expected)")
      }
      #expect(found.memories.map(\.layer) == [1, 3])
      for (memory, use) in zip(found.memories, right.uses) {
        #expect(memory.use.usage == use.usage && abs(memory.use.kl - use.kl) < 1e-4 * use.kl)
      }
    }
    try check(CPUOperations<Float>(pool: TrainingArithmeticTests.pool))
    try check(ReferenceOperations<Float>())
  }

  /// The definitions on round numbers: 3 nats for each of 4 tokens of a text of 5 tokens, 10 words and 40 bytes.
  @Test func theWrittenDefinitionsAreThoseOfTheUnits() {
    var evaluation = PlainEvaluation(PlainModel(configuration(), seed: 1), [1, 2, 3, 4, 5])
    evaluation.nll = [3, 3, 3, 3]
    let numbers = evaluation.numbers(of: [.init(tokens: [], textBytes: 40, words: 10)])
    #expect(numbers["perplexity"] == exp(3))
    // 12 nats for four fifths of the text: 8 words, 32 bytes.
    #expect(numbers["word_perplexity"] == exp(1.5))
    #expect(abs(numbers["bits_per_byte"]! - 12 / 32 * 1.4426950408889634) < 1e-12)
  }

  /// A split of one token has nothing to predict: a run does without evaluations, and an evaluation says so.
  @Test func aSplitOfOneTokenIsNotEvaluated() throws {
    let scratch = try Scratch(), run = scratch.path("run"), data = scratch.path("data")
    let text = TestDocument(tokens: (0..<40).map { UInt32($0 * 7 % 10) }, textBytes: 80, words: 9)
    try writeDataset(data, train: [text], valid: [TestDocument(tokens: [])], vocabulary: 11)
    let device = try CPUOperations<Float>(pool: TrainingArithmeticTests.pool)
    _ = try Trainer(
      recipe: TrainingArithmeticTests.recipe(), dataset: data, split: "train", evaluationSplit: nil,
      directory: run, resume: false, on: device, isQuiet: true
    ).run()
    let lines = try String(contentsOfFile: run + "/metrics.jsonl", encoding: .utf8).split(separator: "\n")
    #expect(lines.count == 4 && !lines.contains { $0.contains("valid") })
    let failure = #expect(throws: Failure.self) {
      try Evaluation.run(
        PlainModel(configuration(), seed: 1).transformer(on: device, sequences: 1), dataset: Dataset(data),
        split: "valid", sequences: 1)
    }
    #expect(failure?.kind == .badInput && failure?.message.contains("too few") == true)
  }

  private func configuration() -> ModelConfiguration { TrainingArithmeticTests.recipe().model }
}
