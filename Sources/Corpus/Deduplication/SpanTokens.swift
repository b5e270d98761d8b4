/// The tokens of a batch of documents, from any tokenizer.
package struct SpanTokens: Sendable {
  let ids: [UInt32]
  /// The end of the tokens of each document in ``ids``.
  let ends: [Int]
  /// The end of each token in the text of its document.
  let textEnds: [Int]

  /// All ids must be below this.
  package static let idLimit: UInt32 = 0xff_0000

  package init(ids: [UInt32], ends: [Int], textEnds: [Int]) {
    precondition(ids.allSatisfy { $0 < Self.idLimit } && ids.count == textEnds.count)
    (self.ids, self.ends, self.textEnds) = (ids, ends, textEnds)
  }

  /// The range of the tokens of a document in ``ids``.
  func range(of document: Int) -> Range<Int> { (document == 0 ? 0 : ends[document - 1])..<ends[document] }

  func textEnds(of document: Int) -> ArraySlice<Int> { textEnds[range(of: document)] }
}
