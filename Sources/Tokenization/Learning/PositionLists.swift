import Foundation
import Support

/// Lists of positions, one after another in one block of memory that grows at its end.
struct PositionLists: ~Copyable {
  private(set) var base: UnsafeMutablePointer<UInt32>
  private(set) var count = 0
  private var capacity = 1 << 10

  init() { base = Self.resize(nil, capacity) }

  deinit { free(base) }

  /// For a large block the system moves pages, without copying.
  private static func resize(_ old: UnsafeMutablePointer<UInt32>?, _ capacity: Int)
    -> UnsafeMutablePointer<UInt32>
  {
    guard let memory = realloc(old, capacity * MemoryLayout<UInt32>.stride) else {
      // Learning cannot go on without this memory, and no output has its final name yet.
      let failure = Failure(
        .failed, "no memory for \(capacity >> 18) MB of positions of pairs", remedy: "Learn from less text")
      Log.line("error: \(failure)")
      exit(failure.kind.rawValue)
    }
    return memory.bindMemory(to: UInt32.self, capacity: capacity)
  }

  /// Adds a list of `length` positions and returns where it begins.
  mutating func append(_ length: Int) -> Int {
    let start = count
    count += length
    if count > capacity {
      capacity = max(count, capacity + capacity / 2)
      base = Self.resize(base, capacity)
    }
    return start
  }

  /// Removes all lists and adds `length` uninitialized positions.
  mutating func reset(_ length: Int) {
    free(base)
    capacity = max(1 << 10, length)
    base = Self.resize(nil, capacity)
    count = length
  }

  /// Returns the pages of a list that is no longer needed to the system.
  func release(_ list: Range<Int>) {
    let page = 1 << 12
    let start = (UInt(bitPattern: base + list.lowerBound) + UInt(page) - 1) & ~UInt(page - 1)
    let end = UInt(bitPattern: base + list.upperBound) & ~UInt(page - 1)
    guard end > start, end - start >= 1 << 16 else { return }
    madvise(UnsafeMutableRawPointer(bitPattern: start), Int(end - start), MADV_DONTNEED)
  }
}
