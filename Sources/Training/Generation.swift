import Model
import Support

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
    for index in active where running[index].cache.remainingCapacity < running[index].fresh.count {
      running[index].cache.clear()
      running[index].fresh = running[index].tokens.suffix(max(1, model.configuration.context / 2))
    }
    var caches: [KeyValueCache<Float>] = [], counts: [Int] = [], tokens: [Int32] = []
    var first = 0
    while first < active.count {
      // So many texts that their fresh tokens, a whole prompt or one each, fit into a pass.
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
