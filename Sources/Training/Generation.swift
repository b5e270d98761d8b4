import Foundation
import Model
import Support

/// How the next token is drawn.
package struct Sampling: Sendable {
  /// 0 always takes the most probable token.
  package var temperature = 0.8
  /// Draw among the k most probable only; nil: all.
  package var topK: Int?
  /// Draw among the fewest most probable tokens that together hold this probability (nucleus sampling, Holtzman et al. 2020).
  package var topP = 1.0

  package init(temperature: Double = 0.8, topK: Int? = nil, topP: Double = 1) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
  }

  /// Draws from logits. Ties are broken towards the smaller id, so that a seed gives one text.
  package func draw(from logits: [Float], using random: inout RandomGenerator) -> Int32 {
    var order = Array(logits.indices)
    order.sort { logits[$0] != logits[$1] ? logits[$0] > logits[$1] : $0 < $1 }
    if temperature <= 0 { return Int32(order[0]) }
    if let topK { order = Array(order.prefix(max(1, topK))) }
    let largest = Double(logits[order[0]])
    var weights = order.map { exp((Double(logits[$0]) - largest) / temperature) }
    let total = weights.reduce(0, +)
    var kept = 0.0
    var count = 0
    while count < weights.count && (count == 0 || kept < topP * total) {
      kept += weights[count]
      count += 1
    }
    weights.removeLast(weights.count - count)
    var point = random.uniform() * kept
    for (index, weight) in weights.enumerated() {
      point -= weight
      if point < 0 { return Int32(order[index]) }
    }
    return Int32(order[count - 1])
  }
}

/// Continues a prompt token by token.
package struct Generator {
  private let model: LanguageModel
  private let endOfDocument: Int32?
  private let sampling: Sampling
  private var random: RandomGenerator

  package init(_ model: LanguageModel, endOfDocument: UInt32?, sampling: Sampling, seed: UInt64) {
    self.model = model
    self.endOfDocument = endOfDocument.map { Int32($0) }
    self.sampling = sampling
    random = RandomGenerator(seed: seed, stream: "generation")
  }

  /// Hands on up to `count` tokens one by one; stops early at the end of the document. The model sees as much of the text as its
  /// context holds; a document starts after an end-of-document token, as in training.
  package mutating func generate(
    prompt: [Int32], count: Int, emit: (Int32) throws -> Void
  ) throws {
    var text = [endOfDocument].compactMap(\.self) + prompt
    precondition(!text.isEmpty, "a model without an end-of-document token needs a prompt")
    var logits = [Float](repeating: 0, count: model.configuration.vocabularySize)
    for _ in 0..<count {
      try Interruption.check()
      let window = Array(text.suffix(model.configuration.context))
      window.withUnsafeBufferPointer {
        model.forward(tokens: $0, sequences: 1, length: window.count, mode: .evaluation)
      }
      logits.withUnsafeMutableBufferPointer { model.logits(row: window.count - 1, into: $0) }
      let token = sampling.draw(from: logits, using: &random)
      if token == endOfDocument { return }
      text.append(token)
      try emit(token)
    }
  }
}
