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
  package func draw(from logits: UnsafeBufferPointer<Float>, using random: inout RandomGenerator) -> Int32 {
    let largest = Softmax.largest(of: logits)
    if temperature <= 0 { return Int32(logits.firstIndex(of: largest) ?? 0) }
    if let topK {
      let ids = Self.best(topK, of: logits)
      let weights = ids.map { Foundation.exp(Double(logits[Int($0)] - largest) / temperature) }
      return ids[Self.draw(from: topP < 1 ? Self.nucleus(weights, topP) : weights, using: &random)]
    }
    let blocks = (logits.count + Softmax.block - 1) / Softmax.block
    return withUnsafeTemporaryAllocation(of: Float.self, capacity: logits.count) { weights in
      withUnsafeTemporaryAllocation(of: Double.self, capacity: blocks) { sums in
        Softmax.weights(of: logits, top: largest, factor: 1 / temperature, into: weights, sums: sums)
        let total = sums.reduce(0, +)
        if topP < 1 {
          // Tokens below this hold less than 1 - p together, so none of the nucleus is among them.
          let floor = Float((1 - topP) * total / Double(weights.count)).nextDown
          var ids = weights.indices.filter { weights[$0] >= floor }
          ids.sort { weights[$0] != weights[$1] ? weights[$0] > weights[$1] : $0 < $1 }
          let kept = Self.nucleus(ids.map { Double(weights[$0]) }, topP, of: total)
          return Int32(ids[Self.draw(from: kept, using: &random)])
        }
        // First the block, then the token in it.
        var point = random.uniform() * total, last = 0
        for block in 0..<blocks where sums[block] > 0 {
          last = block
          if point < sums[block] { break }
          point -= sums[block]
        }
        let first = last * Softmax.block
        let end = min(first + Softmax.block, weights.count)
        for id in first..<end {
          point -= Double(weights[id])
          if point < 0 { return Int32(id) }
        }
        return Int32(end - 1)
      }
    }
  }

  /// The first of these weights, largest first, that hold the share p of the total.
  private static func nucleus(_ weights: [Double], _ p: Double, of total: Double? = nil) -> [Double] {
    let total = total ?? weights.reduce(0, +)
    var (kept, count) = (0.0, 0)
    while count < weights.count && (count == 0 || kept < p * total) {
      kept += weights[count]
      count += 1
    }
    return Array(weights.prefix(count))
  }

  private static func draw(from weights: [Double], using random: inout RandomGenerator) -> Int {
    var point = random.uniform() * weights.reduce(0, +)
    for (index, weight) in weights.enumerated() {
      point -= weight
      if point < 0 { return index }
    }
    return weights.count - 1
  }

  /// The k largest, largest first: a threshold that few more reach is found by bisection, and only those are sorted.
  private static func best(_ k: Int, of logits: UnsafeBufferPointer<Float>) -> [Int32] {
    var low = logits.min() ?? 0, high = logits.max() ?? 0
    for _ in 0..<24 {
      let middle = low + (high - low) / 2
      var reached = 0
      for logit in logits { reached += logit >= middle ? 1 : 0 }
      if reached >= k { low = middle } else { high = middle }
      if reached >= k && reached <= 2 * k { break }
    }
    let threshold = low
    var ids = logits.indices.filter { logits[$0] >= threshold }.map { Int32($0) }
    ids.sort {
      let (a, b) = (logits[Int($0)], logits[Int($1)])
      return a != b ? a > b : $0 < $1
    }
    return Array(ids.prefix(k))
  }
}

