import Support

/// Words of up to 31 bytes with up to 7 ids, each in the one entry that its hash gives: what does not fit
/// into a ``WordCache``.
struct LongWordCache: ~Copyable {
  static var maximumLength: Int { 31 }
  static var maximumIDs: Int { 7 }

  /// A cache line: the word with its length in the last byte, and the ids with their number in the last lane.
  struct Entry {
    var key = SIMD4<UInt64>()
    fileprivate var lanes = SIMD8<UInt32>()

    /// Writes eight numbers, the ids first, and returns the number of ids.
    @inline(__always) func storeIDs(to ids: UnsafeMutablePointer<UInt32>) -> Int {
      UnsafeMutableRawPointer(ids).storeBytes(of: lanes, as: SIMD8<UInt32>.self)
      return Int(lanes[7])
    }
  }

  /// Up to 4 MB.
  private static let (leastCount, mostCount) = (1 << 8, 1 << 16)

  private var entries: UnsafeMutablePointer<Entry>
  private var count: Int
  /// The words stored so far.
  private var storedCount = 0

  init() {
    count = Self.leastCount
    entries = LargePages.allocate(Entry.self, count: count)
    entries.initialize(repeating: Entry(), count: count)
  }

  deinit { entries.deallocate() }

  /// Grows if a text of so many bytes needs it, or if the cache is filling up.
  mutating func prepare(forBytes byteCount: Int) {
    let wanted = min(Self.mostCount, max(byteCount / 512, storedCount > count / 2 ? 4 * count : count))
    if wanted <= count { return }
    let old = UnsafeMutableBufferPointer(start: entries, count: count)
    while count < wanted { count *= 2 }
    entries = LargePages.allocate(Entry.self, count: count)
    entries.initialize(repeating: Entry(), count: count)
    for word in old where word.key != SIMD4() { entry(for: word.key).pointee = word }
    old.deallocate()
  }

  mutating func store(_ ids: UnsafePointer<UInt32>, _ count: Int, for key: SIMD4<UInt64>) {
    var lanes = SIMD8<UInt32>()
    for index in 0..<count { lanes[index] = ids[index] }
    lanes[7] = UInt32(count)
    storedCount += 1
    entry(for: key).pointee = Entry(key: key, lanes: lanes)
  }

  static func key(of word: UnsafeBufferPointer<UInt8>) -> SIMD4<UInt64> {
    var key = SIMD4<UInt64>()
    withUnsafeMutableBytes(of: &key) { $0.copyMemory(from: UnsafeRawBufferPointer(word)) }
    key[3] |= UInt64(word.count) << 56
    return key
  }

  /// The key here of a word that has a key in the ``WordCache``.
  static func key(of word: WordKey) -> SIMD4<UInt64> {
    SIMD4(word.low, word.high & ~0 >> 8, 0, UInt64(word.length) << 56)
  }

  /// The entry that holds the ids of a word if it holds its key.
  func entry(for key: SIMD4<UInt64>) -> UnsafeMutablePointer<Entry> {
    let a = WordKey(low: key[0], high: key[1]).hash
    let b = WordKey(low: key[2] ^ UInt64(truncatingIfNeeded: a), high: key[3]).hash
    return entries + (b & (count - 1))
  }
}
