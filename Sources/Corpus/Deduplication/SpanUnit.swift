/// The unit in which the length of a repeated span is counted.
package enum SpanUnit: String, Sendable, CaseIterable {
  case byte
  /// A maximal run of bytes other than ASCII white space, as in all word counts. White space itself is not
  /// compared. A run of more than ``SpanText/longestWord`` bytes counts as several words.
  case word
  /// A token of ``SpanTokens``.
  case token
}
