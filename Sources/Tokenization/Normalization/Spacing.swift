/// What a `pre_tokenizer` puts into each part of a document between added tokens before it splits the part.
package enum Spacing: Sendable, Equatable {
  case none
  /// A space before a part that does not begin with one: `add_prefix_space` of ByteLevel.
  case prefixSpace
  /// The replacement for each space, and one before a part that does not begin with it: Metaspace.
  case metaspace(replacement: Unicode.Scalar, prependScheme: PreTokenizationStep.PrependScheme)
}
