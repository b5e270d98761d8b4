import Foundation
import TestSupport

/// Token by token: the text is cut into windows of the context, and a token is predicted from those before it in its
/// window. The first token of the text has nothing before it.
struct PlainEvaluation {
  /// The negative log-likelihood of token 1, 2, ... of the text.
  var nll: [Double] = []
  var uses: [PlainUse] = []
  private let tokens: Int

  init(_ model: PlainModel, _ text: [Int], limit: Int? = nil) {
    let context = model.configuration.context
    tokens = text.count
    var reads: [[PlainModel.Read]] = []
    for index in 1...min(text.count - 1, limit ?? .max) {
      let start = (index - 1) / context * context, seen = Array(text[start..<index])
      let pass = model.forward(seen, length: seen.count, dropout: nil)
      nll.append(PlainModel.losses(pass.logits.last!, target: text[index], smoothing: 0).nll.value)
      for (memory, rows) in pass.reads.enumerated() {
        if reads.count == memory { reads.append([]) }
        reads[memory] += rows.last!
      }
    }
    uses = reads.map { PlainUse($0, slots: model.configuration.memory!.subkeys.squared) }
  }

  /// Words and bytes of the text count by the share of its tokens that was scored.
  func numbers(of documents: [TestDocument]) -> [String: Double] {
    let sum = nll.reduce(0, +), share = Double(nll.count) / Double(tokens)
    let words = documents.reduce(0) { $0 + $1.words }, bytes = documents.reduce(0) { $0 + $1.textBytes }
    return [
      "nll": sum / Double(nll.count), "perplexity": exp(sum / Double(nll.count)),
      "word_perplexity": exp(sum / (Double(words) * share)),
      "bits_per_byte": sum / (Double(bytes) * share) / log(2),
    ]
  }
}
