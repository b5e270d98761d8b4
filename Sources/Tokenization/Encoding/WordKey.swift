import Support

/// A word of 1 to 15 bytes in two machine words, so that it is compared at once.
///
/// `ShortKey` in Support does the same. Its functions are `@inlinable`, but Swift 6.1 does not inline them
/// into this module, and encoding took 14 % longer with it.
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
    // Without branches on the length, which cannot be predicted.
    low = words[0] & ~0 &>> UInt64(truncatingIfNeeded: 64 &- 8 &* min(length, 8))
    high =
      words[1] & ((1 &<< UInt64(truncatingIfNeeded: 8 &* max(length &- 8, 0))) &- 1)
      | UInt64(truncatingIfNeeded: length) << 56
  }

  @inline(__always) var length: Int { Int(truncatingIfNeeded: high >> 56) }

  @inline(__always) var hash: Int {
    return Int(truncatingIfNeeded: Hashing.fold(low, high))
  }

  @inline(__always) static func == (a: WordKey, b: WordKey) -> Bool {
    (a.low ^ b.low) | (a.high ^ b.high) == 0
  }
  @inline(__always) static func != (a: WordKey, b: WordKey) -> Bool { !(a == b) }
}
