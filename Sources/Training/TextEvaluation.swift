import Foundation
import Support

/// How well a model predicts documents that are no dataset: each by itself, its end included.
package struct TextEvaluation {
  package private(set) var documents = 0
  package private(set) var tokens = 0
  private var words = 0, bytes = 0
  private var sum = 0.0

  package init() {}

  /// Adds a document from the log-probabilities of its tokens and of its end.
  package mutating func add(_ logProbabilities: [Double], text: UnsafeRawBufferPointer) {
    documents += 1
    tokens += logProbabilities.count
    words += Words.count(in: text)
    bytes += text.count
    sum -= logProbabilities.reduce(0, +)
  }

  /// Mean negative log-likelihood of a token, in nats.
  package var nll: Double { sum / Double(tokens) }
  package var perplexity: Double { exp(nll) }
  /// exp(Σ nll / words)
  package var wordPerplexity: Double { exp(sum / Double(words)) }
  /// Σ nll / (ln 2 · bytes)
  package var bitsPerByte: Double { sum / (log(2) * Double(bytes)) }

  package var summaryLine: String {
    String(
      format: "documents: %d, perplexity %.2f per token, %.1f per word, %.4f bits per byte", documents,
      perplexity, wordPerplexity, bitsPerByte)
  }
}
