/// The tokens of a batch of documents, whoever made them.
package struct SpanTokens: Sendable {
  let ids: [UInt32]
  /// Where the tokens of each document end in ``ids``.
  let ends: [Int]
  /// Where each token ends in the text of its document.
  let textEnds: [Int]

  /// Ids are below this.
  package static let idLimit: UInt32 = 0xff_0000

  package init(ids: [UInt32], ends: [Int], textEnds: [Int]) {
    precondition(ids.allSatisfy { $0 < Self.idLimit } && ids.count == textEnds.count)
    (self.ids, self.ends, self.textEnds) = (ids, ends, textEnds)
  }

  /// The tokens of a document, as a range of all.
  func range(of document: Int) -> Range<Int> { (document == 0 ? 0 : ends[document - 1])..<ends[document] }

  func textEnds(of document: Int) -> ArraySlice<Int> { textEnds[range(of: document)] }
}
