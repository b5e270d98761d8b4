/// How to treat bytes that are not valid in the character set of the input.
package enum InvalidTextPolicy: String, Sendable, CaseIterable {
  /// Each maximal ill-formed subsequence becomes U+FFFD.
  case replace
  /// The run fails.
  case error
  /// The document is skipped.
  case drop
}
