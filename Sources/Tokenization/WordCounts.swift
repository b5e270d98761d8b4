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
    table.forEach { append($0, count: $1) }
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

  func range(of word: Int) -> Range<Int> { (word == 0 ? 0 : ends[word - 1])..<ends[word] }
}

/// Counts the pre-tokens of a stream on many threads. The counts are those of the whole text cut in one go, whatever the
/// pieces the stream arrives in and however many threads count.
package final class PreTokenCounter: @unchecked Sendable {
  // `idle` is guarded by `lock`; a table that was taken out belongs to its taker. Everything else is touched by the
  // feeding thread only.
  private let preTokenizer: PreTokenizer
  private let lock = NSLock()
  private var idle: [Table] = []
  /// The end of the stream so far, from the last safe cut on.
  private var tail: [UInt8] = []

  private final class Table { var counts = CountTable() }

  package init(_ preTokenizer: PreTokenizer) { self.preTokenizer = preTokenizer }

  /// The part of the stream that can be counted now that `bytes` have arrived; what is left waits for more. Not thread
  /// safe: for the thread that reads.
  package func take(_ bytes: UnsafeBufferPointer<UInt8>) -> [UInt8] {
    tail.append(contentsOf: bytes)
    // Only the new part is searched, with some of the old in front, so that a text without a cut costs no more than
    // its length.
    let searched = min(tail.count, bytes.count + 4096)
    let start = tail.count - searched
    let cut = tail.withUnsafeBufferPointer {
      preTokenizer.lastSafeCut(in: UnsafeBufferPointer(rebasing: $0[start...]))
    }
    guard let cut else { return [] }
    let rest = Array(tail[(start + cut)...])
    tail.removeSubrange((start + cut)...)
    defer { tail = rest }
    return tail
  }

  /// What is left at the end of the stream, or of a document that ends in it.
  package func takeRest() -> [UInt8] {
    defer { tail = [] }
    return tail
  }

  /// Counts a piece that ``take(_:)`` or ``takeRest()`` returned, or a whole document. From any thread.
  package func count(_ piece: UnsafeBufferPointer<UInt8>) {
    let table = lock.withLock { idle.popLast() } ?? Table()
    Self.count(piece, preTokenizer, into: &table.counts)
    lock.withLock { idle.append(table) }
  }

  /// After the last piece has been counted.
  package func finish() -> WordCounts {
    precondition(tail.isEmpty, "the rest of the stream has not been taken")
    guard let first = idle.first else { return WordCounts() }
    for other in idle.dropFirst() { first.counts.merge(other.counts) }
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
