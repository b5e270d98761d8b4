import Support

/// Words of 1 to 15 bytes with their ids, each in one of the two entries of the bucket that its hash gives.
///
/// A new word displaces the older entry of the two; a miss costs time and never changes a result. The cache
/// grows with the text, up to 32 MB: touching memory for the first time costs more than encoding the words of
/// a short text.
struct WordCache: ~Copyable {
  /// Half a cache line.
  struct Entry {
    var key = WordKey.free
    var value = Value()
  }

  /// Up to four ids below 2^24, with their number in the top byte of the first; the number 0 sends to the
  /// ``LongWordCache``.
  struct Value {
    private var lanes = SIMD4<UInt32>()

    static var maximumCount: Int { 4 }
    static var inLongWords: Value { Value() }

    init() {}

    /// 1 to 4 ids.
    init(_ ids: UnsafePointer<UInt32>, count: Int) {
      lanes = SIMD4(ids[0], ids[min(1, count - 1)], ids[min(2, count - 1)], ids[count - 1])
      lanes[0] |= UInt32(count) << 24
    }

    @inline(__always) var count: Int { Int(lanes[0] >> 24) }
    @inline(__always) var isInLongWords: Bool { lanes[0] >> 24 == 0 }

    /// Writes four numbers, of which the first ``count`` are the ids.
    @inline(__always) func store(to ids: UnsafeMutablePointer<UInt32>) {
      UnsafeMutableRawPointer(ids).storeBytes(
        of: lanes & SIMD4(repeating: 0x00ff_ffff), as: SIMD4<UInt32>.self)
    }
  }

  /// The buckets of a cache; valid until ``prepare(forBytes:)``.
  struct Buckets {
    fileprivate let entries: UnsafeMutablePointer<Entry>
    fileprivate let mask: Int

    /// The first of the two entries that may hold a word.
    @inline(__always) subscript(key: WordKey) -> UnsafeMutablePointer<Entry> {
      entries + 2 * (key.hash & mask)
    }
  }

  private(set) var buckets: Buckets
  /// The words stored so far.
  private var storedCount = 0

  private static let (leastBuckets, mostBuckets) = (1 << 8, 1 << 19)

  init() { buckets = Self.makeBuckets(Self.leastBuckets) }

  deinit { buckets.entries.deallocate() }

  private static func makeBuckets(_ count: Int) -> Buckets {
    let entries = LargePages.allocate(Entry.self, count: 2 * count)
    entries.initialize(repeating: Entry(), count: 2 * count)
    return Buckets(entries: entries, mask: count - 1)
  }

  /// Grows if a text of so many bytes needs it, or if the cache is filling up.
  mutating func prepare(forBytes byteCount: Int) {
    let count = buckets.mask + 1
    let wanted = min(Self.mostBuckets, max(byteCount / 64, storedCount > count / 2 ? 4 * count : count))
    if wanted <= count { return }
    var larger = count
    while larger < wanted { larger *= 2 }
    let old = buckets
    buckets = Self.makeBuckets(larger)
    for bucket in 0..<count {
      // The older one first, so that their order stays.
      let (newer, older) = (old.entries[2 * bucket], old.entries[2 * bucket + 1])
      if older.key != WordKey.free { Self.put(older, in: buckets[older.key]) }
      if newer.key != WordKey.free { Self.put(newer, in: buckets[newer.key]) }
    }
    old.entries.deallocate()
  }

  /// `bucket` is the bucket of the key.
  mutating func store(_ value: Value, for key: WordKey, in bucket: UnsafeMutablePointer<Entry>) {
    storedCount += 1
    Self.put(Entry(key: key, value: value), in: bucket)
  }

  @inline(__always) private static func put(_ entry: Entry, in bucket: UnsafeMutablePointer<Entry>) {
    // A word that came twice before its ids were known is there already.
    if bucket[0].key != entry.key { bucket[1] = bucket[0] }
    bucket[0] = entry
  }
}
