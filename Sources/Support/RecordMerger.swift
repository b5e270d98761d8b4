import Foundation

/// The records of some parts of many runs in one order: a tournament of the runs' next records, each read through a
/// buffer of its own.
package final class RecordMerger {
  private let format: RecordFormat
  private let cursors: UnsafeMutablePointer<Cursor>
  @exclusivity(unchecked) private var runCount = 0
  /// The next record of each run, `words` words each.
  private let heads: UnsafeMutablePointer<UInt64>
  private let isExhausted: UnsafeMutablePointer<Bool>
  /// A complete binary tree: the run that lost at each inner node, the overall winner at 0.
  private let losers: UnsafeMutablePointer<Int>
  private let batch: UnsafeMutablePointer<UInt64>

  package static let parts = SortedRun.parts
  private static let batchRecords = 4096

  /// `memory` is shared by the buffers of all runs, of which none is smaller than 16 kB.
  ///
  /// `offsets`, one a run, are added to the last words: documents numbered on from set to set.
  package init(
    _ runs: [SortedRun], parts: Range<Int> = 0..<RecordMerger.parts, offsets: [UInt64] = [], memory: Int
  ) throws {
    format = runs.first?.format ?? RecordFormat(words: 1)
    precondition(runs.allSatisfy { [format] in $0.format == format }, "runs of different records")
    let bufferBytes = max(16 << 10, min(1 << 20, memory / max(runs.count, 1)))
    cursors = .allocate(capacity: max(runs.count, 1))
    heads = .allocate(capacity: max(runs.count, 1) * format.words)
    batch = .allocate(capacity: Self.batchRecords * format.words)
    isExhausted = .allocate(capacity: max(runs.count, 1))
    losers = .allocate(capacity: max(runs.count, 1))
    losers.initialize(repeating: -1, count: max(runs.count, 1))
    for (index, run) in runs.enumerated() {
      let offset = offsets.isEmpty ? 0 : offsets[index]
      (cursors + index).initialize(
        to: try Cursor(run, parts: parts, offset: offset, bufferBytes: bufferBytes))
      runCount += 1
      isExhausted[index] = !(try cursors[index].next(into: heads + index * format.words))
    }
    for run in 0..<runs.count { enter(run) }
  }

  deinit {
    cursors.deinitialize(count: runCount)
    cursors.deallocate()
    heads.deallocate()
    isExhausted.deallocate()
    losers.deallocate()
    batch.deallocate()
  }

  /// Some more records in ascending order (whole ones, `words` words each); nil after the last.
  ///
  /// The buffer is valid until the next call.
  package func next() throws -> UnsafeBufferPointer<UInt64>? {
    guard runCount > 0 else { return nil }
    let words = format.words
    var filled = 0
    while filled < Self.batchRecords, !isExhausted[losers[0]] {
      let winner = losers[0]
      let head = heads + winner * words
      (batch + filled * words).update(from: head, count: words)
      filled += 1
      isExhausted[winner] = !(try cursors[winner].next(into: head))
      replay(winner)
    }
    return filled == 0 ? nil : UnsafeBufferPointer(start: batch, count: filled * words)
  }

  /// Equal records come in the order of their runs.
  private func wins(_ a: Int, over b: Int) -> Bool {
    if isExhausted[a] || isExhausted[b] { return !isExhausted[a] || isExhausted[b] && a < b }
    let (first, second) = (heads + a * format.words, heads + b * format.words)
    if RecordSort.precedes(first, second, format.words) { return true }
    return a < b && !RecordSort.precedes(second, first, format.words)
  }

  /// Puts a run into the tree while it is built: it waits at the first free node for an opponent.
  private func enter(_ run: Int) {
    var winner = run
    var node = (run + runCount) / 2
    while node > 0 {
      if losers[node] < 0 {
        losers[node] = winner
        return
      }
      if wins(losers[node], over: winner) { swap(&losers[node], &winner) }
      node /= 2
    }
    losers[0] = winner
  }

  private func replay(_ run: Int) {
    var winner = run
    var node = (run + runCount) / 2
    while node > 0 {
      if wins(losers[node], over: winner) { swap(&losers[node], &winner) }
      node /= 2
    }
    losers[0] = winner
  }
}

/// The records of some parts of one run, in order, checked against the checksums.
private struct Cursor: ~Copyable {
  private let run: SortedRun
  private let descriptor: Int32
  private let buffer: UnsafeMutableRawBufferPointer
  /// The unread part of the buffer.
  private var unread = 0..<0
  private var part: Int
  private let endPart: Int
  /// Records of the current part that are not yet in the buffer.
  private var left: Int
  private var hash = StreamingXXH64()
  /// Where the next bytes lie in the file.
  private var position: Int
  private let offset: UInt64

  init(_ run: SortedRun, parts: Range<Int>, offset: UInt64, bufferBytes: Int) throws {
    self.run = run
    self.offset = offset
    descriptor = try SystemCall.open(run.path, O_RDONLY)
    let stored = run.format.storedBytes
    // The last word of a record is loaded as eight bytes.
    buffer = .allocate(byteCount: bufferBytes / stored * stored + 8, alignment: 64)
    part = parts.lowerBound
    endPart = parts.upperBound
    left = part < endPart ? run.counts[part] : 0
    position = run.start(of: part) * stored
  }

  deinit {
    close(descriptor)
    buffer.deallocate()
  }

  /// Whether there was one more record.
  @inline(__always)
  mutating func next(into record: UnsafeMutablePointer<UInt64>) throws -> Bool {
    if unread.isEmpty, !(try fill()) { return false }
    let format = run.format
    let last = format.words - 1
    for word in 0..<last {
      record[word] = UInt64(
        littleEndian: buffer.loadUnaligned(fromByteOffset: unread.lowerBound + 8 * word, as: UInt64.self))
    }
    let tail = UInt64(
      littleEndian: buffer.loadUnaligned(fromByteOffset: unread.lowerBound + 8 * last, as: UInt64.self))
    record[last] = (tail & (UInt64.max >> UInt64(64 - 8 * format.lastBytes))) &+ offset
    unread = (unread.lowerBound + format.storedBytes)..<unread.upperBound
    return true
  }

  private mutating func fill() throws -> Bool {
    while left == 0 {
      guard part < endPart else { return false }
      try run.check(hash.digest, of: part)
      hash = StreamingXXH64()
      part += 1
      guard part < endPart else { return false }
      left = run.counts[part]
    }
    let stored = run.format.storedBytes
    let wanted = min(left, (buffer.count - 8) / stored) * stored
    var filled = 0
    while filled < wanted {
      let count = pread(descriptor, buffer.baseAddress! + filled, wanted - filled, off_t(position + filled))
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw SystemCall.failure("read", run.path) }
      filled += count
    }
    hash.update(UnsafeRawBufferPointer(rebasing: buffer[..<wanted]))
    position += wanted
    left -= wanted / stored
    unread = 0..<wanted
    return true
  }
}
