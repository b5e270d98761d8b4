import CICU

/// The properties of a character that the filters use, as bits of a byte.
///
/// The sets are those of the installed ICU. A character that is neither ``space``, ``symbol`` nor
/// ``ideograph`` is part of a word.
enum CharacterFlags {
  /// Unicode's White_Space.
  static let space: UInt8 = 1
  /// General category L.
  static let letter: UInt8 = 2
  /// General category N.
  static let number: UInt8 = 4
  /// General categories P, S and Cc, except white space.
  static let symbol: UInt8 = 8
  /// General category P.
  static let punctuation: UInt8 = 16
  /// Ideographic or Hiragana: written without spaces, so that each character is a word.
  static let ideograph: UInt8 = 32
  /// Ends a sentence: Sentence_Terminal, and the Khmer signs that Unicode 15.1 added to it.
  static let terminal: UInt8 = 64
  /// General categories Lu and Lt.
  static let capital: UInt8 = 128

  /// The flags of characters that are never part of a longer word.
  static let breaking = space | symbol | ideograph

  private static let sets: [(pattern: String, flag: UInt8)] = [
    ("[:White_Space:]", space), ("[:L:]", letter), ("[:N:]", number),
    ("[[[:P:][:S:][:Cc:]]-[:White_Space:]]", symbol), ("[:P:]", punctuation),
    ("[[:Ideographic:][:Hiragana:]]", ideograph),
    ("[[:Sentence_Terminal:]\\u17D4-\\u17D6\\u17D9\\u17DA]", terminal), ("[[:Lu:][:Lt:]]", capital),
  ]

  /// One byte per code point. Filled once, then never changed.
  nonisolated(unsafe) static let table: UnsafePointer<UInt8> = {
    let table = UnsafeMutablePointer<UInt8>.allocate(capacity: 0x110000)
    table.initialize(repeating: 0, count: 0x110000)
    for (pattern, flag) in sets {
      guard pkm_unicode_add_flag(pattern, flag, table) else {
        preconditionFailure("ICU does not know the set \(pattern)")
      }
    }
    return UnsafePointer(table)
  }()
}
