import Foundation
import Support

/// Distinct pre-tokens with their counts: all that learning needs to know of a text.
package struct WordCounts: Sendable {
  /// The pre-tokens one after another.
  package private(set) var bytes: [UInt8] = []
  /// Where each ends in ``bytes``.
  package private(set) var ends: [Int] = []
  package private(set) var counts: [Int] = []

  package init() {}

  init(_ table: borrowing CountTable) {
    ends.reserveCapacity(table.distinct)
    counts.reserveCapacity(table.distinct)
    table.forEachKey { append($0, count: $1) }
  }

  package var isEmpty: Bool { ends.isEmpty }
  package var distinct: Int { ends.count }
  package var total: Int { counts.reduce(0, +) }

  package mutating func append(_ word: UnsafeBufferPointer<UInt8>, count: Int) {
    bytes.append(contentsOf: word)
    ends.append(bytes.count)
    counts.append(count)
  }

  package mutating func append(_ word: [UInt8], count: Int) {
    word.withUnsafeBufferPointer { append($0, count: count) }
  }

  /// Where a word lies in ``bytes``.
  package func range(of word: Int) -> Range<Int> { (word == 0 ? 0 : ends[word - 1])..<ends[word] }
}

/// Counts pre-tokens on many threads.
///
/// The counts do not depend on how many, nor on the pieces in which a text arrives: they are those of the
/// whole text cut in one go.
///
/// Whole texts: ``countText(_:)`` from any thread. A text in pieces: ``countInside(_:)`` from any thread, its result to
/// ``join(_:)`` in the order of the text, and ``endText()`` behind the last.
package final class PreTokenCounter: @unchecked Sendable {
  // `idle` is guarded by `lock`; a table that was taken out belongs to its taker. `seam` is touched by the joining
  // thread only.
  private let preTokenizer: PreTokenizer
  private let lock = NSLock()
  private var idle: [Table] = []
  /// The text from the last safe cut on.
  private var seam: [UInt8] = []

  private final class Table { var counts = CountTable() }

  /// What is left of a piece when the part between its first and last safe cut has been counted.
  package struct Ends: Sendable {
    let head: [UInt8]
    /// nil: there was no safe cut, and `head` is the whole piece.
    let tail: [UInt8]?
  }

  package init(_ preTokenizer: PreTokenizer) { self.preTokenizer = preTokenizer }

  package func countText(_ text: UnsafeBufferPointer<UInt8>) {
    let table = lock.withLock { idle.popLast() } ?? Table()
    Self.count(text, preTokenizer, into: &table.counts)
    lock.withLock { idle.append(table) }
  }

  package func countInside(_ piece: UnsafeBufferPointer<UInt8>) -> Ends {
    guard let (first, last) = preTokenizer.safeCuts(in: piece) else {
      return Ends(head: Array(piece), tail: nil)
    }
    countText(UnsafeBufferPointer(rebasing: piece[first..<last]))
    return Ends(head: Array(piece[..<first]), tail: Array(piece[last...]))
  }

  package func join(_ ends: Ends) {
    seam.append(contentsOf: ends.head)
    guard let tail = ends.tail else { return }
    endText()
    seam = tail
  }

  package func endText() {
    seam.withUnsafeBufferPointer { countText($0) }
    seam = []
  }

  /// The counts, when every text has ended.
  package func finish() -> WordCounts {
    precondition(seam.isEmpty, "the text has not been ended")
    guard let first = idle.first else { return WordCounts() }
    for other in idle.dropFirst() { first.counts.merge(other.counts) }
    idle = []
    return WordCounts(first.counts)
  }

  private static func count(
    _ text: UnsafeBufferPointer<UInt8>, _ preTokenizer: PreTokenizer, into table: inout CountTable
  ) {
    guard let base = text.baseAddress else { return }
    preTokenizer.forEachPreToken(in: text) { start, end in
      table.add(base + start, length: end - start, readable: text.count - start)
    }
  }
}
