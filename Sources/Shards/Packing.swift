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

/// Which tokens of a split are the targets of each sequence.
///
/// The input at each place is the token before the target, so a sequence that begins with a document has the
/// end-of-document id of the one before it as its first input, as a generated text has.
struct SequencePlan: Sendable {
  let count: Int
  let sequenceLength: Int
  /// Where the targets of each sequence begin, and the end of the last; empty for ``Packing/stream``, which needs no list.
  private let bounds: [Int]

  /// Memory: 8 bytes a sequence with ``Packing/document``, none with ``Packing/stream``.
  init(_ packing: Packing, of dataset: Dataset, split: String, sequenceLength: Int) throws {
    self.sequenceLength = sequenceLength
    switch packing {
    case .stream:
      bounds = []
      count = max(0, try dataset.tokenCount(of: split) - 1) / sequenceLength
    case .document:
      var bounds = [0]
      var end = 0
      try dataset.forEachRow(of: split) { row in
        if end - bounds.last! + row.tokens > sequenceLength && end > bounds.last! { bounds.append(end) }
        end += row.tokens
        while end - bounds.last! > sequenceLength { bounds.append(bounds.last! + sequenceLength) }
      }
      if end > bounds.last! { bounds.append(end) }
      self.bounds = bounds
      count = bounds.count - 1
    }
  }

  /// The targets of a sequence; shorter than `sequenceLength` where it is padded.
  subscript(sequence: Int) -> Range<Int> {
    if !bounds.isEmpty { return bounds[sequence]..<bounds[sequence + 1] }
    let start = sequence * sequenceLength + 1
    return start..<(start + sequenceLength)
  }

  /// Targets in all sequences.
  var targetCount: Int { bounds.last ?? count * sequenceLength }
}
