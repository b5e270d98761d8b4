/// What two documents must have in common to be duplicates.
package enum ExactKey: String, Sendable, CaseIterable {
  /// The same bytes.
  case text
  /// The same ``ComparisonKey``; for documents without a letter or digit, the same bytes.
  case normalized
}
