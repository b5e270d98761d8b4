import Support

/// Words of up to 15 bytes with what was found for them, in one of the two places that their hash gives them.
///
/// A new word displaces the older of the two; what is cached never changes a result. The size follows the text, up to 32 MB:
/// memory that is touched for the first time costs more than the words of a short text.
struct WordCache: ~Copyable {
  /// Half a cache line.
  struct Entry {
    var key = WordKey.free
    var value = SIMD4<UInt32>()
  }

  /// The pairs of places of a cache; valid until it grows.
  struct Places {
    let entries: UnsafeMutablePointer<Entry>
    fileprivate let mask: Int

    /// The first of the two of a word.
    @inline(__always) subscript(key: WordKey) -> UnsafeMutablePointer<Entry> {
      entries + 2 * (key.hash & mask)
    }
  }

  private(set) var places: Places
  /// Words that were stored.
  private var stored = 0

  private static let (leastPairs, mostPairs) = (1 << 8, 1 << 19)

  init() { places = Self.make(Self.leastPairs) }

  deinit { places.entries.deallocate() }

  private static func make(_ pairs: Int) -> Places {
    let entries = LargePages.allocate(Entry.self, count: 2 * pairs)
    entries.initialize(repeating: Entry(), count: 2 * pairs)
    return Places(entries: entries, mask: pairs - 1)
  }

  /// Grows for so many bytes of text, or because the cache fills.
  mutating func prepare(forBytes count: Int) {
    let pairs = places.mask + 1
    let wanted = min(Self.mostPairs, max(count / 64, stored > pairs / 2 ? 4 * pairs : pairs))
    if wanted <= pairs { return }
    var larger = pairs
    while larger < wanted { larger *= 2 }
    let old = places
    places = Self.make(larger)
    for pair in 0..<pairs {
      // The older of two first.
      let (newer, older) = (old.entries[2 * pair], old.entries[2 * pair + 1])
      if older.key != WordKey.free { Self.put(older, at: places[older.key]) }
      if newer.key != WordKey.free { Self.put(newer, at: places[newer.key]) }
    }
    old.entries.deallocate()
  }

  /// `place` is the first of the two of the word.
  mutating func store(_ value: SIMD4<UInt32>, for key: WordKey, at place: UnsafeMutablePointer<Entry>) {
    stored += 1
    Self.put(Entry(key: key, value: value), at: place)
  }

  @inline(__always) private static func put(_ entry: Entry, at place: UnsafeMutablePointer<Entry>) {
    // A word that came twice before its ids were known.
    if place[0].key != entry.key { place[1] = place[0] }
    place[0] = entry
  }
}

/// Words of up to 31 bytes with up to 7 ids, each in the one place that its hash gives it: what is too long for a
/// ``WordCache``.
struct LongWordCache: ~Copyable {
  static var maximumLength: Int { 31 }
  static var maximumIDs: Int { 7 }

  /// A cache line: the word with its length in the last byte, the ids with their number in the last lane.
  struct Entry {
    var key = SIMD4<UInt64>()
    var value = SIMD8<UInt32>()
  }

  /// Up to 4 MB.
  private static let (leastCount, mostCount) = (1 << 8, 1 << 16)

  private var entries: UnsafeMutablePointer<Entry>
  private var count: Int
  private var stored = 0

  init() {
    count = Self.leastCount
    entries = LargePages.allocate(Entry.self, count: count)
    entries.initialize(repeating: Entry(), count: count)
  }

  deinit { entries.deallocate() }

  /// Grows for so many bytes of text, or because the cache fills.
  mutating func prepare(forBytes bytes: Int) {
    let wanted = min(Self.mostCount, max(bytes / 512, stored > count / 2 ? 4 * count : count))
    if wanted <= count { return }
    let old = UnsafeMutableBufferPointer(start: entries, count: count)
    while count < wanted { count *= 2 }
    entries = LargePages.allocate(Entry.self, count: count)
    entries.initialize(repeating: Entry(), count: count)
    for entry in old where entry.key != SIMD4() { place(of: entry.key).pointee = entry }
    old.deallocate()
  }

  /// Keeps the ids of a word at its place.
  mutating func store(_ ids: UnsafePointer<UInt32>, _ count: Int, for key: SIMD4<UInt64>) {
    var value = SIMD8<UInt32>()
    for index in 0..<count { value[index] = ids[index] }
    value[7] = UInt32(count)
    stored += 1
    place(of: key).pointee = Entry(key: key, value: value)
  }

  static func key(of word: UnsafeBufferPointer<UInt8>) -> SIMD4<UInt64> {
    var key = SIMD4<UInt64>()
    withUnsafeMutableBytes(of: &key) { $0.copyMemory(from: UnsafeRawBufferPointer(word)) }
    key[3] |= UInt64(word.count) << 56
    return key
  }

  /// The place of a word, which holds its ids if it holds its key.
  func place(of key: SIMD4<UInt64>) -> UnsafeMutablePointer<Entry> {
    let a = WordKey(low: key[0], high: key[1]).hash
    let b = WordKey(low: key[2] ^ UInt64(truncatingIfNeeded: a), high: key[3]).hash
    return entries + (b & (count - 1))
  }
}

/// A word of 1 to 15 bytes in two machine words, so that it is compared at once.
///
/// `ShortKey` of another module would do the same, but its comparison would be a call for every word of the text.
struct WordKey {
  static var maximumLength: Int { 15 }
  /// No word.
  static var free: WordKey { WordKey(low: 0, high: 0) }

  /// Bytes 0..<8, little-endian, zero-padded.
  let low: UInt64
  /// Bytes 8..<15, the length in the top byte.
  let high: UInt64

  init(low: UInt64, high: UInt64) { (self.low, self.high) = (low, high) }

  /// The word at `start`, of which `readable` bytes may be read: 16 or more make it faster.
  @inline(__always)
  init(_ start: UnsafePointer<UInt8>, length: Int, readable: Int) {
    var words: SIMD2<UInt64> = .zero
    if readable >= 16 {
      words = UnsafeRawPointer(start).loadUnaligned(as: SIMD2<UInt64>.self)
    } else {
      withUnsafeMutableBytes(of: &words) {
        $0.copyMemory(from: UnsafeRawBufferPointer(start: start, count: length))
      }
    }
    // Without branches on the length, which no processor can guess.
    low = words[0] & ~0 &>> UInt64(truncatingIfNeeded: 64 &- 8 &* min(length, 8))
    high =
      words[1] & ((1 &<< UInt64(truncatingIfNeeded: 8 &* max(length &- 8, 0))) &- 1)
      | UInt64(truncatingIfNeeded: length) << 56
  }

  @inline(__always) var length: Int { Int(truncatingIfNeeded: high >> 56) }

  @inline(__always) var hash: Int {
    let product = (low ^ 0x9e37_79b9_7f4a_7c15).multipliedFullWidth(by: high ^ 0xd6e8_feb8_6659_fd93)
    return Int(truncatingIfNeeded: product.high ^ product.low)
  }

  @inline(__always) static func == (a: WordKey, b: WordKey) -> Bool {
    (a.low ^ b.low) | (a.high ^ b.high) == 0
  }
  @inline(__always) static func != (a: WordKey, b: WordKey) -> Bool { !(a == b) }
}
