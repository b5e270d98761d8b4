import Foundation
import Model
import Support
import Testing
import Training

/// Generation beside a loop without caches, which computes the whole text again for each token.
@Suite(.timeLimit(.minutes(60))) struct GenerationArithmeticTests {
  static let endOfDocument = Workbench.vocabularySize - 1

  private func model(context: Int = 5, norm: ModelConfiguration.Norm = .post, ends: Bool = false)
    -> PlainModel
  {
    var configuration = TrainingArithmeticTests.recipe().model
    (configuration.context, configuration.norm) = (context, norm)
    var model = PlainModel(configuration, seed: 19)
    // So that the text before decides more than the bias.
    model.tensors["output.bias"] = model.tensors["output.bias"]!.map { Double(Float($0 / 8)) }
    // A document that never ends, unless its end is what is tested.
    model.tensors["output.bias"]![Self.endOfDocument] = ends ? 0.5 : -60
    return model
  }

  private func generate(
    _ model: PlainModel, _ sampling: Sampling, prompts: [[Int]], count: Int, seed: UInt64 = 23, rows: Int = 6,
    on device: some Operations<Float>
  ) throws -> [[Int]] {
    let generator = try Generator(
      model.transformer(on: device, sequences: rows), pool: TrainingArithmeticTests.pool,
      endOfDocument: UInt32(Self.endOfDocument), sampling: sampling, seed: seed, batch: prompts.count)
    var texts = prompts.map { _ in [Int]() }
    try generator.generate(prompts: prompts.map { $0.map(Int32.init) }, count: count) {
      texts[$0].append(Int($1))
    }
    return texts
  }

  static let prompts = [
    [1, 2, 3], [], [7], [4, 4, 0, 9, 1, 2, 3, 8, 5, 6, 0, 1], [5, 6, 7, 8], [1, 2, 3],
  ]

  @Test(arguments: [1, 4, 5, 8, 40], [ModelConfiguration.Norm.post, .pre])
  func greedyTextIsThatOfWholePasses(context: Int, norm: ModelConfiguration.Norm) throws {
    let model = model(context: context, norm: norm), sampling = Sampling(temperature: 0)
    let right = Self.prompts.map { PlainGeneration.text(model, prompt: $0, count: 17, sampling) { 0 } }
    #expect(Set(right).count > 1 && right.allSatisfy { $0.count == 17 })
    let cpu = try CPUOperations<Float>(pool: TrainingArithmeticTests.pool)
    #expect(try generate(model, sampling, prompts: Self.prompts, count: 17, on: cpu) == right)
    #expect(
      try generate(model, sampling, prompts: Self.prompts, count: 17, on: ReferenceOperations<Float>())
        == right)
  }

  static let samplings = [
    Sampling(temperature: 0.7), Sampling(temperature: 1.9), Sampling(temperature: 1.6, topK: 4),
    Sampling(temperature: 0.6, topK: 3), Sampling(temperature: 1.4, topP: 0.7),
    Sampling(temperature: 1.7, topK: 5, topP: 0.8), Sampling(temperature: 1.5, minP: 0.3),
    Sampling(temperature: 1.8, topK: 6, topP: 0.9, minP: 0.25),
    Sampling(temperature: 1.2, repetitionPenalty: 1.7),
    Sampling(temperature: 1.6, topP: 0.8, repetitionPenalty: 0.6),
  ]

  /// The n-th prompt draws from the n-th stream of random numbers, so the text is known to the token, and its end, too.
  @Test(arguments: samplings.indices, [false, true]) func sampledTextIsThatOfWholePasses(
    _ index: Int, ends: Bool
  )
    throws
  {
    let model = model(ends: ends), sampling = Self.samplings[index]
    let right = Self.prompts.enumerated().map { number, prompt in
      var random = RandomGenerator(seed: 23, stream: "generation \(number)")
      return PlainGeneration.text(model, prompt: prompt, count: 14, sampling) { random.uniform() }
    }
    #expect(right.contains { $0.count < 14 } == ends)
    let cpu = try CPUOperations<Float>(pool: TrainingArithmeticTests.pool)
    #expect(try generate(model, sampling, prompts: Self.prompts, count: 14, on: cpu) == right)
  }

  /// Equal prompts side by side get different texts, and each the one that it gets without the others.
  @Test func promptsSideBySideAreIndependent() throws {
    let model = model(), sampling = Sampling(temperature: 1.5)
    let cpu = try CPUOperations<Float>(pool: TrainingArithmeticTests.pool)
    let prompts = [[3, 1], [3, 1], [3, 1], [2], [3, 1]]
    let together = try generate(model, sampling, prompts: prompts, count: 12, on: cpu)
    #expect(Set(together).count == prompts.count)
    let generator = try Generator(
      model.transformer(on: cpu, sequences: 1), pool: TrainingArithmeticTests.pool,
      endOfDocument: UInt32(Self.endOfDocument), sampling: sampling, seed: 23, batch: 1)
    for (prompt, text) in zip(prompts, together) {
      var alone: [Int] = []
      try generator.generate(prompts: [prompt.map(Int32.init)], count: 12) { alone.append(Int($1)) }
      #expect(alone == text)
    }
    #expect(try generate(model, sampling, prompts: prompts, count: 12, seed: 24, on: cpu) != together)
  }

  /// Next tokens of one prompt, each from another stream, by chi-square against the probabilities written out.
  @Test(arguments: samplings.indices) func nextTokensHaveTheirProbabilities(_ index: Int) throws {
    let model = model(), sampling = Self.samplings[index], rows = 40
    let cpu = try CPUOperations<Float>(pool: TrainingArithmeticTests.pool)
    let generator = try Generator(
      model.transformer(on: cpu, sequences: rows), pool: TrainingArithmeticTests.pool,
      endOfDocument: UInt32(Self.endOfDocument), sampling: sampling, seed: 5, batch: rows)
    var counts = [Int](repeating: 0, count: Workbench.vocabularySize)
    for _ in 0..<100 {
      try generator.generate(prompts: Array(repeating: [6, 2], count: rows), count: 1) {
        counts[Int($1)] += 1
      }
    }
    let pass = model.forward([Self.endOfDocument, 6, 2], length: 3, dropout: nil)
    var logits = pass.logits[2].map(\.value)
    for token in [6, 2] {
      logits[token] *= logits[token] > 0 ? 1 / sampling.repetitionPenalty : sampling.repetitionPenalty
    }
    let right = PlainGeneration.probabilities(logits, sampling)
    ChiSquare.expect(counts, right)
  }

  /// The same for a vocabulary of some blocks of 256, as the sampling adds up its weights.
  @Test(arguments: samplings.indices) func drawsHaveTheirProbabilities(_ index: Int) {
    var sampling = Self.samplings[index]
    sampling.topK = sampling.topK.map { 20 * $0 }
    let logits = plainNumbers(700, seed: 1, name: "logits").map { 2 * $0 }
    var random = RandomGenerator(seed: 8), counts = [Int](repeating: 0, count: logits.count)
    logits.map(Float.init).withUnsafeBufferPointer {
      for _ in 0..<40_000 { counts[Int(sampling.draw(from: $0, using: &random))] += 1 }
    }
    ChiSquare.expect(counts, PlainGeneration.probabilities(logits, sampling))
  }

  /// The log-probabilities are those of the model alone, and a text ends where its reader has had enough.
  @Test(arguments: [
    Sampling(temperature: 0), Sampling(temperature: 1.4, topP: 0.7),
    Sampling(temperature: 1.2, repetitionPenalty: 1.7),
  ]) func piecesHaveTheLogProbabilitiesOfTheModel(sampling: Sampling) throws {
    let model = model(context: 40), cpu = try CPUOperations<Float>(pool: TrainingArithmeticTests.pool)
    let generator = try Generator(
      model.transformer(on: cpu, sequences: 6), pool: TrainingArithmeticTests.pool,
      endOfDocument: UInt32(Self.endOfDocument), sampling: sampling, seed: 23, batch: Self.prompts.count,
      logProbabilities: true)
    var texts = Self.prompts, found = Self.prompts.map { _ in [Double]() }
    try generator.generate(prompts: Self.prompts.map { $0.map(Int32.init) }, count: 9) { piece in
      texts[piece.prompt].append(Int(piece.token))
      found[piece.prompt].append(piece.logProbability)
      return found[piece.prompt].count < piece.prompt + 3
    }
    for (index, text) in texts.enumerated() {
      #expect(found[index].count == min(9, index + 3))
      let tokens = [Self.endOfDocument] + text
      let pass = model.forward(Array(tokens.dropLast()), length: tokens.count - 1, dropout: nil)
      for (place, found) in zip((tokens.count - found[index].count)..<tokens.count, found[index]) {
        let right = -PlainModel.losses(pass.logits[place - 1], target: tokens[place], smoothing: 0).nll.value
        #expect(abs(found - right) < 1e-4)
      }
    }
    let plain = Self.prompts.enumerated().map { number, prompt in
      var random = RandomGenerator(seed: 23, stream: "generation \(number)")
      return PlainGeneration.text(model, prompt: prompt, count: min(9, number + 3), sampling) {
        random.uniform()
      }
    }
    #expect(zip(texts, Self.prompts).map { Array($0.dropFirst($1.count)) } == plain)
  }
}
