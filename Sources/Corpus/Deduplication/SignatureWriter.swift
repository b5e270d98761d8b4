import Foundation
import Support

/// The stage `signatures`: writes the band keys of all documents as sorted runs of (key, document number),
/// and a table with one row per document.
///
/// Run i and table i cover the same documents.
package final class SignatureWriter {
  package let hasher: MinHasher
  private let directory: String
  private let sorter: RecordSorter
  private var progress = SignatureProgress()
  private var summary = Summary()
  private var table: SignatureTable.Writer?

  // The number of blocks that finished runs cover, and how many of them were read again so far.
  private var blocksDone = 0
  private var blocksSkipped = 0
  private var digestOfSkipped: UInt64 = 0

  /// Document numbers share 32 bits with the mark of cluster roots.
  static let mostDocuments = 1 << 31

  /// Resumes where an earlier writer in the same directory stopped.
  ///
  /// `owner` is the tag of the job: see ``ResumableDirectory/tag``.
  package init(directory: String, options: MinHashOptions, owner: UInt64 = 0, memory: Int, pool: WorkerPool)
    throws
  {
    self.directory = directory
    hasher = MinHasher(options)
    sorter = try RecordSorter(
      directory: directory, name: "keys", format: SignatureSet.keyFormat, owner: owner, memory: memory,
      pool: pool)
    for run in sorter.runs {
      progress = try SignatureProgress.read(run, after: progress.documents)
      blocksDone += progress.blocks.count
    }
    progress.blocks = []
    for (name, count) in zip(progress.countNames, progress.counts) { summary.add(name, count) }
  }

  /// Whether a finished run covers the next block of the input.
  ///
  /// Throws if the block differs from what was read then.
  package func covers(_ block: DocumentBlock) throws -> Bool {
    guard blocksSkipped < blocksDone else { return false }
    blocksSkipped += 1
    digestOfSkipped = DocumentBlock.chain(digestOfSkipped, block.digest)
    if blocksSkipped == blocksDone && digestOfSkipped != progress.digest {
      throw Failure(
        .failed, "the input has changed since the work was started", file: directory,
        remedy: "Remove the directory and run again")
    }
    return true
  }

  /// Adds the documents of one block. `counts` are the counts of its reading.
  package func add(_ signatures: MinHasher.BatchSignatures, blockDigest: UInt64, counts: Summary) throws {
    let bands = hasher.options.parameters.bands
    if sorter.freeCapacity < signatures.keys.count && !progress.blocks.isEmpty { try endRun() }
    if table == nil {
      table = try SignatureTable.Writer(SignatureTable.path(sorter.runs.count, in: directory))
    }
    var records: [UInt64] = []
    records.reserveCapacity(2 * signatures.keys.count)
    for (number, index) in signatures.keyed.enumerated() {
      for key in signatures.keys[(number * bands)..<((number + 1) * bands)] {
        records.append(key)
        records.append(UInt64(progress.documents + index))
      }
    }
    guard sorter.freeCapacity >= signatures.keys.count else {
      throw Failure(
        .usage, "--memory is too small for the \(signatures.keys.count) band keys of a megabyte of documents",
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
    // The run is written last, so a run always has its table.
    try table?.finish()
    table = nil
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    try sorter.endRun(note: Array(encoder.encode(progress)))
    progress.blocks = []
  }

  /// Call this when all of the input was added or covered.
  package func finish(listing: String, names: [String]) throws -> SignatureSet {
    if blocksSkipped < blocksDone {
      throw Failure(
        .failed, "the input has become shorter since the work was started", file: directory,
        remedy: "Remove the directory and run again")
    }
    if table != nil { try endRun() }
    let manifest = SignatureManifest(
      options: hasher.options, listing: listing, digest: Hashing.hexadecimal(progress.digest), names: names,
      documents: progress.documents, countNames: summary.entries.map(\.name),
      counts: summary.entries.map { summary.count($0.name) }, runs: sorter.runs.map(RunRecord.init),
      tables: try sorter.runs.indices.map {
        Hashing.hexadecimal(try SignatureTable.checksum(SignatureTable.path($0, in: directory)))
      })
    try JSONFile.writeSealed(manifest, to: SignatureManifest.path(directory))
    return try SignatureSet(directory)
  }
}
