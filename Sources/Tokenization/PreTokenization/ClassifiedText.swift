/// A text as characters with classes.
///
/// A byte that is not part of a well-formed UTF-8 sequence (Unicode, table 3-7) is a character of class
/// `other`, so nothing is lost and nothing fails.
package struct ClassifiedText {
  package let bytes: UnsafePointer<UInt8>
  package let count: Int
  let classes: UnsafePointer<UInt8>

  package init(_ text: UnsafeBufferPointer<UInt8>) {
    // An empty buffer may have no address; the pointer is not read then.
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
