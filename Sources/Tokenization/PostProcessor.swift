import Support

/// The `post_processor` of a tokenizer.json: the ids that stand before and after those of a document, where
/// special tokens are asked for.
package struct PostProcessor: Sendable, Equatable {
  package let before: [UInt32]
  package let after: [UInt32]
  /// The component as it was read.
  let json: JSONValue
}
