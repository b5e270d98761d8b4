/// A token whose text is found before text is normalized, split and merged.
package struct AddedToken: Sendable, Equatable {
  package let id: UInt32
  package let text: String
  /// Whether it marks something that is not text, such as the end of a document.
  ///
  /// Its text inside of a document is ordinary text unless that is asked for; and decoding leaves it out.
  package var isSpecial = true
  /// Whether it is found only where no word character stands before and after it.
  package var isSingleWord = false
  /// Whether the white space before it, and after it, belongs to it.
  package var stripsLeft = false
  package var stripsRight = false
  /// Whether it is looked for in normalized text, and is itself normalized for that.
  package var isNormalized = false
  /// Whether it is looked for in normalized text as it is.
  package var isVerbatim = false

  package init(id: UInt32, text: String, isSpecial: Bool = true) {
    self.id = id
    self.text = text
    self.isSpecial = isSpecial
  }

  /// Whether only its text counts.
  var isPlain: Bool { !isSingleWord && !stripsLeft && !stripsRight && !isNormalized }
}
