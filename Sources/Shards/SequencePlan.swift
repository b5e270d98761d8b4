/// The target tokens of each sequence of a split.
///
/// The input at each position is the token before the target. So the first input of a sequence that begins
/// with a document is the end-of-document id of the previous document, as in generated text.
package struct SequencePlan: Sendable {
  package let count: Int
  package let sequenceLength: Int
  /// The start of the targets of each sequence, and the end of the last; empty for ``Packing/stream``, which
  /// needs no list.
  private let bounds: [Int]

  /// Memory: 8 bytes per sequence with ``Packing/document``, none with ``Packing/stream``.
  package init(_ packing: Packing, of dataset: Dataset, split: String, sequenceLength: Int) throws {
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

  /// The range of the targets of a sequence; shorter than `sequenceLength` if the sequence is padded.
  package subscript(sequence: Int) -> Range<Int> {
    if !bounds.isEmpty { return bounds[sequence]..<bounds[sequence + 1] }
    let start = sequence * sequenceLength + 1
    return start..<(start + sequenceLength)
  }

  /// The number of targets in all sequences.
  package var targetCount: Int { bounds.last ?? count * sequenceLength }
}
