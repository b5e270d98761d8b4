import Model
import Support

/// Continues prompts token by token, several side by side, and caches the keys and values of the texts so far.
package final class Generator<Device: Operations> where Device.Scalar == Float {
  private struct Text {
    var tokens: [Int32]
    /// Tokens that are not in the cache yet.
    var fresh: [Int32]
    var random: RandomGenerator
    let cache: KeyValueCache<Float>
  }

  private let model: Transformer<Device>
  private let pool: WorkerPool
  private let caches: [KeyValueCache<Float>]
  /// A row for each text, on the device and on the host.
  private let logits: Matrix<Float>
  private var hostLogits: [Float]
  private let arena: Arena
  private let endOfDocument: Int32
  private let sampling: Sampling
  private let seed: UInt64
  private var texts = 0

  /// - Parameters:
  ///   - pool: draws tokens for several prompts at once.
  ///   - batch: the most prompts side by side; the model must have been made for as many tokens.
  package init(
    _ model: Transformer<Device>, pool: WorkerPool, endOfDocument: UInt32, sampling: Sampling, seed: UInt64,
    batch: Int = 1
  ) throws {
    (self.model, self.pool) = (model, pool)
    (self.sampling, self.seed, self.endOfDocument) = (sampling, seed, Int32(endOfDocument))
    caches = try model.makeCaches(batch)
    let width = model.configuration.vocabularySize
    (logits, arena) = try ArenaPlan.build(on: model.device) { $0.matrix("logits", batch, width) }
    hostLogits = [Float](repeating: 0, count: batch * width)
  }

  /// Emits up to `count` tokens for each prompt, one by one, fewer if its document ends.
  ///
  /// A document starts after an end-of-document token, as in training. Of text that outgrows the model's context, only the
  /// last half context is kept. The n-th prompt has the n-th stream of random numbers, whatever the other prompts are.
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
      if drawn.contains(Sampling.none) {
        throw Failure(
          .badInput, "the model gives no probabilities: its logits are not numbers",
          remedy: "Use another checkpoint of the run: this one is damaged, or its training has diverged")
      }
      for (index, token) in zip(active, drawn) where token != endOfDocument {
        running[index].tokens.append(token)
        running[index].fresh = [token]
        try emit(index, token)
      }
      active = zip(active, drawn).filter { $1 != endOfDocument }.map(\.0)
    }
  }

  /// Computes the fresh tokens of the texts; row i of the logits is that of the i-th active text.
  private func advance(_ running: inout [Text], _ active: [Int]) {
    for index in active where running[index].cache.remainingCapacity < running[index].fresh.count {
      running[index].cache.clear()
      running[index].fresh = running[index].tokens.suffix(max(1, model.configuration.context / 2))
    }
    var caches: [KeyValueCache<Float>] = [], counts: [Int] = [], tokens: [Int32] = []
    var first = 0
    while first < active.count {
      // As many texts as fit into a pass with their fresh tokens: a whole prompt or one token each.
      var end = first
      while end < active.count, tokens.count + running[active[end]].fresh.count <= model.maximumTokens {
        caches.append(running[active[end]].cache)
        counts.append(running[active[end]].fresh.count)
        tokens += running[active[end]].fresh
        end += 1
      }
      tokens.withUnsafeBufferPointer { model.extend(caches, counts: counts, tokens: $0) }
      var last = -1
      let ends = counts.map { count in
        last += count
        return last
      }
      model.logits(rows: ends, into: logits.rows(first..<end))
      first = end
      caches.removeAll(keepingCapacity: true)
      counts.removeAll(keepingCapacity: true)
      tokens.removeAll(keepingCapacity: true)
    }
  }

  private func draw(_ running: inout [Text], _ active: [Int]) -> [Int32] {
    var drawn = [Int32](repeating: 0, count: active.count)
    let sampling = sampling, width = logits.columns
    hostLogits.withUnsafeMutableBytes {
      model.device.download(
        logits.address, into: .init(rebasing: $0[..<(active.count * width * MemoryLayout<Float>.stride)]))
    }
    hostLogits.withUnsafeBufferPointer { logits in
      running.withUnsafeMutableBufferPointer { running in
        drawn.withUnsafeMutableBufferPointer { drawn in
          pool.forEach(active.count) { row, _ in
            drawn[row] = sampling.draw(
              from: UnsafeBufferPointer(rebasing: logits[row * width..<(row + 1) * width]),
              using: &running[active[row]].random)
          }
        }
      }
    }
    return drawn
  }
}
