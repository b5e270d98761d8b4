import Model
import Support

/// Continues prompts token by token, several side by side, and caches the keys and values of the texts so far.
package final class Generator<Device: Operations> where Device.Scalar == Float {
  /// A token of a continuation.
  package struct Piece: Sendable {
    /// The index of the prompt that it goes on from.
    package let prompt: Int
    package let token: Int32
    /// Natural logarithm, by the model alone: without temperature, penalty and choice among the best. Not a number unless it
    /// was asked for.
    package let logProbability: Double
  }

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
  /// Whether pieces have log-probabilities.
  private let measures: Bool
  private var texts = 0

  /// - Parameters:
  ///   - pool: draws tokens for several prompts at once.
  ///   - batch: the most prompts side by side; the model must have been made for as many tokens.
  package init(
    _ model: Transformer<Device>, pool: WorkerPool, endOfDocument: UInt32, sampling: Sampling, seed: UInt64,
    batch: Int = 1, logProbabilities measures: Bool = false
  ) throws {
    (self.model, self.pool) = (model, pool)
    (self.sampling, self.seed, self.endOfDocument) = (sampling, seed, Int32(endOfDocument))
    self.measures = measures
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
    try generate(prompts: prompts, count: count) { (piece: Piece) in
      try emit(piece.prompt, piece.token)
      return true
    }
  }

  /// The same; a text ends, too, where `emit` returns false.
  package func generate(prompts: [[Int32]], count: Int, emit: (Piece) throws -> Bool) throws {
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
      if drawn.contains(where: { $0.token == Sampling.none }) {
        throw Failure(
          .badInput, "the model gives no probabilities: its logits are not numbers",
          remedy: "Use another checkpoint of the run: this one is damaged, or its training has diverged")
      }
      var unfinished: [Int] = []
      for (index, draw) in zip(active, drawn) where draw.token != endOfDocument {
        running[index].tokens.append(draw.token)
        running[index].fresh = [draw.token]
        if try emit(Piece(prompt: index, token: draw.token, logProbability: draw.logProbability)) {
          unfinished.append(index)
        }
      }
      active = unfinished
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

  private func draw(_ running: inout [Text], _ active: [Int]) -> [(token: Int32, logProbability: Double)] {
    var drawn = [(token: Int32, logProbability: Double)](repeating: (0, .nan), count: active.count)
    let sampling = sampling, width = logits.columns, measures = measures
    hostLogits.withUnsafeMutableBytes {
      model.device.download(
        logits.address, into: .init(rebasing: $0[..<(active.count * width * MemoryLayout<Float>.stride)]))
    }
    hostLogits.withUnsafeMutableBufferPointer { logits in
      running.withUnsafeMutableBufferPointer { running in
        drawn.withUnsafeMutableBufferPointer { drawn in
          pool.forEach(active.count) { row, _ in
            let own = UnsafeMutableBufferPointer(rebasing: logits[row * width..<(row + 1) * width])
            let index = active[row]
            let penalized = sampling.repetitionPenalty == 1 ? [] : running[index].tokens.dropFirst()
            func draw() -> Int32 {
              // The penalty changes the logits, which a log-probability needs as they were.
              let kept = penalized.isEmpty || !measures ? [] : Array(own)
              if !penalized.isEmpty { sampling.penalize(penalized, in: own) }
              defer { if !kept.isEmpty { _ = own.update(fromContentsOf: kept) } }
              return sampling.draw(from: UnsafeBufferPointer(own), using: &running[index].random)
            }
            let token = draw()
            let measured = measures && token >= 0
            drawn[row] = (
              token,
              measured
                ? HostSoftmax.logProbability(
                  of: Int(token), in: UnsafeBufferPointer(own),
                  top: HostSoftmax.largest(of: UnsafeBufferPointer(own))) : .nan
            )
          }
        }
      }
    }
    return drawn
  }
}
