/// A word of a text, or a punctuation mark: what the filters count.
struct ScannedWord {
  /// Bytes of the text.
  let start: Int
  let end: Int
  /// Code points.
  let characters: Int
  /// The flags of all its characters together.
  let flags: UInt8

  /// A punctuation mark, symbol or control character, or a run of dots or hyphens.
  @inline(__always) var isSymbol: Bool { flags & CharacterFlags.symbol != 0 }
}
