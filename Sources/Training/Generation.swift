import Foundation
import Model
import Support

/// How the next token is drawn.
package struct Sampling: Sendable {
  /// 0 always takes the most probable token.
  package var temperature = 0.8
  /// Draw among the k most probable only; nil: all.
  package var topK: Int?
  /// Draw among the fewest most probable tokens that together hold this probability (nucleus sampling,
  /// Holtzman et al.
  ///
  /// 2020).
  package var topP = 1.0

  package init(temperature: Double = 0.8, topK: Int? = nil, topP: Double = 1) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
  }

  /// Draws from logits.
  ///
  /// Ties are broken towards the smaller id, so that a seed gives one text.
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

/// Continues prompts token by token, with the keys and values of the text so far kept.
package struct Generator {
  private let model: LanguageModel
  private let cache: KeyValueCache<Float>
  private let endOfDocument: Int32
  private let sampling: Sampling
  private var random: RandomGenerator

  package init(_ model: LanguageModel, endOfDocument: UInt32, sampling: Sampling, seed: UInt64) throws {
    self.model = model
    cache = try model.makeCache()
    self.endOfDocument = Int32(endOfDocument)
    self.sampling = sampling
    random = RandomGenerator(seed: seed, stream: "generation")
  }

  /// Hands on up to `count` tokens one by one; stops early at the end of the document.
  ///
  /// A document starts after an end-of-document token, as in training. Text that outgrows the model's context is
  /// forgotten but for its last half context.
  package mutating func generate(prompt: [Int32], count: Int, emit: (Int32) throws -> Void) throws {
    let context = model.configuration.context
    var text = [endOfDocument] + prompt
    var fresh = Array(text.suffix(context))
    var logits = [Float](repeating: 0, count: model.configuration.vocabularySize)
    cache.clear()
    for _ in 0..<count {
      try Interruption.check()
      if cache.room < fresh.count {
        cache.clear()
        fresh = Array(text.suffix(max(1, context / 2)))
      }
      fresh.withUnsafeBufferPointer { model.extend(cache, tokens: $0) }
      logits.withUnsafeMutableBufferPointer { model.logits(row: fresh.count - 1, into: $0) }
      let token = sampling.draw(from: logits, using: &random)
      if token == endOfDocument { return }
      text.append(token)
      fresh = [token]
      try emit(token)
    }
  }
}
