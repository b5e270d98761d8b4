import CBytes
import Support

/// The pairs of symbols that may still be merged, each with its count and the list of its positions.
///
/// Open addressing, with both symbols in one key.
struct PairTable: ~Copyable {
  struct Entry {
    var key = PairTable.free
    var count = 0
    /// Where the list of the pair begins in the ``PositionLists``: ascending positions, some of them
    /// outdated.
    var list = 0
    var length = 0
  }

  /// The key of a free entry. No pair has it, since symbols have much lower numbers.
  static let free = UInt64.max

  private(set) var entries: UnsafeMutableBufferPointer<Entry>
  private(set) var used = 0

  init() {
    entries = Self.freeEntries(1 << 12)
  }

  deinit { entries.deallocate() }

  private static func freeEntries(_ capacity: Int) -> UnsafeMutableBufferPointer<Entry> {
    let entries = LargePages.allocate(Entry.self, count: capacity)
    entries.initialize(repeating: Entry(), count: capacity)
    return UnsafeMutableBufferPointer(start: entries, count: capacity)
  }

  @inline(__always) static func key(_ left: UInt32, _ right: UInt32) -> UInt64 {
    UInt64(left) << 32 | UInt64(right)
  }

  @inline(__always) private static func slot(_ key: UInt64, _ capacity: Int) -> Int {
    return Int(truncatingIfNeeded: Hashing.fold(key)) & (capacity - 1)
  }

  /// Prefetches the entry of a pair that will soon be looked up.
  @inline(__always) func prefetch(_ key: UInt64) {
    pkm_prefetch(entries.baseAddress! + Self.slot(key, entries.count))
  }

  /// The entry of a pair, or nil. Valid until the next ``insert(_:)``.
  @inline(__always) func find(_ key: UInt64) -> UnsafeMutablePointer<Entry>? {
    var index = Self.slot(key, entries.count)
    while true {
      let entry = entries.baseAddress! + index
      if entry.pointee.key == key { return entry }
      if entry.pointee.key == Self.free { return nil }
      index = (index + 1) & (entries.count - 1)
    }
  }

  /// The entry of a pair, which is added if it is missing. Valid until the next insertion.
  mutating func insert(_ key: UInt64) -> UnsafeMutablePointer<Entry> {
    if let entry = find(key) { return entry }
    if used * 8 >= entries.count * 5 { grow() }
    used += 1
    let entry = firstFree(key, entries)
    entry.pointee.key = key
    return entry
  }

  private func firstFree(_ key: UInt64, _ entries: UnsafeMutableBufferPointer<Entry>)
    -> UnsafeMutablePointer<Entry>
  {
    var index = Self.slot(key, entries.count)
    while entries[index].key != Self.free { index = (index + 1) & (entries.count - 1) }
    return entries.baseAddress! + index
  }

  private mutating func grow() {
    let larger = Self.freeEntries(entries.count * 2)
    for entry in entries where entry.key != Self.free { firstFree(entry.key, larger).pointee = entry }
    entries.deallocate()
    entries = larger
  }
}
