import Foundation
import TestSupport

/// Token by token: the text is cut into windows of the context, and a token is predicted from those before it in its
/// window. The first token of the text has nothing before it.
struct PlainEvaluation {
  /// The negative log-likelihood of token 1, 2, ... of the text.
  var nll: [Double] = []
  var uses: [PlainUse] = []
  private let tokens: Int
  private let layers: [Int]

  /// - Parameter documents: the tokens of each, its end included: sequences begin with documents then, and the first token
  ///   is scored after an end of document. nil for sequences as long as the context, whatever is in them.
  init(_ model: PlainModel, _ text: [Int], documents: [Int]? = nil, limit: Int? = nil) {
    let context = model.configuration.context
    (tokens, layers) = (text.count, model.configuration.memory?.layers ?? [])
    var reads: [[PlainModel.Read]] = []
    func score(_ index: Int, after seen: [Int]) {
      let pass = model.forward(seen, length: seen.count, dropout: nil)
      nll.append(PlainModel.losses(pass.logits.last!, target: text[index], smoothing: 0).nll.value)
      for (memory, rows) in pass.reads.enumerated() {
        if reads.count == memory { reads.append([]) }
        reads[memory] += rows.last!
      }
    }
    if let documents {
      for sequence in Self.sequences(of: documents, context) where nll.count < limit ?? .max {
        let before = sequence.lowerBound > 0 ? text[sequence.lowerBound - 1] : text.last!
        for index in sequence { score(index, after: [before] + text[sequence.lowerBound..<index]) }
      }
    } else {
      for index in 1...min(text.count - 1, limit ?? .max) {
        score(index, after: Array(text[((index - 1) / context * context)..<index]))
      }
    }
    uses = reads.map { PlainUse($0, slots: model.configuration.memory!.subkeys.squared) }
  }

  /// Whole documents as long as they fit; a document that is longer than a sequence fills some, and the next begins with
  /// its rest.
  private static func sequences(of documents: [Int], _ context: Int) -> [Range<Int>] {
    var sequences: [Range<Int>] = []
    var (start, end) = (0, 0)
    for document in documents {
      if end > start && end + document - start > context {
        sequences.append(start..<end)
        start = end
      }
      end += document
      while end - start > context {
        sequences.append(start..<start + context)
        start += context
      }
    }
    return end > start ? sequences + [start..<end] : sequences
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

  /// Of each memory, named without its layer if it is the only one, and the means over all.
  var memoryNumbers: [String: Double] {
    var numbers: [String: Double] = [:]
    for (layer, use) in zip(layers.sorted(), uses) {
      let suffix = uses.count == 1 ? "" : "_layer_\(layer)"
      numbers["memory_usage" + suffix] = use.usage
      numbers["memory_kl" + suffix] = use.kl
      numbers["memory_effective_slots" + suffix] = use.effectiveSlots
      numbers["memory_gini" + suffix] = use.gini
      for (percent, slots) in zip([50, 90, 99], use.fewest) {
        numbers["memory_slots_of_\(percent)_percent" + suffix] = Double(slots)
      }
    }
    return numbers.merging(PlainUse.means(uses)) { $1 }
  }
}
