/// Which of several pairs with the same count is merged first.
package enum TieBreak: Sendable {
  /// The smallest (left, right) as ids: Hugging Face's trainer.
  case smallestIDs
  /// The largest (left, right) as strings by code point, `</w>` included: subword-nmt.
  case largestStrings
}
