import Algorithms
import Foundation

/// The records of some parts of many runs in one order, each run read through a buffer of its own.
///
/// What all buffers hold up to the least of their last records is sorted at once, in the caches, rather than record by
/// record in a tournament: that takes the same time a record for two runs and for two hundred.
package final class RecordMerger {
  private let format: RecordFormat
  private let cursors: UnsafeMutablePointer<Cursor>
  @exclusivity(unchecked) private var runCount = 0
  /// Room for what all buffers hold, and again as much for sorting it; none for one run.
  private let batch: UnsafeMutablePointer<UInt64>
  private let scratch: UnsafeMutablePointer<UInt64>

  package static let parts = SortedRun.parts
  /// So much of all runs together stays in the caches.
  private static let cachedBytes = 1 << 18

  /// `memory` is shared by the buffers of all runs, of which none is smaller than 16 kB.
  ///
  /// `offsets`, one a run, are added to the last words: documents numbered on from set to set.
  package init(
    _ runs: [SortedRun], parts: Range<Int> = 0..<RecordMerger.parts, offsets: [UInt64] = [], memory: Int
  ) throws {
    format = runs.first?.format ?? RecordFormat(words: 1)
    precondition(runs.allSatisfy { [format] in $0.format == format }, "runs of different records")
    // Records take their room as stored, as words, in the batch, and where that is sorted.
    let share = min(memory / 4, Self.cachedBytes) / max(runs.count, 1)
    let room = max(1, max(16 << 10, share) / (8 * format.words))
    cursors = .allocate(capacity: max(runs.count, 1))
    let batchWords = runs.count > 1 ? runs.count * room * format.words : 0
    batch = .allocate(capacity: batchWords)
    scratch = .allocate(capacity: batchWords)
    for (index, run) in runs.enumerated() {
      let offset = offsets.isEmpty ? 0 : offsets[index]
      (cursors + index).initialize(to: try Cursor(run, parts: parts, offset: offset, room: room))
      runCount += 1
    }
  }

  deinit {
    cursors.deinitialize(count: runCount)
    cursors.deallocate()
    batch.deallocate()
    scratch.deallocate()
  }

  /// Some more records in ascending order (whole ones, `words` words each); nil after the last.
  ///
  /// The buffer is valid until the next call.
  package func next() throws -> UnsafeBufferPointer<UInt64>? {
    let words = format.words
    // No run has anything up to the bound that is not in its buffer.
    var bound: UnsafePointer<UInt64>?
    for index in 0..<runCount {
      try cursors[index].fill()
      if !cursors[index].hasMore { continue }
      let last = cursors[index].last
      if bound == nil || RecordSort.precedes(last, bound!, words) { bound = last }
    }
    if runCount == 1 { return cursors[0].take(through: nil) }
    var count = 0
    for index in 0..<runCount {
      guard let piece = cursors[index].take(through: bound) else { continue }
      (batch + count).update(from: piece.baseAddress!, count: piece.count)
      count += piece.count
    }
    if count == 0 { return nil }
    RecordSort.sort(batch, scratch: scratch, count: count / words, format: format)
    return UnsafeBufferPointer(start: batch, count: count)
  }
}

/// The records of some parts of one run, in order, checked against the checksums.
private struct Cursor: ~Copyable {
  private let run: SortedRun
  private let descriptor: Int32
  private let stored: UnsafeMutableRawBufferPointer
  private let records: UnsafeMutablePointer<UInt64>
  private let room: Int
  /// Records of the buffer that were not taken yet.
  private var unread = 0..<0
  /// Records that are not yet in the buffer.
  private var left: Int
  private var part: Int
  private var leftOfPart: Int
  private var hash = StreamingXXH64()
  /// Where the next bytes lie in the file.
  private var position: Int
  private let offset: UInt64

  init(_ run: SortedRun, parts: Range<Int>, offset: UInt64, room: Int) throws {
    self.run = run
    self.offset = offset
    self.room = room
    descriptor = try SystemCall.open(run.path, O_RDONLY)
    // The last word of a record is loaded as eight bytes.
    stored = .allocate(byteCount: room * run.format.storedBytes + 8, alignment: 64)
    records = .allocate(capacity: room * run.format.words)
    left = run.counts[parts].reduce(0, +)
    part = parts.lowerBound
    leftOfPart = left > 0 ? run.counts[part] : 0
    position = run.start(of: part) * run.format.storedBytes
  }

  deinit {
    close(descriptor)
    stored.deallocate()
    records.deallocate()
  }

  var hasMore: Bool { left > 0 }

  /// The last record in the buffer, which must not be empty.
  var last: UnsafePointer<UInt64> { UnsafePointer(records + (unread.upperBound - 1) * run.format.words) }

  /// The records up to one, or all that are in the buffer; nil where there are none.
  mutating func take(through bound: UnsafePointer<UInt64>?) -> UnsafeBufferPointer<UInt64>? {
    let words = run.format.words
    var end = unread.upperBound
    if let bound {
      let records = records
      end = unread.partitioningIndex { RecordSort.precedes(bound, records + $0 * words, words) }
    }
    let taken = unread.lowerBound..<end
    unread = end..<unread.upperBound
    return taken.isEmpty
      ? nil : UnsafeBufferPointer(start: records + taken.lowerBound * words, count: taken.count * words)
  }

  /// Reads on when all was taken.
  mutating func fill() throws {
    guard unread.isEmpty, left > 0 else { return }
    let (format, count) = (run.format, min(left, room))
    let wanted = count * format.storedBytes
    var filled = 0
    while filled < wanted {
      let read = pread(descriptor, stored.baseAddress! + filled, wanted - filled, off_t(position + filled))
      if read < 0 && errno == EINTR { continue }
      guard read > 0 else { throw SystemCall.failure("read", run.path) }
      filled += read
    }
    position += wanted
    left -= count
    try check(count)
    let mask = UInt64.max >> UInt64(64 - 8 * format.lastBytes)
    var (from, to) = (UnsafeRawPointer(stored.baseAddress!), records)
    for _ in 0..<count {
      for word in 0..<format.words {
        to[word] = UInt64(littleEndian: from.loadUnaligned(fromByteOffset: 8 * word, as: UInt64.self))
      }
      to[format.words - 1] = (to[format.words - 1] & mask) &+ offset
      from += format.storedBytes
      to += format.words
    }
    unread = 0..<count
  }

  /// Takes the next records into the checksums of their parts.
  private mutating func check(_ count: Int) throws {
    var (first, count) = (0, count)
    while count > 0 {
      while leftOfPart == 0 {
        part += 1
        leftOfPart = run.counts[part]
      }
      let piece = min(count, leftOfPart)
      let bytes = run.format.storedBytes
      hash.update(UnsafeRawBufferPointer(rebasing: stored[(first * bytes)..<((first + piece) * bytes)]))
      first += piece
      count -= piece
      leftOfPart -= piece
      if leftOfPart == 0 {
        try run.check(hash.digest, of: part)
        hash = StreamingXXH64()
      }
    }
  }
}
