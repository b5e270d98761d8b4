import CBytes

/// Counting and splitting bytes of text.
enum Bytes {
  /// The number of occurrences of a byte.
  static func count(of byte: UInt8, in bytes: UnsafeRawBufferPointer) -> Int {
    guard let base = bytes.baseAddress else { return 0 }
    return pkm_bytes_count(base.assumingMemoryBound(to: UInt8.self), bytes.count, byte)
  }

  /// The last index of a byte before `end`, searched for eight bytes at a time.
  static func lastIndex(of byte: UInt8, in bytes: UnsafeRawBufferPointer, before end: Int) -> Int? {
    let ones: UInt64 = 0x0101_0101_0101_0101
    var end = end
    while end >= 8 {
      // A byte that is equal becomes zero, and only a word with a zero byte gives a result other than zero.
      let word = bytes.loadUnaligned(fromByteOffset: end &- 8, as: UInt64.self) ^ (ones &* UInt64(byte))
      if (word &- ones) & ~word & (ones &* 0x80) != 0 { break }
      end &-= 8
    }
    return bytes[..<end].lastIndex(of: byte)
  }

  /// The lines, each without its LF and one CR before that.
  ///
  /// The bytes after the last LF form a line unless there are none.
  static func lines(of bytes: UnsafeRawBufferPointer) -> [Range<Int>] {
    guard let base = bytes.baseAddress else { return [] }
    let text = base.assumingMemoryBound(to: UInt8.self)
    let most = pkm_bytes_count(text, bytes.count, 0x0a) + 1
    return [Range<Int>](unsafeUninitializedCapacity: most) { lines, count in
      // The C function writes a range as its two bounds, which is also how Swift stores a range of integers.
      precondition(MemoryLayout<Range<Int>>.size == MemoryLayout<pkm_byte_range>.size)
      let start = UnsafeMutableRawPointer(lines.baseAddress!).assumingMemoryBound(to: pkm_byte_range.self)
      count = pkm_bytes_lines(text, bytes.count, start)
    }
  }

  /// Whether the bytes are all ASCII white space.
  static func isBlank(_ bytes: Slice<UnsafeRawBufferPointer>) -> Bool {
    bytes.allSatisfy { $0 == 0x20 || ($0 >= 0x09 && $0 <= 0x0d) }
  }
}
