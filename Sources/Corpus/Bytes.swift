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

  /// Whether a byte is ASCII white space, part of a byte order mark in UTF-8, or the record separator that begins each
  /// text of a JSON text sequence (RFC 7464).
  static func isWhiteOrMark(_ byte: UInt8) -> Bool {
    byte == 0x20 || (byte >= 0x09 && byte <= 0x0d) || byte == 0x1e || byte == 0xef || byte == 0xbb
      || byte == 0xbf
  }

  /// Whether the text is all white space, in the sense of Unicode's property White_Space: also no-break and
  /// ideographic spaces.
  static func isBlank(_ bytes: Slice<UnsafeRawBufferPointer>) -> Bool {
    var index = bytes.startIndex
    while index < bytes.endIndex {
      let count = lengthOfWhiteSpace(bytes, at: index)
      if count == 0 { return false }
      index += count
    }
    return true
  }

  /// Whether the bytes are all ASCII white space, as between the tokens of JSON.
  static func isBlankASCII(_ bytes: Slice<UnsafeRawBufferPointer>) -> Bool {
    bytes.allSatisfy { $0 == 0x20 || $0 &- 9 < 5 }
  }

  /// The end of the text without the white space at its end.
  static func endWithoutWhiteSpace(_ bytes: Slice<UnsafeRawBufferPointer>) -> Int {
    var end = bytes.endIndex
    while end > bytes.startIndex {
      var start = end - 1
      while start > bytes.startIndex && end - start < 3 && bytes[start] & 0xc0 == 0x80 { start -= 1 }
      if lengthOfWhiteSpace(bytes[..<end], at: start) != end - start { return end }
      end = start
    }
    return end
  }

  /// The number of bytes of the white space character at `index`; 0 if another one is there.
  @inline(__always)
  private static func lengthOfWhiteSpace(_ bytes: Slice<UnsafeRawBufferPointer>, at index: Int) -> Int {
    let first = bytes[index]
    if first == 0x20 || first &- 9 < 5 { return 1 }
    if first < 0xc2 { return 0 }
    let left = bytes.endIndex - index
    if first == 0xc2 { return left >= 2 && (bytes[index + 1] == 0x85 || bytes[index + 1] == 0xa0) ? 2 : 0 }
    guard (0xe1...0xe3).contains(first), left >= 3 else { return 0 }
    switch (first, bytes[index + 1], bytes[index + 2]) {
    // U+1680; U+2000 to U+200A, U+2028, U+2029, U+202F; U+205F; U+3000.
    case (0xe1, 0x9a, 0x80), (0xe2, 0x80, 0x80...0x8a), (0xe2, 0x80, 0xa8), (0xe2, 0x80, 0xa9),
      (0xe2, 0x80, 0xaf), (0xe2, 0x81, 0x9f), (0xe3, 0x80, 0x80):
      return 3
    default: return 0
    }
  }
}
