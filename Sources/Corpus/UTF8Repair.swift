import CSimdjson

/// Replaces ill-formed UTF-8.
package enum UTF8Repair {
  /// Whether the bytes are well-formed UTF-8 (no surrogates, no overlong forms).
  package static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.isEmpty || pkm_utf8_is_valid(bytes.baseAddress!.assumingMemoryBound(to: CChar.self), bytes.count)
  }

  /// Replaces each maximal ill-formed subsequence by U+FFFD, as the Unicode Standard recommends (section
  /// 3.9).
  ///
  /// Also returns the number of replacements and the offset of the first one in `bytes`.
  package static func repair(_ bytes: UnsafeRawBufferPointer) -> (text: [UInt8], replaced: Int, first: Int) {
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count + bytes.count / 8)
    var replaced = 0
    var first = bytes.count
    var good = 0
    var index = 0
    while index < bytes.count {
      let (length, isWhole) = sequence(bytes, at: index)
      if !isWhole {
        text.append(contentsOf: bytes[good..<index])
        text.append(contentsOf: [0xef, 0xbf, 0xbd])
        good = index + length
        if replaced == 0 { first = index }
        replaced += 1
      }
      index += length
    }
    text.append(contentsOf: bytes[good...])
    return (text, replaced, first)
  }

  /// How much of the bytes is UTF-8: the characters outside ASCII, each counted by its length less one, and the
  /// ill-formed sequences. If `isWhole` is false, incomplete characters at both ends do not count.
  static func measure(_ bytes: UnsafeRawBufferPointer, isWhole: Bool) -> (weight: Int, illFormed: Int) {
    var (weight, illFormed, index) = (0, 0, 0)
    if !isWhole {
      while index < min(3, bytes.count), bytes[index] & 0xc0 == 0x80 { index += 1 }
    }
    while index < bytes.count {
      if bytes[index] < 0x80 {
        index += 1
        continue
      }
      let (length, isWellFormed) = sequence(bytes, at: index)
      if isWellFormed {
        weight += length - 1
      } else if isWhole || index + length < bytes.count {
        illFormed += 1
      }
      index += length
    }
    return (weight, illFormed)
  }

  /// The length of the character at `index` or, if it is ill-formed, of its longest valid part (at least one
  /// byte).
  private static func sequence(_ bytes: UnsafeRawBufferPointer, at index: Int) -> (length: Int, isWhole: Bool)
  {
    let lead = bytes[index]
    if lead < 0x80 { return (1, true) }
    // Unicode Standard, table 3-7: only the second byte has ranges that depend on the first.
    let (length, second): (Int, ClosedRange<UInt8>)
    switch lead {
    case 0xc2...0xdf: (length, second) = (2, 0x80...0xbf)
    case 0xe0: (length, second) = (3, 0xa0...0xbf)
    case 0xed: (length, second) = (3, 0x80...0x9f)
    case 0xe1...0xef: (length, second) = (3, 0x80...0xbf)
    case 0xf0: (length, second) = (4, 0x90...0xbf)
    case 0xf1...0xf3: (length, second) = (4, 0x80...0xbf)
    case 0xf4: (length, second) = (4, 0x80...0x8f)
    default: return (1, false)
    }
    guard index + 1 < bytes.count, second.contains(bytes[index + 1]) else { return (1, false) }
    for offset in 2..<max(length, 2) {
      guard index + offset < bytes.count, bytes[index + offset] & 0xc0 == 0x80 else { return (offset, false) }
    }
    return (length, true)
  }
}
