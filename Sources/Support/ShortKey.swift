/// A byte string of 1 to 15 bytes in two machine words, which is compared at once and stored without a
/// pointer.
///
/// Nearly all words of most languages fit.
@usableFromInline package struct ShortKey: Equatable, Sendable {
  /// The longest key in bytes.
  package static let maximumLength = 15

  /// Bytes 0..<8, little-endian, zero-padded.
  @usableFromInline package var low: UInt64
  /// Bytes 8..<15, with the length in the top byte; 0 only in ``free``.
  @usableFromInline package var high: UInt64

  /// No key.
  package static let free = ShortKey(low: 0, high: 0)

  @inlinable @inline(__always) package init(low: UInt64, high: UInt64) {
    self.low = low
    self.high = high
  }

  /// The key of 1 to 15 bytes at `start`.
  ///
  /// `readable` bytes from there on may be read; 16 or more make it faster.
  @inlinable @inline(__always)
  package init(_ start: UnsafePointer<UInt8>, length: Int, readable: Int) {
    low = 0
    high = 0
    if readable >= 16 {
      // Without branches on the length, which would be mispredicted too often.
      let raw = UnsafeRawPointer(start)
      let inLow = UInt64(truncatingIfNeeded: min(length, 8)) &* 8
      low = UInt64(littleEndian: raw.loadUnaligned(as: UInt64.self)) & (UInt64.max &>> (64 &- inLow))
      let inHigh = UInt64(truncatingIfNeeded: max(length, 8) &- 8) &* 8
      high = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
      high &= (1 &<< inHigh) &- 1
    } else {
      for index in 0..<length {
        if index < 8 {
          low |= UInt64(start[index]) << UInt64(index * 8)
        } else {
          high |= UInt64(start[index]) << UInt64((index - 8) * 8)
        }
      }
    }
    high |= UInt64(truncatingIfNeeded: length) << 56
  }

  @inlinable @inline(__always) package var length: Int { Int(truncatingIfNeeded: high >> 56) }

  @inlinable @inline(__always) package var hash: Int {
    Int(truncatingIfNeeded: Hashing.fold(low, high))
  }

  /// Whether the bytes come before those of another key, shorter ones before their continuations.
  package func precedes(_ other: ShortKey) -> Bool {
    // The length is the last byte, and padding is less than any byte.
    low != other.low ? low.byteSwapped < other.low.byteSwapped : high.byteSwapped < other.high.byteSwapped
  }

  /// Calls `body` with the bytes.
  package func withBytes<Result>(_ body: (UnsafeBufferPointer<UInt8>) throws -> Result) rethrows -> Result {
    try withUnsafeBytes(of: (low.littleEndian, high.littleEndian)) {
      try body(UnsafeBufferPointer(start: $0.baseAddress!.assumingMemoryBound(to: UInt8.self), count: length))
    }
  }
}
