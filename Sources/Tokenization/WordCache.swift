import Support

/// Words of up to 15 bytes with what was found for them, in one of the two places that their hash gives them.
///
/// A new word displaces the older of the two, so the size is fixed; what is cached never changes a result.
struct WordCache: ~Copyable {
  /// Half a cache line.
  struct Entry {
    var key = WordKey.free
    var value = SIMD4<UInt32>()
  }

  /// 32 MB a thread.
  private static var pairCount: Int { 1 << 19 }

  let entries: UnsafeMutablePointer<Entry>

  init() {
    entries = LargePages.allocate(Entry.self, count: 2 * Self.pairCount)
    entries.initialize(repeating: Entry(), count: 2 * Self.pairCount)
  }

  deinit { entries.deallocate() }

  /// The first of the two places of a word.
  @inline(__always) func places(of key: WordKey) -> UnsafeMutablePointer<Entry> {
    Self.places(of: key, in: entries)
  }

  /// The same for who has taken ``entries`` out of a loop.
  @inline(__always)
  static func places(of key: WordKey, in entries: UnsafeMutablePointer<Entry>) -> UnsafeMutablePointer<Entry>
  {
    entries + 2 * (key.hash & (pairCount - 1))
  }

  @inline(__always)
  static func store(_ value: SIMD4<UInt32>, for key: WordKey, at places: UnsafeMutablePointer<Entry>) {
    places[1] = places[0]
    places[0] = Entry(key: key, value: value)
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

  /// 4 MB a thread.
  private static let count = 1 << 16

  private let entries: UnsafeMutablePointer<Entry>

  init() {
    entries = LargePages.allocate(Entry.self, count: Self.count)
    entries.initialize(repeating: Entry(), count: Self.count)
  }

  deinit { entries.deallocate() }

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
    return entries + (b & (Self.count - 1))
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

  @inline(__always) var hash: Int {
    let product = (low ^ 0x9e37_79b9_7f4a_7c15).multipliedFullWidth(by: high ^ 0xd6e8_feb8_6659_fd93)
    return Int(truncatingIfNeeded: product.high ^ product.low)
  }

  @inline(__always) static func == (a: WordKey, b: WordKey) -> Bool {
    (a.low ^ b.low) | (a.high ^ b.high) == 0
  }
  @inline(__always) static func != (a: WordKey, b: WordKey) -> Bool { !(a == b) }
}