/// Continues prompts token by token, several side by side, with the keys and values of the texts so far kept.
package final class Generator<Device: Operations> where Device.Scalar == Float {
  private struct Text {
    var tokens: [Int32]
    /// Not yet in the cache.
    var fresh: [Int32]
    var random: RandomGenerator
    let cache: KeyValueCache<Float>
  }

  private let model: Transformer<Device>
  private let pool: WorkerPool
  private let caches: [KeyValueCache<Float>]
  private let logits: Matrix<Float>
  private let endOfDocument: Int32
  private let sampling: Sampling
  private let seed: UInt64
  private var texts = 0

  /// - Parameters:
  ///   - pool: draws for several prompts at once.
  ///   - batch: prompts side by side at most; the model has to be made for as many tokens.
  package init(
    _ model: Transformer<Device>, pool: WorkerPool, endOfDocument: UInt32, sampling: Sampling, seed: UInt64,
    batch: Int = 1
  ) throws {
    (self.model, self.pool) = (model, pool)
    (self.sampling, self.seed, self.endOfDocument) = (sampling, seed, Int32(endOfDocument))
    caches = try (0..<batch).map { _ in try model.makeCache() }
    let width = model.configuration.vocabularySize
    logits = Matrix(.allocate(capacity: batch * width), rows: batch, columns: width)
  }

  deinit { logits.pointer.deallocate() }

  /// Hands on up to `count` tokens of each prompt, one by one; each stops early at the end of its document.
  ///
  /// A document starts after an end-of-document token, as in training. Text that outgrows the model's context is
  /// forgotten but for its last half context. The n-th prompt has the n-th stream of random numbers, whatever stands beside it.
  package func generate(
    prompts: [[Int32]], count: Int, emit: (_ prompt: Int, _ token: Int32) throws -> Void
  ) throws {
    precondition(prompts.count <= caches.count)
    let context = model.configuration.context
    var running = zip(prompts, caches).enumerated().map { index, pair in
      let tokens = [endOfDocument] + pair.0
      pair.1.clear()
      return Text(
        tokens: tokens, fresh: tokens.suffix(context),
        random: RandomGenerator(seed: seed, stream: "generation \(texts + index)"), cache: pair.1)
    }
    texts += prompts.count
    var active = Array(running.indices)
    for _ in 0..<count where !active.isEmpty {
      try Interruption.check()
      advance(&running, active)
      let drawn = draw(&running, active)
      for (index, token) in zip(active, drawn) where token != endOfDocument {
        running[index].tokens.append(token)
        running[index].fresh = [token]
        try emit(index, token)
      }
      active = zip(active, drawn).filter { $1 != endOfDocument }.map(\.0)
    }
  }

  /// Takes the fresh tokens of the texts; row i of the logits is of the i-th active text.
  private func advance(_ running: inout [Text], _ active: [Int]) {
    var together: [Int] = []
    for (row, index) in active.enumerated() {
      let cache = running[index].cache
      if cache.room < running[index].fresh.count {
        cache.clear()
        running[index].fresh = running[index].tokens.suffix(max(1, model.configuration.context / 2))
      }
      let fresh = running[index].fresh
      if fresh.count == 1 {
        together.append(row)
        continue
      }
      fresh.withUnsafeBufferPointer { model.extend(cache, tokens: $0) }
      model.logits(
        row: fresh.count - 1,
        into: UnsafeMutableBufferPointer(start: logits.rows(row..<row + 1).pointer, count: logits.columns))
    }
    guard !together.isEmpty else { return }
    let tokens = together.map { running[active[$0]].fresh[0] }
    tokens.withUnsafeBufferPointer { tokens in
      model.extend(together.map { running[active[$0]].cache }, tokens: tokens)
    }
    if together.count == active.count { return model.logits(into: logits.rows(0..<active.count)) }
    for (position, row) in together.enumerated() {
      model.logits(
        row: position,
        into: UnsafeMutableBufferPointer(start: logits.rows(row..<row + 1).pointer, count: logits.columns))
    }
  }

  private func draw(_ running: inout [Text], _ active: [Int]) -> [Int32] {
    var drawn = [Int32](repeating: 0, count: active.count)
    let logits = logits, sampling = sampling
    running.withUnsafeMutableBufferPointer { running in
      drawn.withUnsafeMutableBufferPointer { drawn in
        pool.forEach(active.count) { row, _ in
          drawn[row] = sampling.draw(
            from: UnsafeBufferPointer(start: logits.rows(row..<row + 1).pointer, count: logits.columns),
            using: &running[active[row]].random)
        }
      }
    }
    return drawn
  }
}
