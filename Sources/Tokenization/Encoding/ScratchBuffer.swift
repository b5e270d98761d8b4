/// Uninitialized memory that is reused from one text to the next.
struct ScratchBuffer<Element>: ~Copyable {
  private(set) var start = UnsafeMutablePointer<Element>.allocate(capacity: 64)
  private var capacity = 64

  deinit { start.deallocate() }

  /// Makes the capacity at least `count`; the contents are lost.
  mutating func reserve(_ count: Int) {
    if count <= capacity { return }
    start.deallocate()
    start = .allocate(capacity: count)
    capacity = count
  }

  /// Frees the memory if it is more than 8 MB, which only one huge text needed.
  mutating func shrink() {
    if capacity * MemoryLayout<Element>.stride <= 1 << 23 { return }
    start.deallocate()
    capacity = 64
    start = .allocate(capacity: capacity)
  }
}
