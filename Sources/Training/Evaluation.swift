import Foundation
import Model
import Shards
import Support

/// How well a model predicts a split, by the unsmoothed loss.
package struct Evaluation {
  package let split: String
  /// How the split was cut into sequences.
  package let packing: Packing
  /// Mean negative log-likelihood per scored token, in nats.
  package let nll: Double
  /// That of a model that gives every token of the vocabulary the same probability: ln V.
  let uniformNLL: Double
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

  /// Scores a split, cut into sequences as `packing` says.
  ///
  /// - `stream`: consecutive sequences as long as the model's context. Each overlaps the next by one token, which is only
  ///   context there, so that every token but the first of the split is scored exactly once.
  /// - `document`: the sequences of training with that packing, whole documents where they fit, so that every token is scored
  ///   exactly once. Padding counts nothing, neither in the loss nor in the use of the memories.
  ///
  /// - Parameters:
  ///   - sequences: in one batch, at most as many as the model was made for.
  ///   - tokenLimit: stops after about so many tokens; words and bytes then count in proportion.
  package static func run(
    _ model: Transformer<some Operations<Float>>, dataset: Dataset, split: String, packing: Packing = .stream,
    sequences: Int, tokenLimit: Int? = nil, isQuiet: Bool = true
  ) throws -> Evaluation {
    let started = Progress.now()
    let totals = try dataset.totals(of: split)
    var batches = try EvaluationBatches(
      dataset, split: split, packing: packing, sequences: sequences, length: model.configuration.context)
    let limit = min(batches.targetCount, tokenLimit ?? .max)
    guard limit >= 1 else {
      throw Failure(
        .badInput, "the split '\(split)' has \(totals.tokens) tokens, too few to evaluate", file: dataset.path
      )
    }
    let progress = Progress("evaluating \(split)", unit: " tokens", isQuiet: isQuiet)
    try model.collectStatistics(true)
    defer { model.statistics = nil }
    var sum = 0.0
    var scored = 0
    while scored < limit {
      try Interruption.check()
      let loss = try batches.next(atMost: limit - scored) { batch in
        model.evaluate(
          tokens: batch.inputs, targets: batch.targets, sequences: batch.counts.count, length: batch.length,
          counts: batch.counts)
      }
      sum += loss.nll
      scored += loss.count
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
      split: split, packing: packing, nll: sum / Double(scored),
      uniformNLL: log(Double(model.configuration.vocabularySize)), scoredTokens: scored,
      perplexity: exp(sum / Double(scored)),
      wordPerplexity: exp(sum / (Double(totals.words) * share)),
      bitsPerByte: sum / (log(2) * Double(totals.textBytes) * share),
      memories: zip(model.configuration.memory?.layers.sorted() ?? [], model.statistics ?? []).map {
        (layer: $0, use: $1.use)
      }, seconds: Progress.now() - started)
  }

  /// A sentence for a model that predicts far worse than one that knows nothing; nil for any other.
  package var divergence: String? {
    guard nll > 1.5 * uniformNLL + 1 else { return nil }
    return String(
      format:
        "the loss on the split %@ is %.4g nats per token, where guessing evenly has %.4g: the training has diverged",
      split, nll, uniformNLL)
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

  /// The measures of every memory, for a summary or `metrics.jsonl`. A single memory is named without its layer.
  package var memoryNumbers: [(name: CountName, value: Double)] {
    var numbers: [(name: CountName, value: Double)] = []
    for memory in memories {
      let layer = memories.count == 1 ? nil : memory.layer, use = memory.use, slots = use.slotsOfShare
      numbers.append((.memoryUsage(layer: layer), use.usage))
      numbers.append((.memoryKL(layer: layer), use.kl))
      numbers.append((.memoryEffectiveSlots(layer: layer), use.effectiveSlots))
      numbers.append((.memoryGini(layer: layer), use.gini))
      for (percent, count) in [(50, slots.half), (90, slots.most), (99, slots.nearlyAll)] {
        numbers.append((.memorySlots(ofPercent: percent, layer: layer), Double(count)))
      }
    }
    return numbers
  }
}
