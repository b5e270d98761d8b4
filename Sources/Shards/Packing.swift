import Support

/// How the tokens of a split are packed into training sequences.
///
/// Packing happens when a trainer knows its context, not when a dataset is written: a dataset contains whole
/// documents without padding, and its index may name the packing that it is meant for.
package enum Packing: String, NamedChoice {
  /// One stream of documents with their end-of-document ids, cut every `sequenceLength` tokens.
  ///
  /// The tokens after the last whole sequence are left out.
  case stream
  /// A sequence begins at the start of a document and takes the following documents as long as they fit as a
  /// whole.
  ///
  /// A document longer than a sequence is cut into full sequences, and its rest begins another one. Sequences
  /// are padded to their length, and the loss ignores the padding. No token is left out.
  case document
}
