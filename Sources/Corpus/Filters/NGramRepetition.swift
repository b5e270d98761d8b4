/// Finds the word sequences that a document repeats, by their 64-bit hashes.
///
/// A sequence of n words can be repeated only if its first n - 1 words are. So triples are searched for only
/// at the positions of repeated pairs, and so on. In natural text few positions remain after three words, so
/// all sequences of up to ten words cost little more than the pairs.
final class NGramRepetition {
  /// The number of characters in all occurrences of the most frequent sequence of 2 to 4 words, spaces
  /// between the words included; of several, the first one counts.
  private(set) var top = [Int](repeating: 0, count: 5)
  /// The number of characters in repeated sequences of 5 to 10 words. No word is counted twice.
  private(set) var duplicate = [Int](repeating: 0, count: 11)

  /// A position at which a sequence begins that may be repeated.
  private struct Position {
    /// The index of its first word.
    var word: UInt32
    /// At the first occurrence, the number of occurrences with ``isFirst`` set; elsewhere the index of the
    /// first occurrence.
    var link: UInt32

    static let isFirst: UInt32 = 1 << 31
    static let wasVisited: UInt32 = 1 << 30
  }

  /// Words beyond this number, which take at least a gigabyte of text, are ignored.
  private static let wordLimit = 1 << 30

  private var positions: UnsafeMutablePointer<Position>
  private var positionCapacity = 1 << 10
  /// The memory of one of two hash tables, of which only one is in use at a time. Either it counts the
  /// sequences per bucket (0, 1, or bit 1 set for more) or, with open addressing, it maps sequences to
  /// position indices plus one (0 in an empty slot).
  private var table: UnsafeMutableRawPointer
  private var tableBytes = 1 << 14

  init() {
    table = .allocate(byteCount: tableBytes, alignment: 8)
    positions = .allocate(capacity: positionCapacity)
  }

  deinit {
    table.deallocate()
    positions.deallocate()
  }

  /// Computes ``top`` and ``duplicate``.
  func measure(_ words: WordSequence) {
    for n in 2...4 { top[n] = 0 }
    for n in 5...10 { duplicate[n] = 0 }
    let count = min(words.count, Self.wordLimit)
    guard count >= 2 else { return }
    reserve(count)
    var kept = 0
    var factor = WordSequence.factor
    for n in 2...min(10, count) {
      factor &*= WordSequence.factor
      let sequences = Sequences(n: n, hashes: words.hashes, factor: factor)
      kept = n == 2 ? findPairs(sequences, count) : extend(sequences, kept, count)
      tally(sequences, kept)
      if n <= 4 { top[n] = mostFrequent(n, kept, words.offsets) }
      if n >= 5 { duplicate[n] = repeatedCharacters(n, kept, words.offsets) }
      kept = keepRepeated(kept)
    }
  }

  /// The sequences of n words, by the index of their first word.
  private struct Sequences {
    let n: Int
    let hashes: UnsafePointer<UInt64>
    /// The n-th power of the factor of the hashes.
    let factor: UInt64

    init(n: Int, hashes: UnsafeMutablePointer<UInt64>, factor: UInt64) {
      (self.n, self.hashes, self.factor) = (n, UnsafePointer(hashes), factor)
    }

    @inline(__always)
    func hash(_ word: Int) -> UInt64 { hashes[word &+ n] &- hashes[word] &* factor }
  }

  private func reserve(_ count: Int) {
    if count > positionCapacity {
      positionCapacity = max(count, 2 * positionCapacity)
      positions.deallocate()
      positions = .allocate(capacity: positionCapacity)
    }
  }

  /// The table with `count` entries, all zero.
  private func clearTable<Entry: FixedWidthInteger>(_ type: Entry.Type, _ count: Int)
    -> UnsafeMutablePointer<Entry>
  {
    let bytes = count * MemoryLayout<Entry>.stride
    if bytes > tableBytes {
      tableBytes = max(bytes, 2 * tableBytes)
      table.deallocate()
      table = .allocate(byteCount: tableBytes, alignment: 8)
    }
    let entries = table.bindMemory(to: Entry.self, capacity: count)
    entries.update(repeating: 0, count: count)
    return entries
  }

  /// The index of a hash among `count` entries.
  @inline(__always)
  private static func index(_ hash: UInt64, _ count: Int) -> Int {
    Int(truncatingIfNeeded: hash.multipliedFullWidth(by: UInt64(truncatingIfNeeded: count)).high)
  }

