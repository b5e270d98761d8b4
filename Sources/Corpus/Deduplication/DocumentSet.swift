import Support

/// One of the inputs of a deduplication by signatures: its identity and the numbers of its documents.
package struct DocumentSet: Codable, Sendable, Equatable {
  /// A hash of the listing of the input files.
  package var listing: String
  /// A hash of everything that was read from them.
  package var digest: String
  /// The inputs as the user named them.
  package var names: [String]
  /// The number of the first document of this set among the documents of all sets.
  package var firstDocument: Int
  package var documents: Int

  /// Throws unless the numbers are possible and continue each other; returns the number of all documents.
  @discardableResult
  static func check(_ sets: [DocumentSet], _ bounds: NumberBounds) throws -> Int {
    let most = SignatureWriter.mostDocuments
    var documents = 0
    for (index, set) in sets.enumerated() {
      try bounds.check(set.firstDocument, "sets[\(index)].firstDocument", in: documents...documents)
      try bounds.check(set.documents, "sets[\(index)].documents", in: 0...(most - documents))
      documents += set.documents
    }
    return documents
  }

  /// Throws unless the documents, read again, are those that the signatures were made of.
  ///
  /// `digest` is the digest of all blocks that were read.
  func check(digest: UInt64, documents: Int) throws {
    guard Hashing.hexadecimal(digest) == self.digest, documents == self.documents else {
      throw Failure(
        .failed, "the input has changed since its signatures were made",
        remedy: "Begin again with the signatures")
    }
  }
}
