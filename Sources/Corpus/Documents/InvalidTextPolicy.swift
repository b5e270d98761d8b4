/// What happens to text that cannot be read as characters.
package enum InvalidTextPolicy: String, Sendable, CaseIterable {
  /// Each maximal ill-formed part becomes U+FFFD.
  case replace
  /// The run fails.
  case error
  /// The document is skipped.
  case drop
}
