import Corpus
import Support

extension Summary {
  package enum Side { case read, written }

  /// Counts the words and bytes of documents that are read or written; returns the words.
  @discardableResult
  package mutating func addText(of batch: DocumentBatch, _ side: Side = .read) -> Int {
    let words = batch.words
    add(side == .read ? .wordsIn : .wordsOut, words)
    add(side == .read ? .textBytesIn : .textBytesOut, batch.textBytes)
    return words
  }
}
