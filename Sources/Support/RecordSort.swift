import Foundation

/// What records look like: `words` 64-bit words each, ordered by the first word, then the next, all unsigned.
package struct RecordFormat: Sendable, Equatable {
  package let words: Int
  /// Bytes stored of the last word on disk; the ones above them must be zero.
  package let lastBytes: Int

  package init(words: Int, lastBytes: Int = 8) {
    precondition(words >= 1 && (1...8).contains(lastBytes))
    self.words = words
    self.lastBytes = lastBytes
  }

  /// Bytes of a record on disk.
  package var storedBytes: Int { 8 * (words - 1) + lastBytes }
}

/// Sorting records in memory: radix from the most significant bits, out of place.
///
/// A pass takes as many bits as leave buckets of a few records. Keys that are hashes take two passes over the data; equal
/// keys take none.
enum RecordSort {
  typealias Words = UnsafeMutablePointer<UInt64>

  private static let insertionLimit = 24
  private static let widestDigit = 11

  /// Sorts `count` records; `scratch` has as much room.
  static func sort(_ records: Words, scratch: Words, count: Int, format: RecordFormat, pool: WorkerPool) {
    let digit = Digit(word: 0, shift: 56, bits: 8)
    guard count > 1 << 16, pool.threads > 1 else {
      sort(records, into: records, scratch: scratch, count: count, words: format.words, from: 64)
      return
    }
    // One pass for all, then a bucket a thread.
    var starts = [Int](repeating: 0, count: 257)
    starts.withUnsafeMutableBufferPointer {
      histogram(records, count, format.words, digit, $0.baseAddress!)
      var next = Array($0[..<256])
      next.withUnsafeMutableBufferPointer {
        scatter(records, scratch, count, format.words, digit, $0.baseAddress!)
      }
    }
    pool.forEach(256) { bucket, _ in
      let (start, end) = (starts[bucket], starts[bucket + 1])
      sort(
        scratch + start * format.words, into: records + start * format.words,
        scratch: records + start * format.words, count: end - start, words: format.words, from: 56)
    }
  }

  private struct Digit {
    let word: Int
    let shift: Int
    let bits: Int
    @inline(__always) func callAsFunction(_ record: Words) -> Int {
      Int(truncatingIfNeeded: (record[word] >> UInt64(shift)) & ((1 << UInt64(bits)) - 1))
    }
  }

  /// Sorts what lies in `source` into `target`, which is `source` itself or `scratch`.
  ///
  /// The records agree in all bits above `bitsLeft`, counted from the lowest bit of the first word where they may differ.
  private static func sort(
    _ source: Words, into target: Words, scratch: Words, count: Int, words: Int, from bitsLeft: Int,
    word: Int = 0
  ) {
    if count <= insertionLimit {
      insertionSort(source, count, words)
      if target != source { target.update(from: source, count: count * words) }
      return
    }
    var (word, bitsLeft) = (word, bitsLeft)
    if isSorted(source, count, words) {
      if target != source { target.update(from: source, count: count * words) }
      return
    }
    while true {
      if bitsLeft == 0 {
        word += 1
        bitsLeft = 64
        if word == words {
          if target != source { target.update(from: source, count: count * words) }
          return
        }
      }
      let bits = min(bitsLeft, widestDigit, max(3, Int.bitWidth - count.leadingZeroBitCount - 3))
      let digit = Digit(word: word, shift: bitsLeft - bits, bits: bits)
      let size = 1 << bits
      let isDone = withUnsafeTemporaryAllocation(of: Int.self, capacity: 2 * size + 1) { room in
        let starts = room.baseAddress!
        let next = starts + size + 1
        starts.initialize(repeating: 0, count: size + 1)
        histogram(source, count, words, digit, starts)
        if starts[digit(source) + 1] - starts[digit(source)] == count { return false }
        next.initialize(from: starts, count: size)
        scatter(source, scratch, count, words, digit, next)
        for bucket in 0..<size where starts[bucket + 1] > starts[bucket] {
          let start = starts[bucket] * words
          sort(
            scratch + start, into: target + start, scratch: source + start,
            count: starts[bucket + 1] - starts[bucket], words: words, from: digit.shift, word: word)
        }
        return true
      }
      if isDone { return }
      bitsLeft -= bits
    }
  }

  /// `starts[d]` becomes the number of records with a digit below d; it has room for one more than all digits.
  private static func histogram(
    _ records: Words, _ count: Int, _ words: Int, _ digit: Digit, _ starts: UnsafeMutablePointer<Int>
  ) {
    var record = records
    for _ in 0..<count {
      starts[digit(record) + 1] += 1
      record += words
    }
    for value in 1...(1 << digit.bits) { starts[value] += starts[value - 1] }
  }

  private static func scatter(
    _ source: Words, _ target: Words, _ count: Int, _ words: Int, _ digit: Digit,
    _ next: UnsafeMutablePointer<Int>
  ) {
    var record = source
    for _ in 0..<count {
      let value = digit(record)
      let place = target + next[value] * words
      next[value] += 1
      for word in 0..<words { place[word] = record[word] }
      record += words
    }
  }

  private static func isSorted(_ records: Words, _ count: Int, _ words: Int) -> Bool {
    var record = records
    for _ in 1..<count {
      if precedes(record + words, record, words) { return false }
      record += words
    }
    return true
  }

  private static func insertionSort(_ records: Words, _ count: Int, _ words: Int) {
    for index in stride(from: 1, to: count, by: 1) {
      var place = records + index * words
      while place > records, precedes(place, place - words, words) {
        for word in 0..<words { swap(&place[word], &place[word - words]) }
        place -= words
      }
    }
  }

  @inline(__always)
  static func precedes(_ a: UnsafePointer<UInt64>, _ b: UnsafePointer<UInt64>, _ words: Int) -> Bool {
    for word in 0..<words where a[word] != b[word] { return a[word] < b[word] }
    return false
  }

  @inline(__always) private static func precedes(_ a: Words, _ b: Words, _ words: Int) -> Bool {
    precedes(UnsafePointer(a), UnsafePointer(b), words)
  }
}
