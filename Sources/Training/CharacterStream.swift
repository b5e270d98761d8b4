/// Joins bytes that arrive in pieces to whole characters of UTF-8.
///
/// Bytes that can begin no character become U+FFFD, as the Unicode Standard recommends (section 3.9, table 3-8); an unfinished
/// character waits for its other bytes, and is left out if they do not come.
package struct CharacterStream {
  private var waiting: [UInt8] = []

  package init() {}

  /// The characters that are complete with these bytes.
  package mutating func add(_ bytes: [UInt8]) -> [UInt8] {
    var rest = waiting + bytes
    let unfinished = Self.unfinished(rest)
    waiting = Array(rest.suffix(unfinished))
    rest.removeLast(unfinished)
    return Array(String(decoding: rest, as: UTF8.self).utf8)
  }

  /// How many bytes at the end begin a character that more bytes may complete.
  private static func unfinished(_ bytes: [UInt8]) -> Int {
    for count in 1...3 where count <= bytes.count {
      let byte = bytes[bytes.count - count]
      if byte & 0xc0 == 0x80 { continue }
      let length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
      guard length > count, byte >= 0xc2, byte <= 0xf4 else { return 0 }
      // The second byte may already make it impossible: an overlong form, a surrogate, or beyond U+10FFFF.
      if count > 1 {
        let second = bytes[bytes.count - count + 1]
        switch byte {
        case 0xe0 where second < 0xa0, 0xed where second > 0x9f, 0xf0 where second < 0x90,
          0xf4 where second > 0x8f:
          return 0
        default: break
        }
      }
      return count
    }
    return 0
  }
}
