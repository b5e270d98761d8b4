/// A word or punctuation mark of a text: the unit that the filters count.
struct ScannedWord {
  /// The range of its bytes in the text.
  let start: Int
  let end: Int
  /// The number of code points.
  let characters: Int
  /// The union of the flags of its characters.
  let flags: UInt8

  /// A punctuation mark, symbol or control character, or a run of dots or hyphens.
  @inline(__always) var isSymbol: Bool { flags & CharacterFlags.symbol != 0 }
}
