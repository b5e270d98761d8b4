import Support

/// The progress of the stage `signatures` after a run, stored as the note of the run.
struct SignatureProgress: Codable {
  var documents = 0
  var digest: UInt64 = 0
  var countNames: [CountName] = []
  var counts: [Int] = []
  /// The number of documents in each block of input that the run covers.
  var blocks: [Int] = []

  /// More than this is no count of anything.
  static let mostCounted = 1 << 53

  /// The progress that a run of keys notes; throws unless its numbers are possible.
  ///
  /// `documents` is the number of documents before this run.
  static func read(_ run: SortedRun, after documents: Int) throws -> SignatureProgress {
    let progress = try run.decodedNote(SignatureProgress.self)
    let bounds = NumberBounds(run.path)
    let most = SignatureWriter.mostDocuments - documents
    let sum = try bounds.sum(progress.blocks, "blocks of the note", most: most)
    try bounds.check(progress.documents, "documents of the note", in: (documents + sum)...(documents + sum))
    for (name, count) in zip(progress.countNames, progress.counts) {
      try bounds.check(count, "the count of \(name) of the note", in: 0...mostCounted)
    }
    return progress
  }
}
