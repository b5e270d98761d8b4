/// Finds the sequences of words that a document repeats, each standing for itself by a hash of 64 bits.
///
/// A sequence of n words can only be repeated where the n-1 words it begins with are. So only the places of repeated
/// pairs are looked at for triples, and so on: little is left of natural text after three words, and all sequences up to
/// ten words cost hardly more than the pairs.
final class NGramRepetition {
  /// Characters in the most frequent sequence of 2 to 4 words, spaces between the words included; the first of several.
  private(set) var top = [Int](repeating: 0, count: 5)
  /// Characters in sequences of 5 to 10 words that were there before; words of one are not counted in another.
  private(set) var duplicate = [Int](repeating: 0, count: 11)

  /// A place of the text where a sequence begins that may be there more than once.
  private struct Place {
    /// Number of its first word.
    var word: UInt32
    /// Where the sequence is first met, how often it is met, with ``isFirst`` set; elsewhere the number of that place.
    var link: UInt32

    static let isFirst: UInt32 = 1 << 31
    static let wasVisited: UInt32 = 1 << 30
  }

  /// Words behind this many, which fill a gigabyte at least, are not looked at.
  private static let wordLimit = 1 << 30

  private var places: UnsafeMutablePointer<Place>
  private var placeCapacity = 1 << 10
  /// One of two tables by hash, as only one is in use at a time: how many sequences fell into each bucket (0, 1, or bit 1
  /// set for more), or, with open addressing, numbers of places plus one (0 in a free slot).
  private var table: UnsafeMutableRawPointer
  private var tableBytes = 1 << 14

  init() {
    table = .allocate(byteCount: tableBytes, alignment: 8)
    places = .allocate(capacity: placeCapacity)
  }

  deinit {
    table.deallocate()
    places.deallocate()
  }

  /// Measures all of ``top`` and ``duplicate``.
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

  /// The sequences of n words, by the number of their first word.
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
    if count > placeCapacity {
      placeCapacity = max(count, 2 * placeCapacity)
      places.deallocate()
      places = .allocate(capacity: placeCapacity)
    }
  }

  /// The table with so many entries, all zero.
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

  /// Where a hash belongs among so many entries.
  @inline(__always)
  private static func index(_ hash: UInt64, _ count: Int) -> Int {
    Int(truncatingIfNeeded: hash.multipliedFullWidth(by: UInt64(truncatingIfNeeded: count)).high)
  }

  /// Makes places of the pairs of words that may be repeated, which share a bucket with another, and returns their number.
  ///
  /// Most sequences of natural text go here, without a branch that is hard to foresee.
  private func findPairs(_ sequences: Sequences, _ count: Int) -> Int {
    let size = 4 * count
    let buckets = clearTable(UInt8.self, size)
    let places = places
    for word in 0..<(count &- 1) {
      let bucket = buckets + Self.index(sequences.hash(word), size)
      bucket.pointee = bucket.pointee << 1 | 1
    }
    var end = 0
    for word in 0..<(count &- 1) {
      places[end] = Place(word: UInt32(truncatingIfNeeded: word), link: 0)
      end &+= Int(buckets[Self.index(sequences.hash(word), size)] >> 1 & 1)
    }
    return end
  }

  /// Of the first `kept` places, those where a sequence that is one word longer may be repeated, in the same way.
  private func extend(_ sequences: Sequences, _ kept: Int, _ count: Int) -> Int {
    let size = max(4 * kept, 1)
    let buckets = clearTable(UInt8.self, size)
    let places = places
    var whole = 0
    while whole < kept {
      let word = Int(places[whole].word)
      if word &+ sequences.n > count { break }
      let bucket = buckets + Self.index(sequences.hash(word), size)
      bucket.pointee = bucket.pointee << 1 | 1
      whole &+= 1
    }
    var end = 0
    for number in 0..<whole {
      let place = places[number]
      places[end] = place
      end &+= Int(buckets[Self.index(sequences.hash(Int(place.word)), size)] >> 1 & 1)
    }
    return end
  }

  /// Counts the sequences at the first `kept` places.
  private func tally(_ sequences: Sequences, _ kept: Int) {
    let size = max(2 * kept, 1)
    let slots = clearTable(UInt32.self, size)
    let places = places
    for number in 0..<kept {
      let hash = sequences.hash(Int(places[number].word))
      var slot = Self.index(hash, size)
      while true {
        let other = Int(slots[slot]) &- 1
        if other < 0 {
          slots[slot] = UInt32(truncatingIfNeeded: number &+ 1)
          places[number].link = Place.isFirst | 1
          break
        }
        if sequences.hash(Int(places[other].word)) == hash {
          places[other].link &+= 1
          places[number].link = UInt32(truncatingIfNeeded: other)
          break
        }
        slot &+= 1
        if slot == size { slot = 0 }
      }
    }
  }

  private func mostFrequent(_ n: Int, _ kept: Int, _ offsets: UnsafePointer<UInt32>) -> Int {
    let places = places
    // Where no sequence is repeated, the first of the text is the most frequent one.
    var (best, start): (UInt32, Int) = (Place.isFirst | 1, 0)
    for number in 0..<kept where places[number].link > best {
      (best, start) = (places[number].link, Int(places[number].word))
    }
    return Int(best & ~Place.isFirst) * (Int(offsets[start + n] &- offsets[start]) + n - 1)
  }

  /// Characters in repeated sequences, the first of each apart; a sequence begins after the one counted before.
  private func repeatedCharacters(_ n: Int, _ kept: Int, _ offsets: UnsafePointer<UInt32>) -> Int {
    let places = places
    var (characters, next) = (0, 0)
    for number in 0..<kept {
      let word = Int(places[number].word)
      if word < next || !Self.isRepeated(places[number]) { continue }
      let link = places[number].link
      let first = link & Place.isFirst != 0 ? number : Int(link)
      if places[first].link & Place.wasVisited != 0 {
        characters += Int(offsets[word + n] &- offsets[word])
        next = word + n
      } else {
        places[first].link |= Place.wasVisited
      }
    }
    return characters
  }

  @inline(__always)
  private static func isRepeated(_ place: Place) -> Bool { place.link != Place.isFirst | 1 }

  /// Moves the places of repeated sequences to the front; returns their number.
  private func keepRepeated(_ kept: Int) -> Int {
    let places = places
    var end = 0
    for number in 0..<kept {
      // Written in any case: whether it stays is hard to foresee.
      let place = places[number]
      places[end] = place
      end &+= Self.isRepeated(place) ? 1 : 0
    }
    return end
  }
}
