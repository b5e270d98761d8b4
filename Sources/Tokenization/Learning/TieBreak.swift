/// Which of several pairs with equal counts is merged first.
package enum TieBreak: Sendable {
  /// The pair with the smallest ids (left, right), as in Hugging Face's trainer.
  case smallestIDs
  /// The pair with the largest strings (left, right) by code point, including `</w>`, as in subword-nmt.
  case largestStrings
}