  /// Collects the positions of word pairs that may be repeated because they share a bucket, and returns their
  /// number.
  ///
  /// Nearly all sequences of natural text are decided here, so the loops avoid branches that are hard to
  /// predict.
  private func findPairs(_ sequences: Sequences, _ count: Int) -> Int {
    let size = 4 * count
    let buckets = clearTable(UInt8.self, size)
    let positions = positions
    for word in 0..<(count &- 1) {
      let bucket = buckets + Self.index(sequences.hash(word), size)
      bucket.pointee = bucket.pointee << 1 | 1
    }
    var end = 0
    for word in 0..<(count &- 1) {
      positions[end] = Position(word: UInt32(truncatingIfNeeded: word), link: 0)
      end &+= Int(buckets[Self.index(sequences.hash(word), size)] >> 1 & 1)
    }
    return end
  }

  /// Reduces the first `kept` positions to those at which a sequence one word longer may be repeated, in the
  /// same way.
  private func extend(_ sequences: Sequences, _ kept: Int, _ count: Int) -> Int {
    let size = max(4 * kept, 1)
    let buckets = clearTable(UInt8.self, size)
    let positions = positions
    var whole = 0
    while whole < kept {
      let word = Int(positions[whole].word)
      if word &+ sequences.n > count { break }
      let bucket = buckets + Self.index(sequences.hash(word), size)
      bucket.pointee = bucket.pointee << 1 | 1
      whole &+= 1
    }
    var end = 0
    for number in 0..<whole {
      let position = positions[number]
      positions[end] = position
      end &+= Int(buckets[Self.index(sequences.hash(Int(position.word)), size)] >> 1 & 1)
    }
    return end
  }

  /// Counts the sequences at the first `kept` positions.
  private func tally(_ sequences: Sequences, _ kept: Int) {
    let size = max(2 * kept, 1)
    let slots = clearTable(UInt32.self, size)
    let positions = positions
    for number in 0..<kept {
      let hash = sequences.hash(Int(positions[number].word))
      var slot = Self.index(hash, size)
      while true {
        let other = Int(slots[slot]) &- 1
        if other < 0 {
          slots[slot] = UInt32(truncatingIfNeeded: number &+ 1)
          positions[number].link = Position.isFirst | 1
          break
        }
        if sequences.hash(Int(positions[other].word)) == hash {
          positions[other].link &+= 1
          positions[number].link = UInt32(truncatingIfNeeded: other)
          break
        }
        slot &+= 1
        if slot == size { slot = 0 }
      }
    }
  }

  private func mostFrequent(_ n: Int, _ kept: Int, _ offsets: UnsafePointer<UInt32>) -> Int {
    let positions = positions
    // If no sequence is repeated, the first one of the text is the most frequent one.
    var (best, start): (UInt32, Int) = (Position.isFirst | 1, 0)
    for number in 0..<kept where positions[number].link > best {
      (best, start) = (positions[number].link, Int(positions[number].word))
    }
    return Int(best & ~Position.isFirst) * (Int(offsets[start + n] &- offsets[start]) + n - 1)
  }

  /// The number of characters in repeated sequences, not counting the first occurrence of each. Counted
  /// sequences do not overlap.
  private func repeatedCharacters(_ n: Int, _ kept: Int, _ offsets: UnsafePointer<UInt32>) -> Int {
    let positions = positions
    var (characters, next) = (0, 0)
    for number in 0..<kept {
      let word = Int(positions[number].word)
      if word < next || !Self.isRepeated(positions[number]) { continue }
      let link = positions[number].link
      let first = link & Position.isFirst != 0 ? number : Int(link)
      if positions[first].link & Position.wasVisited != 0 {
        characters += Int(offsets[word + n] &- offsets[word])
        next = word + n
      } else {
        positions[first].link |= Position.wasVisited
      }
    }
    return characters
  }

  @inline(__always)
  private static func isRepeated(_ position: Position) -> Bool { position.link != Position.isFirst | 1 }

  /// Moves the positions of repeated sequences to the front and returns their number.
  private func keepRepeated(_ kept: Int) -> Int {
    let positions = positions
    var end = 0
    for number in 0..<kept {
      // Write unconditionally: a branch would be hard to predict.
      let position = positions[number]
      positions[end] = position
      end &+= Self.isRepeated(position) ? 1 : 0
    }
    return end
  }
}
