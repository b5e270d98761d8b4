import Foundation

/// A JSON value as a list of its parts, in order, with the places of their text.
struct JSONTape {
  enum Kind { case null, boolean, number, string, list, record, key }

  struct Entry {
    let kind: Kind
    /// The text, without quotes for strings and keys.
    var text: Range<Int>
    /// The entry behind this value.
    var next: Int
    /// Whether the text of a string or key has escapes.
    var hasEscapes = false
  }

  private(set) var entries: [Entry] = []
  private var bytes = UnsafeRawBufferPointer(start: nil, count: 0)
  private var at = 0
  private var end = 0

  private static let deepest = 512

  /// Reads one value that fills the range; false if it is no JSON. NaN and infinities are taken as numbers, as Python
  /// writes them.
  mutating func read(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Bool {
    entries.removeAll(keepingCapacity: true)
    (self.bytes, at, end) = (bytes, range.lowerBound, range.upperBound)
    guard value(depth: 0) else { return false }
    skipSpace()
    return at == end
  }

  private mutating func skipSpace() {
    while at < end, bytes[at] == 0x20 || bytes[at] == 0x09 || bytes[at] == 0x0d || bytes[at] == 0x0a {
      at += 1
    }
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    skipSpace()
    guard at < end, bytes[at] == byte else { return false }
    at += 1
    return true
  }

  private mutating func value(depth: Int) -> Bool {
    skipSpace()
    guard at < end, depth < Self.deepest else { return false }
    let (start, index) = (at, entries.count)
    switch bytes[at] {
    case UInt8(ascii: "{"):
      entries.append(Entry(kind: .record, text: start..<start, next: 0))
      at += 1
      if !take(UInt8(ascii: "}")) {
        repeat {
          skipSpace()
          guard string(.key), take(UInt8(ascii: ":")), value(depth: depth + 1) else { return false }
        } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "}")) else { return false }
      }
    case UInt8(ascii: "["):
      entries.append(Entry(kind: .list, text: start..<start, next: 0))
      at += 1
      if !take(UInt8(ascii: "]")) {
        repeat { guard value(depth: depth + 1) else { return false } } while take(UInt8(ascii: ","))
        guard take(UInt8(ascii: "]")) else { return false }
      }
    case UInt8(ascii: "\""): return string(.string)
    default:
      while at < end, Self.isWord(bytes[at]) { at += 1 }
      guard let kind = Self.kind(UnsafeRawBufferPointer(rebasing: bytes[start..<at])) else { return false }
      entries.append(Entry(kind: kind, text: start..<at, next: index + 1))
      return true
    }
    entries[index].text = start..<at
    entries[index].next = entries.count
    return true
  }

  private mutating func string(_ kind: Kind) -> Bool {
    guard at < end, bytes[at] == UInt8(ascii: "\"") else { return false }
    let start = at + 1
    var hasEscapes = false
    at = start
    while at < end, bytes[at] != UInt8(ascii: "\"") {
      if bytes[at] == UInt8(ascii: "\\") {
        hasEscapes = true
        at += 1
      }
      at += 1
    }
    guard at < end else { return false }
    entries.append(Entry(kind: kind, text: start..<at, next: entries.count + 1, hasEscapes: hasEscapes))
    at += 1
    return true
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    byte &- 0x30 < 10 || (byte | 0x20) &- 0x61 < 26 || byte == 0x2d || byte == 0x2b || byte == 0x2e
  }

  private static func kind(_ word: UnsafeRawBufferPointer) -> Kind? {
    guard let first = word.first else { return nil }
    if first == UInt8(ascii: "-") || first &- 0x30 < 10 {
      return word.elementsEqual("-Infinity".utf8)
        || word.dropFirst().allSatisfy(isNumeric) && word.last! &- 0x30 < 10
        ? .number : nil
    }
    for (text, kind) in [
      ("null", Kind.null), ("true", .boolean), ("false", .boolean), ("NaN", .number), ("Infinity", .number),
    ] where word.elementsEqual(text.utf8) {
      return kind
    }
    return nil
  }

  private static func isNumeric(_ byte: UInt8) -> Bool {
    byte &- 0x30 < 10 || byte == 0x2e || byte | 0x20 == 0x65 || byte == 0x2d || byte == 0x2b
  }

  /// Appends the text of a string or key with its escapes resolved; half a surrogate pair becomes U+FFFD.
  static func append(_ entry: Entry, of bytes: UnsafeRawBufferPointer, to out: inout [UInt8]) {
    let text = UnsafeRawBufferPointer(rebasing: bytes[entry.text])
    if !entry.hasEscapes { return out.append(contentsOf: text) }
    var at = 0
    while at < text.count {
      guard text[at] == UInt8(ascii: "\\"), at + 1 < text.count else {
        out.append(text[at])
        at += 1
        continue
      }
      let escape = text[at + 1]
      at += 2
      switch escape {
      case UInt8(ascii: "n"): out.append(0x0a)
      case UInt8(ascii: "t"): out.append(0x09)
      case UInt8(ascii: "r"): out.append(0x0d)
      case UInt8(ascii: "b"): out.append(0x08)
      case UInt8(ascii: "f"): out.append(0x0c)
      case UInt8(ascii: "u"):
        var scalar = unit(text, at) ?? 0xfffd
        at = min(text.count, at + 4)
        if scalar & 0xfc00 == 0xd800, at + 1 < text.count, text[at] == UInt8(ascii: "\\"),
          text[at + 1] == UInt8(ascii: "u"), let low = unit(text, at + 2), low & 0xfc00 == 0xdc00
        {
          scalar = 0x10000 + (scalar & 0x3ff) << 10 + low & 0x3ff
          at += 6
        }
        out.append(contentsOf: String(Unicode.Scalar(scalar) ?? "\u{fffd}").utf8)
      default: out.append(escape)
      }
    }
  }

  private static func unit(_ text: UnsafeRawBufferPointer, _ at: Int) -> UInt32? {
    guard at + 4 <= text.count else { return nil }
    return UInt32(String(decoding: text[at..<(at + 4)], as: UTF8.self), radix: 16)
  }
}
