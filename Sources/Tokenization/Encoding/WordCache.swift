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
