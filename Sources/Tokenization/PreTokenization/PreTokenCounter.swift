import Foundation
import Support
import Synchronization

/// Counts pre-tokens on several threads, each in a table of its own; the tables are merged at the end.
///
/// The counts are exact in 64 bits. They do not depend on the number of threads, nor on the parts in which a
/// text arrives: they are those of the whole text.
///
/// For whole texts, call ``countText(_:)`` from any thread. For a text in parts, call ``countInside(_:)``
/// from any thread, pass its results to ``join(_:)`` in the order of the text, and call ``endText()`` after
/// the last one. For words that are counted already, call ``count(_:)``.
///
/// A pre-token of more than ``longestWord`` bytes, such as a line of zeros, counts as several of at most that size: so
/// memory stays bounded however long a run without a place to cut is.
///
/// A table that would outgrow its share of `memory` is sorted, written to disk and emptied; the result is
/// then merged from the sorted files (``SpilledCounts``).
package final class PreTokenCounter: Sendable {
  private let preTokenizer: PreTokenizer
  /// The maximum size of one table in bytes.
  private let tableBytes: Int
  /// The size of a part of a text that a table can count without growing far beyond that.
  private let partBytes: Int
  private let threads: Int
  private let tables = IdlePool<Table>()
  private let lock = NSLock()
  /// Guarded by `lock`; once every text has ended, only the thread that finishes uses it.
  private nonisolated(unsafe) var spilled: SpilledCounts
  /// The text since the last safe cut.
  private let seam = Mutex<[UInt8]>([])

  private final class Table {
    var counts = CountTable()

    /// Pre-tokens that are found but not yet counted.
    private let spans = UnsafeMutableBufferPointer<CountTable.Span>.allocate(capacity: 256)

    deinit { spans.deallocate() }

    /// Counts the pre-tokens that begin before `limit`.
    func count(_ text: UnsafeBufferPointer<UInt8>, _ preTokenizer: PreTokenizer, before limit: Int = .max) {
      let spans = spans
      var found = 0
      preTokenizer.forEachPreToken(in: text) { start, end in
        guard end &- start <= PreTokenCounter.longestWord && start < limit else {
          return addPieces(of: text, start..<end, before: limit)
        }
        spans[found] = CountTable.Span(start: start, end: end)
        found &+= 1
        if found == spans.count {
          counts.add(UnsafeBufferPointer(spans), of: text)
          found = 0
        }
      }
      counts.add(UnsafeBufferPointer(rebasing: spans[..<found]), of: text)
    }

    @inline(never)
    private func addPieces(of text: UnsafeBufferPointer<UInt8>, _ word: Range<Int>, before limit: Int) {
      for piece in PreTokenCounter.pieces(of: text, word) where piece.lowerBound < limit {
        counts.add(
          text.baseAddress! + piece.lowerBound, length: piece.count, readable: text.count - piece.lowerBound)
      }
    }
  }

  /// The size in bytes from which a pre-token counts as several.
  package static let longestWord = 1 << 20

  /// The parts of a long pre-token, which end between characters.
  private static func pieces(of text: UnsafeBufferPointer<UInt8>, _ word: Range<Int>) -> [Range<Int>] {
    var pieces: [Range<Int>] = []
    var start = word.lowerBound
    while word.upperBound - start > longestWord {
      var end = start + longestWord
      while end > start + longestWord - 3 && text[end] & 0xc0 == 0x80 { end -= 1 }
      pieces.append(start..<end)
      start = end
    }
    return pieces + [start..<word.upperBound]
  }

  /// What remains of a part of a text when everything between its first and last safe cut is counted.
  package struct Ends: Sendable {
    let head: [UInt8]
    /// Nil if there was no safe cut; `head` is the whole part then.
    let tail: [UInt8]?
  }

  /// The tables of all threads may take `memory` bytes together; more goes to files in `temporaryDirectory`.
  package init(
    _ preTokenizer: PreTokenizer, memory: Int = .max, threads: Int = 1,
    temporaryDirectory: String = TemporaryDirectory.common
  ) {
    self.preTokenizer = preTokenizer
    // The thread that joins has a table, too. Sorting the words of a table takes up to a sixth more than
    // counting them.
    tableBytes = memory / (threads + 1) / 7 * 6
    partBytes = min(max(tableBytes / 16, 1 << 16), 1 << 22)
    self.threads = threads
    spilled = SpilledCounts(in: temporaryDirectory)
  }

  package func countText(_ text: UnsafeBufferPointer<UInt8>) throws {
    // Between two parts, a table that has grown too large is written to disk.
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

  /// Counts a part of a text, except its two ends.
  package func countInside(_ part: UnsafeBufferPointer<UInt8>) throws -> Ends {
    guard let (first, last) = preTokenizer.safeCuts(in: part) else {
      return Ends(head: Array(part), tail: nil)
    }
    try countText(UnsafeBufferPointer(rebasing: part[first..<last]))
    return Ends(head: Array(part[..<first]), tail: Array(part[last...]))
  }

  package func join(_ ends: Ends) throws {
    let isLong = seam.withLock { seam in
      seam += ends.head
      return seam.count > Self.longestSeam
    }
    guard let tail = ends.tail else {
      if isLong { try shortenSeam() }
      return
    }
    try endText()
    seam.withLock { $0 = tail }
  }

  private static let longestSeam = 4 * longestWord
  /// So many pre-tokens at the end of the seam may change by what follows.
  private static let openPreTokens = 64

  /// Counts the pre-tokens of the seam that no later text can change.
  private func shortenSeam() throws {
    var starts = [Int](repeating: 0, count: Self.openPreTokens)
    var found = 0
    let text = seam.withLock { seam in
      defer { seam = [] }
      return seam
    }
    let end = try text.withUnsafeBufferPointer { text in
      preTokenizer.forEachPreToken(in: text) { start, _ in
        starts[found % Self.openPreTokens] = start
        found += 1
      }
      guard found > 0 else { return 0 }
      let last = starts[(found - 1) % Self.openPreTokens]
      // All but one or two pieces of a long pre-token at the end, or all pre-tokens but the last ones.
      let end =
        text.count - last > 3 * Self.longestWord
        ? Self.pieces(of: text, last..<text.count).dropLast(2).last!.upperBound
        : found > Self.openPreTokens ? starts[found % Self.openPreTokens] : 0
      if end > 0 { try withTable { $0.count(text, preTokenizer, before: end) } }
      return end
    }
    seam.withLock { $0 = Array(text[end...]) }
  }

  package func endText() throws {
    let text = seam.withLock { seam in
      defer { seam = [] }
      return seam
    }
    try text.withUnsafeBufferPointer { try countText($0) }
  }

  private func withTable(_ body: (Table) -> Void) throws {
    try tables.with(orMake: Table.init) { table in
      body(table)
      // To grow, a table needs memory for the old entries and for twice as many.
      let bytes = table.counts.bytes
      if bytes > tableBytes || bytes > tableBytes / 3 && table.counts.isNearlyFull {
        try spill(table)
        if bytes > tableBytes { table.counts = CountTable() }
      }
    }
  }

  /// Writes the counts of a table to disk and empties it.
  private func spill(_ table: Table) throws {
    let run = try lock.withLock { try spilled.newRun() }
    try run.write(&table.counts)
    lock.withLock { spilled.add(run) }
  }

  /// The number of files written because memory did not suffice.
  package var spilledRuns: Int { lock.withLock { spilled.written } }

  /// The counts. Every text must have ended.
  package func finish() throws -> WordCounts {
    if let table = try joinTables() { return WordCounts(table.counts) }
    var words = WordCounts()
    try spilled.merge { words.append($0, count: $1) }
    return words
  }

  /// Calls `body` with each word and its count, in the order of their bytes. Every text must have ended.
  ///
  /// This never needs more memory than counting.
  package func finishSorted(_ body: (UnsafeBufferPointer<UInt8>, Int) throws -> Void) throws {
    if let table = try joinTables() {
      try table.counts.drainSorted(on: WorkerPool(threads: threads), body)
    } else {
      try spilled.merge(body)
    }
  }

  /// Collects all counts in one table; returns nil if they are on disk, all of them then.
  private func joinTables() throws -> Table? {
    precondition(seam.withLock { $0.isEmpty }, "the text has not been ended")
    var idle = tables.removeAll()
    if spilledRuns > 0 {
      for table in idle where table.counts.distinct > 0 { try spill(table) }
      return nil
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
    return idle.first ?? Table()
  }
}
