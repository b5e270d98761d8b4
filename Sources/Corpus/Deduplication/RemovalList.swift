import Support

/// The removals of one set of documents, in order: the input of the stage `filter`.
package final class RemovalList {
  package let manifest: ClusterManifest
  private let set: DocumentSet
  private let merger: RecordMerger
  private let directory: String
  private var batch: [UInt64] = []
  private var next = 0

  package struct Entry: Equatable {
    /// The location of the document that is kept, and the names of the inputs that it belongs to.
    package let kept: DocumentLocation
    package let names: [String]
    /// nil if unknown.
    package let similarity: Double?
  }

  /// `listing` must belong to one of the sets.
  package init(_ directory: String, listing: String, memory: Int) throws {
    self.directory = directory
    manifest = try ClusterStage.manifest(directory)
    guard let set = manifest.sets.first(where: { $0.listing == listing }) else {
      throw Failure(
        .usage, "belongs to other documents: no set has these inputs (names, sizes, reader options)",
        file: directory, remedy: "Give the inputs exactly as they were given for the signatures")
    }
    self.set = set
    let runs = try RecordSorter.runs(
      manifest.runs, name: "removals", in: directory, format: ClusterStage.removalFormat)
    merger = try RecordMerger(runs, memory: memory)
  }

  /// The number of documents that the list covers.
  package var documentCount: Int { self.set.documents }

  /// Throws unless the documents are those that the signatures were made of.
  ///
  /// `digest` is the digest of all blocks.
  package func check(digest: UInt64, documents: Int) throws {
    try set.check(digest: digest, documents: documents)
  }

  /// The reason to remove a document of the set; nil if it is kept. Call this with ascending numbers.
  package func removal(of document: Int) throws -> Entry? {
    let wanted = UInt64(set.firstDocument + document)
    while true {
      if next == batch.count {
        guard let records = try merger.next() else { return nil }
        batch = Array(records)
        next = 0
      }
      if batch[next] > wanted { return nil }
      defer { next += 4 }
      if batch[next] < wanted { continue }
      let (similarity, keptSet) = (batch[next + 3] >> 32, Int(batch[next + 3] & 0xffff_ffff))
      let kept = DocumentLocation(packed: batch[next + 2])
      guard keptSet < manifest.sets.count, kept.source < manifest.sets[keptSet].names.count else {
        throw Failure(
          .badInput, "a removal names file \(kept.source) of set \(keptSet), which there is not",
          file: directory, remedy: "Remove the directory and find the clusters again")
      }
      return Entry(
        kept: kept, names: manifest.sets[keptSet].names,
        similarity: similarity == UInt64(UInt32.max) ? nil : Double(similarity) / 1e6)
    }
  }
}
