/// The classes of characters that the patterns of pre-tokenizers distinguish.
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
