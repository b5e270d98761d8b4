import Foundation
import Model
import Support
import Testing
import Training

/// Log-probabilities of tokens beside a forward pass over what comes before each of them.
@Suite(.timeLimit(.minutes(60))) struct TextScorerTests {
  static let end = Workbench.vocabularySize - 1
  static let texts = [[1, 2, 3], [], [7], [4, 4, 0, 9, 1, 2, 3, 8, 5, 6, 0, 1], [5, 6, 7, 8, 9]]

  private func model(context: Int) -> PlainModel {
    var configuration = TrainingArithmeticTests.recipe().model
    configuration.context = context
    return PlainModel(configuration, seed: 19)
  }

  /// The score of a token after those that it may see.
  private func score(_ model: PlainModel, _ token: Int, after seen: [Int]) -> (Double, Bool) {
    let logits = model.forward(seen, length: seen.count, dropout: nil).logits.last!
    let values = logits.map(\.value)
    return (
      -PlainModel.losses(logits, target: token, smoothing: 0).nll.value,
      values.firstIndex(of: values.max()!) == token
    )
  }

  private func check(
    _ model: PlainModel, _ texts: [TextScorer<CPUOperations<Float>>.Text], stride: Int?, sequences: Int,
    right: [[(Double, Bool)]]
  ) throws {
    let cpu = try CPUOperations<Float>(pool: TrainingArithmeticTests.pool)
    let scorer = try TextScorer(
      model.transformer(on: cpu, sequences: sequences), pool: TrainingArithmeticTests.pool,
      endOfDocument: UInt32(Self.end), stride: stride, sequences: sequences)
    let found = try scorer.score(texts)
    #expect(found.map(\.count) == right.map(\.count))
    for (found, right) in zip(found.joined(), right.joined()) {
      #expect(abs(found.logProbability - right.0) < 1e-4 && found.isBest == right.1)
    }
  }

  /// Windows of the context, each `stride` tokens after the one before it: a token sees its window.
  @Test(arguments: [(5, nil), (5, 1), (5, 2), (5, 5), (4, 3), (40, nil), (1, nil)] as [(Int, Int?)], [1, 3])
  func documentsAreScoredInWindows(_ shape: (context: Int, stride: Int?), sequences: Int) throws {
    let model = model(context: shape.context), step = shape.stride ?? shape.context
    let right = Self.texts.map { text in
      let tokens = [Self.end] + text + [Self.end]
      return (1..<tokens.count).map { place in
        // The first window that reaches the token.
        var start = 0
        while start + shape.context < place { start += step }
        return score(model, tokens[place], after: Array(tokens[start..<place]))
      }
    }
    let texts = Self.texts.map {
      TextScorer<CPUOperations<Float>>.Text(document: $0.map(UInt32.init), endOfDocument: UInt32(Self.end))
    }
    try check(model, texts, stride: shape.stride, sequences: sequences, right: right)
  }

  /// A continuation sees as much of what is before it as fits, and one that is longer than the context is scored in windows.
  @Test(arguments: [4, 6, 40]) func continuationsSeeTheEndOfTheirContext(context: Int) throws {
    let model = model(context: context)
    let pairs: [([Int], [Int])] = [
      ([1, 2, 3], [4]), ([], [4, 5]), ([4, 4, 0, 9, 1, 2, 3], [8, 5]), ([1], []),
      ([1, 2, 3, 4, 5, 6], [7, 8, 9, 0]),
      ([1, 2], [3, 4, 5, 6, 7, 8, 9, 0, 1]),
    ]
    let right = pairs.map { before, text in
      let tokens = [Self.end] + before + text, first = before.count + 1
      return (first..<tokens.count).map { place in
        var start = max(0, tokens.count - 1 - context)
        if before.isEmpty || text.count > context {
          start = 0
          while start + context < place { start += context }
        }
        return score(model, tokens[place], after: Array(tokens[start..<place]))
      }
    }
    let texts = pairs.map {
      TextScorer<CPUOperations<Float>>.Text(
        $1.map(UInt32.init), after: $0.map(UInt32.init), endOfDocument: UInt32(Self.end))
    }
    try check(model, texts, stride: nil, sequences: 2, right: right)
  }

  /// 3 and 5 nats for two tokens of five bytes and two words.
  @Test func theUnitsAreThoseOfAnEvaluation() {
    var result = TextEvaluation()
    Array("ab cd".utf8).withUnsafeBytes { result.add([-3, -5], text: $0) }
    #expect(result.nll == 4 && result.perplexity == exp(4) && result.wordPerplexity == exp(4))
    #expect(abs(result.bitsPerByte - 8 / 5 * 1.4426950408889634) < 1e-12)
    [UInt8]().withUnsafeBytes { result.add([-1], text: $0) }
    #expect(result.documents == 2 && result.tokens == 3 && result.nll == 3)
  }
}
