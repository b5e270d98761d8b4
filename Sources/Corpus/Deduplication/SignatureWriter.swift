import Foundation
import Support

/// The stage `signatures`: band keys of all documents as sorted runs of (key, document number), and a table with a row a
/// document.
///
/// Run 7 and table 7 belong to the same documents.
package final class SignatureWriter {
  package let hasher: MinHasher
  private let directory: String
  private let sorter: RecordSorter
  private var progress = SignatureProgress()
  private var summary = Summary()
  private var table: SignatureTable.Writer?

  // Blocks that finished runs cover, and how far the reading of them has come.
  private var blocksDone = 0
  private var blocksSkipped = 0
  private var digestOfSkipped: UInt64 = 0

  /// Document numbers and the marks of cluster roots share 32 bits.
  static let mostDocuments = 1 << 31

  /// Goes on where an earlier writer in the same directory has stopped.
  package init(directory: String, options: MinHashOptions, memory: Int, pool: WorkerPool) throws {
    self.directory = directory
    hasher = MinHasher(options)
    sorter = try RecordSorter(
      directory: directory, name: "keys", format: SignatureSet.keyFormat, memory: memory, pool: pool)
    for run in sorter.runs {
      progress = try JSONDecoder().decode(SignatureProgress.self, from: Data(run.note))
      blocksDone += progress.blocks.count
    }
    progress.blocks = []
    for (name, count) in zip(progress.countNames, progress.counts) { summary.add(name, count) }
  }

  /// Whether the next block of the input is covered by a finished run.
  ///
  /// Throws when it is not what was read then.
  package func covers(_ block: DocumentBlock) throws -> Bool {
    guard blocksSkipped < blocksDone else { return false }
    blocksSkipped += 1
    digestOfSkipped = DocumentBlock.chain(digestOfSkipped, block.digest)
    if blocksSkipped == blocksDone && digestOfSkipped != progress.digest {
      throw Failure(
        .failed, "the input is not the one that the work was begun with", file: directory,
        remedy: "Remove the directory and run again")
    }
    return true
  }

  /// The next documents, all those of one block.
  ///
  /// `counts` are those of its reading.
  package func add(_ signatures: MinHasher.BatchSignatures, blockDigest: UInt64, counts: Summary) throws {
    let bands = hasher.options.parameters.bands
    if sorter.room < signatures.keys.count && !progress.blocks.isEmpty { try endRun() }
    if table == nil {
      table = try SignatureTable.Writer(SignatureTable.path(sorter.runs.count, in: directory))
    }
    var records: [UInt64] = []
    records.reserveCapacity(2 * signatures.keys.count)
    for (place, index) in signatures.keyed.enumerated() {
      for key in signatures.keys[(place * bands)..<((place + 1) * bands)] {
        records.append(key)
        records.append(UInt64(progress.documents + index))
      }
    }
    guard sorter.room >= signatures.keys.count else {
      throw Failure(
        .usage, "--memory has no room for the \(signatures.keys.count) band keys of a megabyte of documents",
        remedy: "Give more memory, or fewer bands")
    }
    sorter.append(records)
    try table!.append(signatures.rows)
    progress.documents += signatures.documentCount
    if progress.documents > Self.mostDocuments {
      throw Failure(.failed, "more than 2³¹ documents", remedy: "Deduplicate a part of them at a time")
    }
    progress.digest = DocumentBlock.chain(progress.digest, blockDigest)
    progress.blocks.append(signatures.documentCount)
    summary.merge(counts)
  }

  private func endRun() throws {
    progress.countNames = summary.entries.map(\.name)
    progress.counts = progress.countNames.map(summary.count)
    // The run comes last: where it is, its table is.
    try table?.finish()
    table = nil
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    try sorter.endRun(note: Array(encoder.encode(progress)))
    progress.blocks = []
  }

  /// Call when all of the input was given or covered.
  package func finish(listing: String, names: [String]) throws -> SignatureSet {
    if blocksSkipped < blocksDone {
      throw Failure(
        .failed, "the input is shorter than the one that the work was begun with", file: directory,
        remedy: "Remove the directory and run again")
    }
    if table != nil { try endRun() }
    let manifest = SignatureManifest(
      options: hasher.options, listing: listing, digest: Hashing.hexadecimal(progress.digest), names: names,
      documents: progress.documents, countNames: summary.entries.map(\.name),
      counts: summary.entries.map { summary.count($0.name) })
    try ManifestFile.write(manifest, to: SignatureSet.manifestPath(directory))
    return try SignatureSet(directory)
  }
}
