import Foundation
import Support

/// The words of a ``PreTokenCounter``, which can be read again and again: from memory, or from a temporary file where
/// counting needed such files. The file is removed with this value.
package final class ReplayedCounts {
  private let words: WordCounts
  private let directory: TemporaryDirectory?
  package private(set) var distinct = 0
  package private(set) var total = 0

  private var path: String? { directory.map { Path.join($0.path, "counts") } }

  /// Finishes `counter`, whose texts have ended.
  package init(_ counter: PreTokenCounter, in parent: String) throws {
    if counter.spilledRuns == 0 {
      words = try counter.finish()
      directory = nil
      (distinct, total) = (words.distinct, words.total)
      return
    }
    words = WordCounts()
    let directory = try TemporaryDirectory(in: parent)
    self.directory = directory
    let file = try RunWriter(Path.join(directory.path, "counts"))
    var (distinct, total) = (0, 0)
    try counter.finishSorted { word, count in
      try file.append(word, count)
      distinct += 1
      total += count
    }
    try file.close()
    (self.distinct, self.total) = (distinct, total)
  }

  /// Calls `body` with all words in batches of about so many bytes.
  func forEachBatch(bytes: Int, _ body: (WordCounts) throws -> Void) throws {
    var batch = WordCounts()
    func add(_ word: UnsafeBufferPointer<UInt8>, _ count: Int) throws {
      batch.append(word, count: count)
      if batch.bytes.count < bytes { return }
      try Interruption.check()
      try body(batch)
      batch = WordCounts()
    }
    if let path {
      let reader = try WordCountReader(path)
      while try reader.advance() { try reader.word.withUnsafeBufferPointer { try add($0, reader.count) } }
    } else {
      try words.bytes.withUnsafeBufferPointer { bytes in
        for word in 0..<words.distinct {
          try add(UnsafeBufferPointer(rebasing: bytes[words.range(of: word)]), words.counts[word])
        }
      }
    }
    if !batch.isEmpty { try body(batch) }
  }
}
