/// The words of a text in order, as hashes and lengths.
final class WordSequence {
  private(set) var count = 0
  private(set) var hashes: UnsafeMutablePointer<UInt64>
  /// Characters of all words before each, and of all words at the end.
  private(set) var offsets: UnsafeMutablePointer<Int>
  /// Words that there is room for.
  private(set) var capacity = 1 << 10

  init() {
    hashes = .allocate(capacity: capacity)
    offsets = .allocate(capacity: capacity + 1)
    offsets[0] = 0
  }

  deinit {
    hashes.deallocate()
    offsets.deallocate()
  }

  /// So many words have been written to both arrays.
  func end(_ count: Int) { self.count = count }

  /// Doubles the room, when it is full.
  func grow() {
    let (oldHashes, oldOffsets) = (hashes, offsets)
    hashes = .allocate(capacity: 2 * capacity)
    offsets = .allocate(capacity: 2 * capacity + 1)
    hashes.update(from: oldHashes, count: capacity)
    offsets.update(from: oldOffsets, count: capacity + 1)
    oldHashes.deallocate()
    oldOffsets.deallocate()
    capacity *= 2
  }
}

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
    /// Of the sequence.
    var hash: UInt64
    /// Number of its first word.
    var word: UInt32
    /// Number of the place where the sequence is first met.
    var first: UInt32
    /// How often it is met, in its first place.
    var count: UInt32
    var wasVisited: Bool
  }

  private var places: UnsafeMutablePointer<Place>
  private var placeCapacity = 1 << 10
  /// Open addressing: numbers of places plus one; 0 in a free slot.
  private var slots: UnsafeMutablePointer<UInt32>
  private var slotCapacity = 1 << 12

  /// How many sequences fell into each: 0, 1, or bit 1 set for more.
  private var buckets: UnsafeMutablePointer<UInt8>
  private var bucketCapacity = 1 << 14

  init() {
    buckets = .allocate(capacity: bucketCapacity)
    places = .allocate(capacity: placeCapacity)
    slots = .allocate(capacity: slotCapacity)
  }

  deinit {
    buckets.deallocate()
    places.deallocate()
    slots.deallocate()
  }

  /// Measures all of ``top`` and ``duplicate``.
  func measure(_ words: WordSequence) {
    for n in 2...4 { top[n] = 0 }
    for n in 5...10 { duplicate[n] = 0 }
    let count = words.count
    guard count >= 2 else { return }
    reserve(count)
    var kept = findPairs(words.hashes, count)
    for n in 2...10 {
      if n > count { break }
      if n > 2 { kept = extend(n, kept, words.hashes, count) }
      tally(kept)
      if n <= 4 { top[n] = mostFrequent(n, kept, words.offsets) }
      if n >= 5 { duplicate[n] = repeatedCharacters(n, kept, words.offsets) }
      kept = keepRepeated(kept)
    }
  }

  private func reserve(_ count: Int) {
    if count > placeCapacity {
      placeCapacity = max(count, 2 * placeCapacity)
      places.deallocate()
      places = .allocate(capacity: placeCapacity)
    }
  }

  /// Makes four to eight entries of a table zero for each of `count` sequences; returns their number less one.
  private static func clear<Entry: FixedWidthInteger>(
    _ table: inout UnsafeMutablePointer<Entry>, _ capacity: inout Int, for count: Int, atLeast least: Int
  ) -> Int {
    var wanted = least
    while wanted < 4 * count { wanted *= 2 }
    if wanted > capacity {
      capacity = wanted
      table.deallocate()
      table = .allocate(capacity: wanted)
    }
    table.update(repeating: 0, count: wanted)
    return wanted - 1
  }

  @inline(__always)
  private static func extended(_ hash: UInt64, by word: UInt64) -> UInt64 {
    hash &* 0x9e37_79b9_7f4a_7c15 &+ word
  }

  @inline(__always)
  private static func index(_ hash: UInt64, _ mask: Int) -> Int {
    Int(truncatingIfNeeded: hash ^ hash >> 32) & mask
  }

  /// Makes places of the pairs of words that may be repeated, which share a bucket with another, and returns their number.
  ///
  /// Most sequences of natural text go here, without a branch that is hard to foresee.
  private func findPairs(_ hashes: UnsafePointer<UInt64>, _ count: Int) -> Int {
    let mask = Self.clear(&buckets, &bucketCapacity, for: count, atLeast: 64)
    let (places, buckets) = (places, buckets)
    for word in 0..<(count &- 1) {
      let bucket = buckets + Self.index(Self.extended(hashes[word], by: hashes[word &+ 1]), mask)
      bucket.pointee = bucket.pointee << 1 | 1
    }
    var end = 0
    for word in 0..<(count &- 1) {
      let hash = Self.extended(hashes[word], by: hashes[word &+ 1])
      places[end] = Place(
        hash: hash, word: UInt32(truncatingIfNeeded: word), first: 0, count: 0, wasVisited: false)
      end &+= Int(buckets[Self.index(hash, mask)] >> 1 & 1)
    }
    return end
  }

  /// Extends the sequences at the first `kept` places to n words, and keeps those that may be repeated in the same way.
  private func extend(_ n: Int, _ kept: Int, _ hashes: UnsafePointer<UInt64>, _ count: Int) -> Int {
    let mask = Self.clear(&buckets, &bucketCapacity, for: kept, atLeast: 64)
    let (places, buckets) = (places, buckets)
    var whole = 0
    while whole < kept {
      let place = places + whole
      let end = Int(place.pointee.word) &+ n
      if end > count { break }
      place.pointee.hash = Self.extended(place.pointee.hash, by: hashes[end &- 1])
      let bucket = buckets + Self.index(place.pointee.hash, mask)
      bucket.pointee = bucket.pointee << 1 | 1
      whole &+= 1
    }
    var end = 0
    for number in 0..<whole {
      let place = places[number]
      places[end] = place
      end &+= Int(buckets[Self.index(place.hash, mask)] >> 1 & 1)
    }
    return end
  }

  /// Counts the sequences at the first `kept` places.
  private func tally(_ kept: Int) {
    let mask = Self.clear(&slots, &slotCapacity, for: kept, atLeast: 16)
    let (places, slots) = (places, slots)
    for number in 0..<kept {
      let place = places + number
      let hash = place.pointee.hash
      var slot = Self.index(hash, mask)
      while true {
        let other = Int(slots[slot]) &- 1
        if other < 0 {
          slots[slot] = UInt32(truncatingIfNeeded: number &+ 1)
          place.pointee.first = UInt32(truncatingIfNeeded: number)
          place.pointee.count = 1
          place.pointee.wasVisited = false
          break
        }
        if places[other].hash == hash {
          places[other].count &+= 1
          place.pointee.first = UInt32(truncatingIfNeeded: other)
          break
        }
        slot = (slot &+ 1) & mask
      }
    }
  }

  private func mostFrequent(_ n: Int, _ kept: Int, _ offsets: UnsafePointer<Int>) -> Int {
    let places = places
    // Where no sequence is repeated, the first of the text is the most frequent one.
    var (best, start): (UInt32, Int) = (1, 0)
    for number in 0..<kept where places[number].count > best && Int(places[number].first) == number {
      (best, start) = (places[number].count, Int(places[number].word))
    }
    return Int(best) * (offsets[start + n] - offsets[start] + n - 1)
  }

  /// Characters in repeated sequences, the first of each apart; a sequence begins after the one counted before.
  private func repeatedCharacters(_ n: Int, _ kept: Int, _ offsets: UnsafePointer<Int>) -> Int {
    let places = places
    var (characters, next) = (0, 0)
    for number in 0..<kept {
      let word = Int(places[number].word)
      if word < next || !Self.isRepeated(places, number) { continue }
      let first = Int(places[number].first)
      if places[first].wasVisited {
        characters += offsets[word + n] - offsets[word]
        next = word + n
      } else {
        places[first].wasVisited = true
      }
    }
    return characters
  }

  @inline(__always)
  private static func isRepeated(_ places: UnsafePointer<Place>, _ number: Int) -> Bool {
    Int(places[number].first) != number || places[number].count > 1
  }

  /// Moves the places of repeated sequences to the front; returns their number.
  private func keepRepeated(_ kept: Int) -> Int {
    let places = places
    var end = 0
    for number in 0..<kept {
      // Written in any case: whether it stays is hard to foresee.
      let stays = Self.isRepeated(places, number)
      places[end] = places[number]
      end &+= stays ? 1 : 0
    }
    return end
  }
}
