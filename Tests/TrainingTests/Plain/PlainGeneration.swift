import Foundation
import Training

/// Generation written out: each token from a forward pass over the text before it.
enum PlainGeneration {
  /// The text after a prompt, which follows an end-of-document token as in training. A text that has outgrown the context
  /// goes on from its last half context.
  static func text(
    _ model: PlainModel, prompt: [Int], count: Int, _ sampling: Sampling, uniform: () -> Double
  ) -> [Int] {
    let context = model.configuration.context, endOfDocument = Workbench.vocabularySize - 1
    let text = [endOfDocument] + prompt
    var window = Array(text.suffix(context)), written: [Int] = []
    while written.count < count {
      if window.count > context { window = Array((text + written).suffix(max(1, context / 2))) }
      var logits = model.forward(window, length: window.count, dropout: nil).logits.last!.map(\.value)
      for token in Set(prompt + written) {
        logits[token] *= logits[token] > 0 ? 1 / sampling.repetitionPenalty : sampling.repetitionPenalty
      }
      let token = draw(probabilities(logits, sampling), uniform())
      if token == endOfDocument { break }
      written.append(token)
      window.append(token)
    }
    return written
  }

  /// softmax(logits / temperature) of the k most probable tokens; of these, the fewest most probable that hold `topP` of
  /// their probability (Holtzman et al., 2020), and of these, those with `minP` of the largest probability.
  static func probabilities(_ logits: [Double], _ sampling: Sampling) -> [Double] {
    let order = logits.indices.sorted { (logits[$1], $0) < (logits[$0], $1) }
    if sampling.temperature == 0 { return logits.indices.map { $0 == order[0] ? 1 : 0 } }
    let weights = logits.map { exp($0 / sampling.temperature) }
    let candidates = order.prefix(sampling.topK ?? order.count)
    let total = candidates.reduce(0) { $0 + weights[$1] }
    var kept = 0.0, result = logits.map { _ in 0.0 }
    for token in candidates
    where kept < sampling.topP * total && weights[token] >= sampling.minP * weights[order[0]] {
      kept += weights[token]
      result[token] = weights[token]
    }
    return result.map { $0 / kept }
  }

  /// The token in whose share of 0..<1, in the order of ids, a point lies.
  static func draw(_ probabilities: [Double], _ point: Double) -> Int {
    var below = 0.0
    for (token, probability) in probabilities.enumerated() {
      below += probability
      if point < below { return token }
    }
    return probabilities.lastIndex { $0 > 0 }!
  }
}
