/// What of a document has to be equal.
package enum ExactKey: String, Sendable, CaseIterable {
  /// Its bytes.
  case text
  /// Its ``ComparisonKey``; for a document without a letter or digit, its bytes.
  case normalized
}
