import Support

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
