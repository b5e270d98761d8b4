import Foundation
import Support

/// What the stage `clusters` says about its removals, in the file `clusters.json` of its directory, which it writes last.
package struct ClusterManifest: Codable, Sendable {
  var version = 1
  package var sets: [BandManifest.SetOfDocuments]
  package var removed: Int
  /// The number of clusters of each size.
  package var clusterSizes: [Int: Int]
}

/// The stage `clusters`: components of the candidate pairs, one document of each kept, and the list of the others.
///
/// A removal is a record of four words: the document's number and that of the one kept; the location of the latter; the
/// number of its set, and above it the similarity of the two in millionths (all ones where it is not known). Memory: 4
/// bytes a document, 8 where another than the first stays.
package struct ClusterStage {
  private let sets: [SignatureSet]
  private let memory: Int
  private let pool: WorkerPool

  static let removalFormat = RecordFormat(words: 4)

  /// The sets of signatures that the pairs were joined from.
  package init(_ sets: [SignatureSet], memory: Int, pool: WorkerPool) {
    self.sets = sets
    self.memory = memory
    self.pool = pool
  }

  static func manifestPath(_ directory: String) -> String { Path.join(directory, "clusters.json") }

  package static func exists(_ directory: String) -> Bool { Path.exists(manifestPath(directory)) }

  package static func manifest(_ directory: String) throws -> ClusterManifest {
    try SignatureSet.read(ClusterManifest.self, from: manifestPath(directory))
  }

  /// `shingles` are those of the documents in pairs, where they were verified.
  package func run(_ pairs: CandidatePairs, shingles: ShingleSets? = nil, directory: String) throws {
    let sets = try pairs.sets.map { described -> SignatureSet in
      let found = self.sets.first { set in
        set.manifest.listing == described.listing && set.manifest.digest == described.digest
      }
      if let found { return found }
      throw Failure(
        .usage, "the signatures of \(described.names.joined(separator: ", ")) are missing",
        remedy: "Give the directories of all signatures that the pairs were joined from")
    }
    let count = pairs.documentCount
    let options = sets.first?.manifest.options ?? MinHashOptions()
    let format = MinHasher.RowFormat(options)
    let bytes = count * (format.weight == nil ? 4 : 8)
    guard bytes <= memory else {
      throw Failure(
        .failed, "clusters of \(count) documents need \(bytes >> 20) MB",
        remedy: "Give at least that as --memory")
    }
    let clusters = DuplicateClusters(documentCount: count)
    try pairs.forEach(memory: memory / 8, scratch: directory) { batch in
      for pair in batch { clusters.join(Int(pair >> 32), Int(pair & 0xffff_ffff)) }
    }

    func set(of document: Int) -> Int { pairs.sets.lastIndex { $0.firstDocument <= document }! }
    func row(_ document: Int) -> UnsafeRawBufferPointer {
      let set = set(of: document)
      return sets[set].row(document - pairs.sets[set].firstDocument)
    }
    func weight(_ document: Int) -> KeepRule.Weight {
      let row = row(document)
      return KeepRule.Weight(
        high: UInt64(littleEndian: row.loadUnaligned(fromByteOffset: format.weight!, as: UInt64.self)),
        low: UInt64(littleEndian: row.loadUnaligned(fromByteOffset: format.weight! + 8, as: UInt64.self)))
    }

    // The representative of each component, at its root: the first document unless another has a greater weight.
    var representatives: [UInt32] = []
    if format.weight != nil {
      representatives = (0..<count).map { UInt32($0) }
      for document in 0..<count {
        if document & 0x7fff == 0 { for set in sets { set.releasePages() } }
        let root = clusters.root(of: document)
        if root != document, weight(Int(representatives[root])) < weight(document) {
          representatives[root] = UInt32(document)
        }
      }
    }

    let removals = try RecordSorter(
      directory: directory, name: "removals", format: Self.removalFormat, memory: memory / 4, pool: pool)
    removals.removeRuns()
    var manifest = ClusterManifest(sets: pairs.sets, removed: 0, clusterSizes: [:])
    for document in 0..<count {
      if document & 0x7fff == 0 {
        try Interruption.check()
        for set in sets { set.releasePages() }
      }
      let root = clusters.root(of: document)
      if root == document && clusters.size(ofRoot: root) > 1 {
        manifest.clusterSizes[clusters.size(ofRoot: root), default: 0] += 1
      }
      let kept = representatives.isEmpty ? root : Int(representatives[root])
      if kept == document { continue }
      manifest.removed += 1
      let keptRow = row(kept)
      var similarity = UInt64(UInt32.max)
      if let shingles {
        similarity = UInt64(shingles.similarity(document, kept) * 1e6)
      } else if let sketch = format.sketch {
        let estimate = MinHasher.similarity(
          UnsafeRawBufferPointer(rebasing: row(document).dropFirst(sketch)),
          UnsafeRawBufferPointer(rebasing: keptRow.dropFirst(sketch)))
        similarity = UInt64(estimate * 1e6)
      }
      try removals.appendEndingRuns([
        UInt64(document), UInt64(kept), UInt64(littleEndian: keptRow.loadUnaligned(as: UInt64.self)),
        similarity << 32 | UInt64(set(of: kept)),
      ])
    }
    _ = try removals.finish(memory: memory / 4)
    try SignatureSet.write(manifest, to: Self.manifestPath(directory))
  }
}

/// The removals of one set of documents, in their order: what the stage `filter` goes by.
package final class RemovalList {
  package let manifest: ClusterManifest
  private let set: BandManifest.SetOfDocuments
  private let merger: RecordMerger
  private var batch: [UInt64] = []
  private var next = 0

  package struct Entry: Equatable {
    /// The place of the document that is kept, and the names of the inputs that it is one of.
    package let kept: DocumentLocation
    package let names: [String]
    /// nil where it is not known.
    package let similarity: Double?
  }

  /// `listing` has to be that of one of the sets.
  package init(_ directory: String, listing: String, memory: Int) throws {
    manifest = try ClusterStage.manifest(directory)
    guard let set = manifest.sets.first(where: { $0.listing == listing }) else {
      throw Failure(
        .usage, "is of other documents: no set has this listing of inputs (names, sizes, how they are read)",
        file: directory, remedy: "Give the inputs as they were given for their signatures")
    }
    self.set = set
    merger = try RecordMerger(RecordSorter.runs(name: "removals", in: directory), memory: memory)
  }

  /// The documents that the list is for.
  package var documentCount: Int { self.set.documents }

  /// Throws unless the documents are those that the signatures were made of.
  ///
  /// `digest` is that of all blocks.
  package func check(digest: UInt64, documents: Int) throws {
    try SignatureSet.check(digest, documents, against: set.digest, set.documents)
  }

  /// Why a document of the set is to be removed, nil if it stays; numbers have to ascend.
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
      return Entry(
        kept: DocumentLocation(packed: batch[next + 2]), names: manifest.sets[keptSet].names,
        similarity: similarity == UInt64(UInt32.max) ? nil : Double(similarity) / 1e6)
    }
  }
}
