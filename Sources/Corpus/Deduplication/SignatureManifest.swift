import Support

/// Describes the documents of the stage `signatures`: the file `signatures.json` of its directory, written
/// last.
package struct SignatureManifest: Codable, Sendable {
  var version = 2
  package var options: MinHashOptions
  /// A hash of the listing of the inputs, and one of everything read from them. Together they identify the
  /// documents.
  package var listing: String
  package var digest: String
  /// The inputs as the user named them.
  package var names: [String]
  package var documents: Int
  /// The counts of the reader: names and values.
  var countNames: [CountName]
  var counts: [Int]
  /// The sorted runs of keys, and the checksums of the tables of documents beside them.
  var runs: [RunRecord]
  var tables: [String]

  static func path(_ directory: String) -> String { Path.join(directory, "signatures.json") }

  static func read(_ directory: String) throws -> SignatureManifest {
    let path = path(directory)
    return try JSONFile.readSealed(SignatureManifest.self, from: path) { manifest in
      let bounds = NumberBounds(path)
      try bounds.check(manifest.version, "version", in: 2...2)
      try bounds.check(manifest.documents, "documents", in: 0...SignatureWriter.mostDocuments)
      for (name, count) in zip(manifest.countNames, manifest.counts) {
        try bounds.check(count, "the count of \(name)", in: 0...SignatureProgress.mostCounted)
      }
      try manifest.options.check(bounds)
    }
  }

  package var summary: Summary {
    var summary = Summary()
    for (name, count) in zip(countNames, counts) { summary.add(name, count) }
    return summary
  }

  package var identity: String { listing + digest }

  /// The documents as a set whose first document has the given number.
  func documentSet(firstDocument: Int = 0) -> DocumentSet {
    DocumentSet(
      listing: listing, digest: digest, names: names, firstDocument: firstDocument, documents: documents)
  }
}
