import CBytes
import Support

/// Counts of pairs by a short hash. They are never too low, so a pair with a low count is certainly rare.
struct HashedCounts: ~Copyable {
  private let counts: UnsafeMutableBufferPointer<Int>
  private let shift: UInt64
  /// Pairs with a lower count may be left out.
  var limit = 1

  init(bits: Int) {
    counts = UnsafeMutableBufferPointer(
      start: LargePages.allocate(Int.self, count: 1 << bits), count: 1 << bits)
    counts.initialize(repeating: 0)
    shift = UInt64(64 - bits)
  }

  deinit { counts.deallocate() }

  @inline(__always) private func slot(_ key: UInt64) -> Int {
    Int(truncatingIfNeeded: (key &* Hashing.goldenRatio) &>> shift)
  }

  @inline(__always) func prefetch(_ key: UInt64) { pkm_prefetch(counts.baseAddress! + slot(key)) }

  @inline(__always) func add(_ key: UInt64, _ count: Int) { counts[slot(key)] += count }

  mutating func chooseLimit(keeping pairs: Int) {
    var levels = CountLevels()
    for count in counts { levels.add(count) }
    limit = max(1, min(levels.floorOfHighest, levels.floor(ofAtMost: pairs)))
  }

  @inline(__always) func isRare(_ key: UInt64) -> Bool { limit > 1 && counts[slot(key)] < limit }
}
