import Support

/// Distinct pre-tokens with their counts: all that learning needs to know about a text.
package struct WordCounts: Sendable {
  /// The pre-tokens one after another.
  package private(set) var bytes: [UInt8] = []
  /// The end of each in ``bytes``.
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

  /// The range of a word in ``bytes``.
  package func range(of word: Int) -> Range<Int> { (word == 0 ? 0 : ends[word - 1])..<ends[word] }

  /// The words, the most frequent first. The order of words with equal counts does not matter.
  func byFallingCount() -> [Int] {
    // Nearly all counts are small; their words are sorted by counting, the others by comparing.
    let limit = 1 << 12
    var starts = [Int](repeating: 0, count: limit + 1)
    for count in counts { starts[limit - min(count, limit)] += 1 }
    var next = 0
    for index in starts.indices {
      let words = starts[index]
      starts[index] = next
      next += words
    }
    var order = [Int](repeating: 0, count: distinct)
    for (word, count) in counts.enumerated() {
      let bucket = limit - min(count, limit)
      order[starts[bucket]] = word
      starts[bucket] += 1
    }
    // The first bucket holds the frequent words.
    order[..<starts[0]].sort { counts[$0] > counts[$1] }
    return order
  }
}
