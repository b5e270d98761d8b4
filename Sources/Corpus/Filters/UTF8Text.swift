/// Access to the characters of valid UTF-8.
enum UTF8Text {
  /// The code point at `index` and its length in bytes.
  @inline(__always)
  static func character(_ text: UnsafePointer<UInt8>, at index: Int) -> (point: Int, length: Int) {
    let lead = Int(text[index])
    if lead < 0x80 { return (lead, 1) }
    let second = Int(text[index &+ 1]) & 0x3f
    if lead < 0xe0 { return ((lead & 0x1f) << 6 | second, 2) }
    let third = Int(text[index &+ 2]) & 0x3f
    if lead < 0xf0 { return ((lead & 0xf) << 12 | second << 6 | third, 3) }
    return ((lead & 7) << 18 | second << 12 | third << 6 | Int(text[index &+ 3]) & 0x3f, 4)
  }

  /// The start of the character before `index`.
  @inline(__always)
  static func start(before index: Int, in text: UnsafePointer<UInt8>) -> Int {
    var start = index &- 1
    while text[start] & 0xc0 == 0x80 { start &-= 1 }
    return start
  }

  /// The number of code points: of bytes that are not continuation bytes.
  static func count(_ text: UnsafeRawBufferPointer) -> Int {
    var total = 0
    var index = 0
    // An 8-bit sum over at most 255 bytes lets the compiler vectorize the loop.
    while index < text.count {
      let end = min(index + 240, text.count)
      var starts: UInt8 = 0
      while index < end {
        starts &+= text[index] & 0xc0 == 0x80 ? 0 : 1
        index &+= 1
      }
      total += Int(starts)
    }
    return total
  }

  /// The range without white space at both ends.
  static func trim(_ range: Range<Int>, in text: UnsafePointer<UInt8>) -> Range<Int> {
    let flags = CharacterFlags.table
    var (start, end) = (range.lowerBound, range.upperBound)
    while start < end {
      let (point, length) = character(text, at: start)
      if flags[point] & CharacterFlags.space == 0 { break }
      start += length
    }
    while end > start {
      let last = Self.start(before: end, in: text)
      if flags[character(text, at: last).point] & CharacterFlags.space == 0 { break }
      end = last
    }
    return start..<end
  }
}
