import Corpus
import Support

extension Summary {
  /// Counts the words and bytes of documents: `words_in` and `text_bytes_in`, or those `out`; returns the words.
  @discardableResult
  mutating func addText(of batch: DocumentBatch, _ side: String = "in") -> Int {
    let words = batch.words
    add("words_" + side, words)
    add("text_bytes_" + side, batch.textBytes)
    return words
  }
}
