import Foundation

/// A growing buffer of bytes without the checks of an array.
package struct ByteBuffer: ~Copyable {
  package private(set) var bytes: UnsafeMutablePointer<UInt8>
  package private(set) var capacity: Int
  package var count = 0

  package init(capacity: Int = 1 << 12) {
    self.capacity = capacity
    bytes = .allocate(capacity: capacity)
  }

  deinit { bytes.deallocate() }

  /// Makes the capacity sufficient for `more` bytes after the first ``count``.
  package mutating func reserve(_ more: Int) {
    guard count + more > capacity else { return }
    let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: 2 * capacity + more)
    larger.update(from: bytes, count: count)
    bytes.deallocate()
    bytes = larger
    capacity = 2 * capacity + more
  }

  package mutating func append(_ more: [UInt8]) {
    reserve(more.count)
    more.withUnsafeBufferPointer { if let base = $0.baseAddress { memcpy(bytes + count, base, more.count) } }
    count += more.count
  }

  package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try body(UnsafeRawBufferPointer(start: bytes, count: count))
  }
}
