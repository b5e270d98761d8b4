/// What a pre-tokenizer needs to know about a character.
package enum CharacterClass {
  package static let other: UInt8 = 0
  /// `\s`: the property White_Space.
  package static let space: UInt8 = 1
  /// `\p{N}`.
  package static let number: UInt8 = 2
  /// `\p{M}`.
  package static let mark: UInt8 = 3
  /// `\p{Lu}` and `\p{Lt}`.
  package static let upper: UInt8 = 4
  /// `\p{Ll}`.
  package static let lower: UInt8 = 5
  /// `\p{Lm}` and `\p{Lo}`.
  package static let caseless: UInt8 = 6

  @inline(__always) package static func isLetter(_ value: UInt8) -> Bool { value >= upper }
  /// Neither white space, letter nor number.
  @inline(__always) package static func isOther(_ value: UInt8) -> Bool { value == other || value == mark }
}

/// The class of every code point of Unicode 16.0, one byte each: the version that `tokenizers` 0.23 and
/// `tiktoken` 0.14 are built with.
///
/// It is part of the tokenizers' definition and therefore a table of ours, not the toolchain's.
package enum CharacterClasses {
  /// 0x110000 bytes that live as long as the process.
  nonisolated(unsafe) static let table: UnsafePointer<UInt8> = {
    let table = UnsafeMutablePointer<UInt8>.allocate(capacity: 0x110000)
    for (index, run) in runs.enumerated() {
      let first = Int(run >> 3)
      let end = index + 1 < runs.count ? Int(runs[index + 1] >> 3) : 0x110000
      let value = UInt8(run & 7)
      if value == 7 {
        for point in first..<end {
          table[point] = point & 1 == 0 ? CharacterClass.upper : CharacterClass.lower
        }
      } else {
        (table + first).update(repeating: value, count: end - first)
      }
    }
    return UnsafePointer(table)
  }()

  /// For tests against the peers' tables.
  package static func classOf(_ point: Int) -> UInt8 { table[point] }
}

/// A text seen as characters with classes.
///
/// A byte that is not part of a well-formed UTF-8 sequence (Unicode, table 3-7) is a character of its own of
/// class `other`, so nothing is lost and nothing fails.
package struct ClassifiedText {
  package let bytes: UnsafePointer<UInt8>
  package let count: Int
  let classes: UnsafePointer<UInt8>

  package init(_ text: UnsafeBufferPointer<UInt8>) {
    // An empty buffer may have no address; the pointer is never read then.
    bytes = text.baseAddress ?? CharacterClasses.table
    count = text.count
    classes = CharacterClasses.table
  }

  /// Class and length in bytes of the character at `index`, which is below `count`.
  @inline(__always) package func character(at index: Int) -> (kind: UInt8, length: Int) {
    let first = bytes[index]
    if first < 0x80 { return (classes[Int(first)], 1) }
    return longCharacter(at: index, first)
  }

  private func longCharacter(at index: Int, _ first: UInt8) -> (kind: UInt8, length: Int) {
    let left = count - index
    @inline(__always) func tail(_ distance: Int) -> UInt32? {
      let byte = bytes[index + distance]
      return byte & 0xc0 == 0x80 ? UInt32(byte & 0x3f) : nil
    }
    if first < 0xe0 {
      guard first >= 0xc2, left >= 2, let a = tail(1) else { return (CharacterClass.other, 1) }
      return (classes[Int(UInt32(first & 0x1f) << 6 | a)], 2)
    }
    if first < 0xf0 {
      guard left >= 3, let a = tail(1), let b = tail(2) else { return (CharacterClass.other, 1) }
      let point = UInt32(first & 0x0f) << 12 | a << 6 | b
      guard point >= 0x800, point & 0xf800 != 0xd800 else { return (CharacterClass.other, 1) }
      return (classes[Int(point)], 3)
    }
    guard first < 0xf5, left >= 4, let a = tail(1), let b = tail(2), let c = tail(3) else {
      return (CharacterClass.other, 1)
    }
    let point = UInt32(first & 0x07) << 18 | a << 12 | b << 6 | c
    guard point >= 0x10000, point < 0x110000 else { return (CharacterClass.other, 1) }
    return (classes[Int(point)], 4)
  }
}
