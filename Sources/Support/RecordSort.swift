import Foundation

/// Words per record: if the compiler knows the number, moving a record takes a few instructions.
private protocol RecordWidth { var words: Int { get } }
private struct OneWord: RecordWidth { var words: Int { 1 } }
private struct TwoWords: RecordWidth { var words: Int { 2 } }
private struct ThreeWords: RecordWidth { var words: Int { 3 } }
private struct FourWords: RecordWidth { var words: Int { 4 } }
private struct AnyWords: RecordWidth { let words: Int }

/// Sorts records in memory: radix sort from the most significant bits, out of place.
///
/// A pass uses as many bits as leave buckets of a few records. Small buckets are sorted by insertion, others
/// by another pass. A few million records whose keys are hashes take two passes over the data; equal keys
/// take none.
enum RecordSort {
  typealias Words = UnsafeMutablePointer<UInt64>

  private static let insertionLimit = 24
  private static let widestDigit = 11

  /// Sorts `count` records on all threads of `pool`; `scratch` must have the same capacity as `records`.
  static func sort(
    _ records: Words, scratch: Words, count: Int, format: RecordFormat, pool: WorkerPool? = nil
  ) {
    switch format.words {
    case 1: sort(records, scratch, count, OneWord(), pool)
    case 2: sort(records, scratch, count, TwoWords(), pool)
    case 3: sort(records, scratch, count, ThreeWords(), pool)
    case 4: sort(records, scratch, count, FourWords(), pool)
    default: sort(records, scratch, count, AnyWords(words: format.words), pool)
    }
  }

  private static func sort(
    _ records: Words, _ scratch: Words, _ count: Int, _ width: some RecordWidth, _ pool: WorkerPool?
  ) {
    if count < 2 { return }
    let bits = differingBits(records, count, width, 0)
    guard let pool, pool.threads > 1, count > 1 << 16, bits >= 8 else {
      sort(records, into: records, scratch: scratch, count: count, width, from: bits)
      return
    }
    // One pass over all records, then one bucket per thread.
    let (digit, words) = (Digit(word: 0, shift: bits - 8, bits: 8), width.words)
    var starts = [Int](repeating: 0, count: 257)
    starts.withUnsafeMutableBufferPointer {
      histogram(records, count, width, digit, $0.baseAddress!)
      var next = Array($0[..<256])
      next.withUnsafeMutableBufferPointer {
        scatter(records, scratch, count, width, digit, $0.baseAddress!)
      }
    }
    pool.forEach(256) { bucket, _ in
      let (start, end) = (starts[bucket], starts[bucket + 1])
      sort(
        scratch + start * words, into: records + start * words, scratch: records + start * words,
        count: end - start, width, from: bits - 8)
    }
  }

  private struct Digit {
    let word: Int
    let shift: Int
    let bits: Int
    @inline(__always) func callAsFunction(_ record: Words) -> Int {
      Int(
        truncatingIfNeeded: (record[word] &>> UInt64(truncatingIfNeeded: shift))
          & (1 &<< UInt64(truncatingIfNeeded: bits) &- 1))
    }
  }

