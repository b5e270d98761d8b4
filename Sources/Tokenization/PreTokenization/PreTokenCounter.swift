import Foundation
import Support

/// Counts pre-tokens on many threads, in tables of their own that are joined at the end.
///
/// The counts do not depend on how many threads there are, nor on the pieces in which a text arrives: they are those
/// of the whole text cut in one go. They are exact in 64 bits.
///
/// Whole texts: ``countText(_:)`` from any thread. A text in pieces: ``countInside(_:)`` from any thread, its result to
/// ``join(_:)`` in the order of the text, and ``endText()`` behind the last. Words that were counted elsewhere:
/// ``count(_:)``.
///
/// Where the tables would outgrow `memory`, a table is written to disk, sorted, and begun anew; the end is then a merge
/// of sorted files (``SpilledCounts``).
package final class PreTokenCounter: @unchecked Sendable {
  // `idle` and `spilled` are guarded by `lock`; a table that was taken out belongs to its taker. `seam` is touched by
  // the joining thread only.
  private let preTokenizer: PreTokenizer
  /// The most bytes of one table.
  private let tableBytes: Int
  /// A part of a text that a table can take without growing far beyond that.
  private let partBytes: Int
  private let threads: Int
  private let lock = NSLock()
  private var idle: [Table] = []
  private var spilled: SpilledCounts
  /// The text from the last safe cut on.
  private var seam: [UInt8] = []

  private final class Table {
    var counts = CountTable()

    /// The pre-tokens found and not yet counted.
    private let spans = UnsafeMutableBufferPointer<CountTable.Span>.allocate(capacity: 256)

    deinit { spans.deallocate() }

    func count(_ text: UnsafeBufferPointer<UInt8>, _ preTokenizer: PreTokenizer) {
      let spans = spans
      var found = 0
      preTokenizer.forEachPreToken(in: text) { start, end in
        spans[found] = CountTable.Span(start: start, end: end)
        found &+= 1
        if found == spans.count {
          counts.add(UnsafeBufferPointer(spans), of: text)
          found = 0
        }
      }
      counts.add(UnsafeBufferPointer(rebasing: spans[..<found]), of: text)
    }
  }

  /// What is left of a piece when the part between its first and last safe cut has been counted.
  package struct Ends: Sendable {
    let head: [UInt8]
    /// nil: there was no safe cut, and `head` is the whole piece.
    let tail: [UInt8]?
  }

  /// `memory` is what the tables of `threads` threads may take together, in bytes; what is more goes to files in
  /// `temporaryDirectory`.
  package init(
    _ preTokenizer: PreTokenizer, memory: Int = .max, threads: Int = 1,
    temporaryDirectory: String = TemporaryDirectory.common
  ) {
    self.preTokenizer = preTokenizer
    // The joining thread has a table, too. Sorting the words of one takes up to a sixth more than counting.
    tableBytes = memory / (threads + 1) / 7 * 6
    partBytes = min(max(tableBytes / 16, 1 << 16), 1 << 22)
    self.threads = threads
    spilled = SpilledCounts(in: temporaryDirectory)
  }

  package func countText(_ text: UnsafeBufferPointer<UInt8>) throws {
    // In parts, between which a table that has grown too large is written to disk.
    var rest = text
    var window = partBytes
    while rest.count > window {
      guard let cut = preTokenizer.safeCuts(in: UnsafeBufferPointer(rebasing: rest[..<window]))?.last else {
        window *= 2
        continue
      }
      try withTable { $0.count(UnsafeBufferPointer(rebasing: rest[..<cut]), preTokenizer) }
      rest = UnsafeBufferPointer(rebasing: rest[cut...])
      window = partBytes
    }
    try withTable { $0.count(rest, preTokenizer) }
  }

  /// Adds words that were counted before, none of them empty.
  package func count(_ words: WordCounts) throws {
    try withTable { table in
      words.bytes.withUnsafeBufferPointer { bytes in
        for word in 0..<words.distinct {
          let range = words.range(of: word)
          table.counts.add(
            bytes.baseAddress! + range.lowerBound, length: range.count,
            readable: bytes.count - range.lowerBound,
            count: words.counts[word])
        }
      }
    }
  }

  package func countInside(_ piece: UnsafeBufferPointer<UInt8>) throws -> Ends {
    guard let (first, last) = preTokenizer.safeCuts(in: piece) else {
      return Ends(head: Array(piece), tail: nil)
    }
    try countText(UnsafeBufferPointer(rebasing: piece[first..<last]))
    return Ends(head: Array(piece[..<first]), tail: Array(piece[last...]))
  }

  package func join(_ ends: Ends) throws {
    seam.append(contentsOf: ends.head)
    guard let tail = ends.tail else { return }
    try endText()
    seam = tail
  }

  package func endText() throws {
    try seam.withUnsafeBufferPointer { try countText($0) }
    seam = []
  }

  private func withTable(_ body: (Table) -> Void) throws {
    let table = lock.withLock { idle.popLast() } ?? Table()
    body(table)
    // Growing needs the old table beside one of twice the size.
    let bytes = table.counts.bytes
    if bytes > tableBytes || bytes > tableBytes / 3 && table.counts.isNearlyFull {
      let run = try lock.withLock { try spilled.newRun() }
      try run.write(&table.counts)
      lock.withLock { spilled.add(run) }
      if bytes > tableBytes { table.counts = CountTable() }
    }
    lock.withLock { idle.append(table) }
  }

  /// Files written because memory did not suffice.
  package var spilledRuns: Int { spilled.written }

  /// The counts, when every text has ended.
  package func finish() throws -> WordCounts {
    var words = WordCounts()
    if try joinTables() {
      try spilled.merge { words.append($0, count: $1) }
    } else if let table = idle.popLast() {
      words = WordCounts(table.counts)
    }
    return words
  }

  /// Each word with its count, in the order of their bytes, when every text has ended.
  ///
  /// This never needs more memory than counting.
  package func finishSorted(_ body: (UnsafeBufferPointer<UInt8>, Int) throws -> Void) throws {
    if try joinTables() {
      try spilled.merge(body)
    } else if let table = idle.popLast() {
      try table.counts.drainSorted(on: WorkerPool(threads: threads), body)
    }
  }

  /// Leaves everything in one table, or everything on disk: then it returns true.
  private func joinTables() throws -> Bool {
    precondition(seam.isEmpty, "the text has not been ended")
    if spilled.written > 0 {
      for table in idle where table.counts.distinct > 0 {
        let run = try spilled.newRun()
        try run.write(&table.counts)
        spilled.add(run)
      }
      idle = []
      return true
    }
    let pool = WorkerPool(threads: max(1, idle.count / 2))
    while idle.count > 1 {
      let half = idle.count / 2
      idle.sort { $0.counts.bytes > $1.counts.bytes }
      let tables = idle
      pool.forEach(half) { index, _ in
        tables[index].counts.merge(tables[tables.count - 1 - index].counts)
        tables[tables.count - 1 - index].counts = CountTable()
      }
      idle.removeLast(half)
    }
    return false
  }
}
