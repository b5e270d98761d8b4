import Algorithms
import Foundation

/// Merges some parts of many sorted runs, each of which is read through its own buffer.
///
/// All buffered records up to the smallest of the buffers' last records are sorted together, in the caches,
/// instead of record by record in a tournament tree: the time per record is the same for two runs and for two
/// hundred.
package final class RecordMerger {
  private let format: RecordFormat
  private let cursors: UnsafeMutablePointer<Cursor>
  @exclusivity(unchecked) private var runCount = 0
  /// The records of all buffers, and as much memory for sorting them; empty for one run.
  private let batch: UnsafeMutablePointer<UInt64>
  private let scratch: UnsafeMutablePointer<UInt64>

  package static let parts = SortedRun.parts
  /// The buffers of all runs together must fit in the caches.
  private static let cachedBytes = 1 << 18

  /// The buffers of all runs share `memory`, but none is smaller than 16 kB.
  ///
  /// `offsets`, one per run, are added to the last words of the records, where they continue a numbering from
  /// run to run.
  package init(
    _ runs: [SortedRun], parts: Range<Int> = 0..<RecordMerger.parts, offsets: [UInt64] = [], memory: Int
  ) throws {
    format = runs.first?.format ?? RecordFormat(words: 1)
    precondition(runs.allSatisfy { [format] in $0.format == format }, "runs of different records")
    // Each record is in memory four times: as stored, as words, in the batch, and in the scratch buffer.
    let share = min(memory / 4, Self.cachedBytes) / max(runs.count, 1)
    let capacity = max(1, max(16 << 10, share) / (8 * format.words))
    cursors = .allocate(capacity: max(runs.count, 1))
    let batchWords = runs.count > 1 ? runs.count * capacity * format.words : 0
    batch = .allocate(capacity: batchWords)
    scratch = .allocate(capacity: batchWords)
    for (index, run) in runs.enumerated() {
      let offset = offsets.isEmpty ? 0 : offsets[index]
      (cursors + index).initialize(to: try Cursor(run, parts: parts, offset: offset, capacity: capacity))
      runCount += 1
    }
  }

  deinit {
    cursors.deinitialize(count: runCount)
    cursors.deallocate()
    batch.deallocate()
    scratch.deallocate()
  }

  /// The next records in ascending order, `words` words each; nil after the last.
  ///
  /// The buffer is valid until the next call.
  package func next() throws -> UnsafeBufferPointer<UInt64>? {
    let words = format.words
    // Every record up to the bound is in a buffer.
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
      guard let records = cursors[index].take(through: bound) else { continue }
      (batch + count).update(from: records.baseAddress!, count: records.count)
      count += records.count
    }
    if count == 0 { return nil }
    RecordSort.sort(batch, scratch: scratch, count: count / words, format: format)
    return UnsafeBufferPointer(start: batch, count: count)
  }
}

/// Reads some parts of one run in order, and checks them against their checksums.
private struct Cursor: ~Copyable {
  private let run: SortedRun
  private let descriptor: Int32
  private let stored: UnsafeMutableRawBufferPointer
  private let records: UnsafeMutablePointer<UInt64>
  /// The capacity of the buffer in records.
  private let capacity: Int
  /// The records of the buffer that have not been taken yet.
  private var unread = 0..<0
  /// The number of records that are not in the buffer yet.
  private var left: Int
  private var part: Int
  private var leftOfPart: Int
  private var hash = StreamingXXH64()
  /// The offset in the file of the next record to read.
  private var position: Int
  private let offset: UInt64

  init(_ run: SortedRun, parts: Range<Int>, offset: UInt64, capacity: Int) throws {
    self.run = run
    self.offset = offset
    self.capacity = capacity
    descriptor = try SystemCall.open(run.path, O_RDONLY)
    // The last word of a record is loaded as eight bytes.
    stored = .allocate(byteCount: capacity * run.format.storedBytes + 8, alignment: 64)
    records = .allocate(capacity: capacity * run.format.words)
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

  /// Takes the records of the buffer up to `bound`, or all of them; returns nil if there are none.
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

  /// Reads the next records if all of the buffer have been taken.
  mutating func fill() throws {
    guard unread.isEmpty, left > 0 else { return }
    let (format, count) = (run.format, min(left, capacity))
    let wanted = count * format.storedBytes
    var filled = 0
    while filled < wanted {
      let read = pread(descriptor, stored.baseAddress! + filled, wanted - filled, off_t(position + filled))
      if read < 0 && errno == EINTR { continue }
      guard read > 0 else {
        if read < 0 { throw SystemCall.failure("read", run.path) }
        throw Failure(
          .badInput, "ends before its last record", file: run.path,
          remedy: "The file was changed: remove it and run again")
      }
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

  /// Adds the records to the checksums of their parts, and checks each part at its end.
  private mutating func check(_ count: Int) throws {
    var (first, count) = (0, count)
    while count > 0 {
      while leftOfPart == 0 {
        part += 1
        leftOfPart = run.counts[part]
      }
      let taken = min(count, leftOfPart)
      let bytes = run.format.storedBytes
      hash.update(UnsafeRawBufferPointer(rebasing: stored[(first * bytes)..<((first + taken) * bytes)]))
      first += taken
      count -= taken
      leftOfPart -= taken
      if leftOfPart == 0 {
        try run.check(hash.digest, of: part)
        hash = StreamingXXH64()
      }
    }
  }
}