  /// Sorts the records of `source` into `target`, which is `source` or `scratch`.
  ///
  /// The records agree in all words before `word`, and in `word` above the lowest `bitsLeft` bits.
  private static func sort(
    _ source: Words, into target: Words, scratch: Words, count: Int, _ width: some RecordWidth,
    from bitsLeft: Int, word: Int = 0
  ) {
    let words = width.words
    if count <= insertionLimit || isSorted(source, count, width) {
      if count <= insertionLimit { insertionSort(source, count, width) }
      if target != source { target.update(from: source, count: count * words) }
      return
    }
    var (word, bitsLeft) = (word, bitsLeft)
    while true {
      if bitsLeft == 0 {
        word += 1
        // Records that agree in all words are sorted, which was checked above.
        precondition(word < words)
        bitsLeft = differingBits(source, count, width, word)
        continue
      }
      let bits = min(bitsLeft, widestDigit, max(3, Int.bitWidth - count.leadingZeroBitCount - 2))
      let digit = Digit(word: word, shift: bitsLeft - bits, bits: bits)
      let size = 1 << bits
      let isDone = withUnsafeTemporaryAllocation(of: Int.self, capacity: 2 * size + 1) { buffer in
        let starts = buffer.baseAddress!
        let next = starts + size + 1
        starts.initialize(repeating: 0, count: size + 1)
        let largest = histogram(source, count, width, digit, starts)
        if largest == count { return false }
        next.initialize(from: starts, count: size)
        scatter(source, scratch, count, width, digit, next)
        if largest <= insertionLimit {
          // Insertion moves no record out of its bucket, so one call sorts all buckets.
          insertionSort(scratch, count, width)
          if target != scratch { target.update(from: scratch, count: count * words) }
          return true
        }
        for bucket in 0..<size where starts[bucket + 1] > starts[bucket] {
          let start = starts[bucket] * words
          sort(
            scratch + start, into: target + start, scratch: source + start,
            count: starts[bucket + 1] - starts[bucket], width, from: digit.shift, word: word)
        }
        return true
      }
      if isDone { return }
      bitsLeft = differingBits(source, count, width, word)
    }
  }

  /// The number of low bits of a word in which records differ: all agree in the bits above them.
  private static func differingBits(_ records: Words, _ count: Int, _ width: some RecordWidth, _ word: Int)
    -> Int
  {
    var (record, bits) = (records + word, 0 as UInt64)
    let first = record[0]
    for _ in 0..<count {
      bits |= record[0] ^ first
      record += width.words
    }
    return UInt64.bitWidth - bits.leadingZeroBitCount
  }

  /// Sets `starts[d]` to the number of records with a digit below d; there is one more element than there are
  /// digits.
  ///
  /// Returns the number of records in the largest bucket.
  @discardableResult
  private static func histogram(
    _ records: Words, _ count: Int, _ width: some RecordWidth, _ digit: Digit,
    _ starts: UnsafeMutablePointer<Int>
  ) -> Int {
    var record = records
    for _ in 0..<count {
      starts[digit(record) &+ 1] &+= 1
      record += width.words
    }
    var largest = 0
    for value in 1...(1 << digit.bits) {
      largest = max(largest, starts[value])
      starts[value] &+= starts[value &- 1]
    }
    return largest
  }

  private static func scatter(
    _ source: Words, _ target: Words, _ count: Int, _ width: some RecordWidth, _ digit: Digit,
    _ next: UnsafeMutablePointer<Int>
  ) {
    var record = source
    for _ in 0..<count {
      let value = digit(record)
      let destination = target + next[value] &* width.words
      next[value] &+= 1
      for word in 0..<width.words { destination[word] = record[word] }
      record += width.words
    }
  }

  private static func isSorted(_ records: Words, _ count: Int, _ width: some RecordWidth) -> Bool {
    var record = records
    for _ in 1..<count {
      if precedes(record + width.words, record, width) { return false }
      record += width.words
    }
    return true
  }

  private static func insertionSort(_ records: Words, _ count: Int, _ width: some RecordWidth) {
    let words = width.words
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: words) { buffer in
      let moving = buffer.baseAddress!
      var record = records
      for _ in stride(from: 1, to: count, by: 1) {
        record += words
        if !precedes(record, record - words, width) { continue }
        for word in 0..<words { moving[word] = record[word] }
        var hole = record
        repeat {
          for word in 0..<words { hole[word] = (hole - words)[word] }
          hole -= words
        } while hole > records && precedes(moving, hole - words, width)
        for word in 0..<words { hole[word] = moving[word] }
      }
    }
  }

  @inline(__always)
  private static func precedes(_ a: Words, _ b: Words, _ width: some RecordWidth) -> Bool {
    precedes(UnsafePointer(a), UnsafePointer(b), width.words)
  }

  @inline(__always)
  static func precedes(_ a: UnsafePointer<UInt64>, _ b: UnsafePointer<UInt64>, _ words: Int) -> Bool {
    for word in 0..<words where a[word] != b[word] { return a[word] < b[word] }
    return false
  }
}
