import Support

/// How the tokens of a split are divided into training sequences.
///
/// The division is made when a trainer knows its context, not when a dataset is written: a dataset holds documents, whole and
/// without padding, and may say in its index which division it is meant for.
package enum Packing: String, NamedChoice {
  /// One stream of documents with their end-of-document ids between them, cut every `sequenceLength` tokens wherever that
  /// falls.
  ///
  /// The tokens behind the last whole sequence are left out.
  case stream
  /// A sequence begins where a document begins and takes the next documents of the dataset as long as they fit whole.
  ///
  /// A document longer than a sequence is cut: full sequences, and its rest begins another one. What is left of a sequence is
  /// padding that the loss does not count. No token is left out.
  case document
}
