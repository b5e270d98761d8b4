import Foundation
import Model
import Shards
import Support

/// How well a model predicts a split, by the unsmoothed loss.
package struct Evaluation {
  package let split: String
  /// Mean negative log-likelihood per scored token, in nats.
  package let nll: Double
  package let scoredTokens: Int
  /// exp(nll): per token of this tokenizer, end-of-document tokens included.
  package let perplexity: Double
  /// exp(Σ nll / words), comparable between tokenizers. Words are runs of non-space in the source text.
  package let wordPerplexity: Double
  /// Σ nll / (ln 2 · bytes of source text).
  package let bitsPerByte: Double
  /// How evenly the slots of each memory were read; layers count from 1.
  package let memories: [(layer: Int, use: MemoryUse)]
  package let seconds: Double

  package var tokensPerSecond: Double { Double(scoredTokens) / max(seconds, 1e-9) }

  /// Scores a split in consecutive sequences as long as the model's context. Each overlaps the next by one token, which
  /// is only context there, so that every token but the first of the split is scored exactly once.
  ///
  /// - Parameters:
  ///   - sequences: in one batch, at most as many as the model was made for.
  ///   - tokenLimit: stops after about so many tokens; words and bytes then count in proportion.
  package static func run(
    _ model: Transformer<some Operations<Float>>, dataset: Dataset, split: String, sequences: Int,
    tokenLimit: Int? = nil,
    isQuiet: Bool = true
  ) throws -> Evaluation {
    let started = Progress.now()
    let totals = try dataset.totals(of: split)
    let length = model.configuration.context
    let reader = try SplitReader(dataset, split: split, cacheBytes: 64 << 20)
    let limit = min(totals.tokens - 1, tokenLimit ?? .max)
    guard limit >= 1 else {
      throw Failure(
        .badInput, "the split '\(split)' has \(totals.tokens) tokens, too few to evaluate", file: dataset.path
      )
    }
    let progress = Progress("evaluating \(split)", unit: " tokens", isQuiet: isQuiet)
    try model.collectStatistics(true)
    defer { model.statistics = nil }
    var batch = [Int32](repeating: 0, count: sequences * length + 1)
    var sum = 0.0
    var scored = 0
    while scored < limit {
      try Interruption.check()
      let left = limit - scored
      // Full sequences in one batch, then the rest as one shorter sequence.
      let rows = left >= length ? min(sequences, left / length) : 1
      let columns = min(length, left)
      let count = rows * columns
      try batch.withUnsafeMutableBufferPointer { batch in
        try reader.read(at: scored, into: UnsafeMutableBufferPointer(rebasing: batch[...count]))
        let tokens = UnsafeBufferPointer(batch)
        let loss = model.evaluate(
          tokens: UnsafeBufferPointer(rebasing: tokens[..<count]),
          targets: UnsafeBufferPointer(rebasing: tokens[1...count]), sequences: rows, length: columns)
        sum += loss.nll
        scored += loss.count
      }
      progress.update(done: scored, of: limit)
    }
    progress.finish()
    guard sum.isFinite else {
      throw Failure(
        .badInput, "the loss of the model on the split \(split) is not a number",
        remedy: "Use another checkpoint of the run: this one is damaged, or its training has diverged")
    }
    let share = Double(scored) / Double(totals.tokens)
    return Evaluation(
      split: split, nll: sum / Double(scored), scoredTokens: scored, perplexity: exp(sum / Double(scored)),
      wordPerplexity: exp(sum / (Double(totals.words) * share)),
      bitsPerByte: sum / (log(2) * Double(totals.textBytes) * share),
      memories: zip(model.configuration.memory?.layers.sorted() ?? [], model.statistics ?? []).map {
        (layer: $0, use: $1.use)
      }, seconds: Progress.now() - started)
  }

  package var summaryLine: String {
    var text = String(
      format: "%@: perplexity %.2f per token, %.1f per word, %.4f bits per byte", split, perplexity,
      wordPerplexity,
      bitsPerByte)
    for memory in memories {
      text += String(
        format: "; memory of layer %d: usage %.1f %%, KL %.3f", memory.layer, 100 * memory.use.usage,
        memory.use.kl)
    }
    return text
  }
}
