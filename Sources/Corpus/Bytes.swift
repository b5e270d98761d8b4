import CICU

/// Small questions about bytes of text.
enum Bytes {
  /// How often a byte occurs.
  static func count(of byte: UInt8, in bytes: UnsafeRawBufferPointer) -> Int {
    guard let base = bytes.baseAddress else { return 0 }
    return pkm_bytes_count(base.assumingMemoryBound(to: UInt8.self), bytes.count, byte)
  }

  /// The lines, without LF and one CR before it.
  ///
  /// What follows the last LF is a line unless it is empty.
  static func lines(of bytes: UnsafeRawBufferPointer) -> [Range<Int>] {
    guard let base = bytes.baseAddress else { return [] }
    let text = base.assumingMemoryBound(to: UInt8.self)
    let most = pkm_bytes_count(text, bytes.count, 0x0a) + 1
    return [Range<Int>](unsafeUninitializedCapacity: most) { lines, count in
      // A range of integers is its two bounds.
      precondition(MemoryLayout<Range<Int>>.size == MemoryLayout<pkm_byte_range>.size)
      let start = UnsafeMutableRawPointer(lines.baseAddress!).assumingMemoryBound(to: pkm_byte_range.self)
      count = pkm_bytes_lines(text, bytes.count, start)
    }
  }

  /// Nothing but ASCII white space.
  static func isBlank(_ bytes: Slice<UnsafeRawBufferPointer>) -> Bool {
    bytes.allSatisfy { $0 == 0x20 || ($0 >= 0x09 && $0 <= 0x0d) }
  }
}
