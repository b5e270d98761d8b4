import Corpus
import Foundation
import Support

/// The loop of the methods that need their input once.
///
/// Documents stream through until the memory is full; the rest is spooled, its hashes are sorted on disk, and then it is
/// read again. With a work directory all hashes are sorted there, the input is read twice, and a killed run can continue.
struct StreamingPass {
  /// The inputs as the user named them.
  let names: [String]
  let inputs: DocumentInputs
  let decontamination: DecontaminationFilter?
  private let options: DedupOptions
  /// The state in the work directory; nil without one.
  private let job: DeduplicationJob?
  /// The only pass without a work directory; nil with one.
  private let pass: DocumentPass?

  /// Where postponed documents are worked on.
  struct Workplace {
    let directory: String
    let pool: WorkerPool
    /// The tag of the job, which its sorted runs carry.
    var tag: UInt64 = 0
    /// Removes the directory.
    var owner: TemporaryDirectory?
  }

  /// The documents of a block, worked on.
  ///
  /// An object, so that the consumer can change the batch in place.
  private final class WorkedBatch<Worked: Sendable>: @unchecked Sendable {
    let frame: DocumentBlock
    let digest: UInt64
    // One thread makes it and hands it over to another.
    var batch: DocumentBatch
    let worked: Worked
    let words: Int

    init(
      _ frame: DocumentBlock, _ digest: UInt64, _ batch: DocumentBatch, _ work: (DocumentBatch) -> Worked,
      _ counts: inout Summary
    ) {
      (self.frame, self.digest, self.batch) = (frame, digest, batch)
      worked = work(batch)
      words = counts.addText(of: batch)
    }
  }

  /// `identity` names all options that the state in a work directory depends on, but for the decontamination.
  init(_ options: DedupOptions, identity: String) throws {
    self.options = options
    decontamination = try options.decontaminationFilter()
    if let workDirectory = options.workDirectory {
      let job = try DeduplicationJob.open(
        options, identity: identity, workDirectory: workDirectory, decontamination: decontamination)
      (self.job, names, inputs, pass) = (job, job.names, try job.reader().inputs, nil)
    } else {
      let reader = try options.allInput.reader()
      (job, names, inputs) = (nil, reader.files, reader.inputs)
      pass = DocumentPass(
        reader: reader, settings: options.settings, label: "dedup", decontamination: decontamination,
        firstCountedFile: try options.seenFileCount())
    }
  }

  /// Where the state is kept and who works on it; nil without a work directory.
  func workplace() throws -> Workplace? {
    try job.map {
      Workplace(directory: try $0.directory.subdirectory("hashes"), pool: $0.pool, tag: $0.directory.tag)
    }
  }

  /// Takes the batches in order; once `isFull` is true, or with a work directory from the start, they are postponed first.
  ///
  /// `work` runs on many threads. `resolve` runs after the last batch was postponed and before the first of these is taken.
  /// `finished` says which blocks an earlier run has postponed, and whether it has resolved them.
  func run<Worked: Sendable>(
    finished: (blocks: Int, digest: UInt64, isResolved: Bool),
    work: @escaping @Sendable (DocumentBatch) -> Worked, isFull: () -> Bool,
    take: (inout DocumentBatch, Worked, _ words: Int) throws -> Void,
    postpone: (DocumentBatch, _ blockDigest: UInt64, Worked, Workplace) throws -> Void,
    resolve: () throws -> Void,
    onMatches: ([DecontaminationFilter.Match]) throws -> Void
  ) throws -> Summary {
    guard let job else {
      return try runOnce(
        pass!, work: work, isFull: isFull, take: take, postpone: postpone, resolve: resolve,
        onMatches: onMatches)
    }
    var digest = finished.digest
    if !finished.isResolved {
      let (pass, workplace) = (try job.pass("hashes"), try self.workplace()!)
      _ = try pass.run(
        next: DeduplicationJob.blocks(of: pass.reader, after: finished.blocks, digest: finished.digest),
        work: { _, blockDigest, batch, _ in (batch, work(batch), blockDigest) },
        consume: { batch, worked, blockDigest in
          digest = DocumentBlock.chain(digest, blockDigest)
          try postpone(batch, blockDigest, worked, workplace)
        })
    }
    try resolve()
    let pass = try job.pass("dedup")
    var digestNow: UInt64 = 0
    let summary = try pass.run(
      isWhole: true, next: pass.reader.nextBlock, work: { WorkedBatch($0, $1, $2, work, &$3) },
      consume: { block in
        digestNow = DocumentBlock.chain(digestNow, block.digest)
        try take(&block.batch, block.worked, block.words)
      }, onMatches: onMatches)
    if digestNow != digest { throw DeduplicationJob.hasChanged }
    return summary
  }

  private func runOnce<Worked: Sendable>(
    _ pass: DocumentPass, work: @escaping @Sendable (DocumentBatch) -> Worked, isFull: () -> Bool,
    take: (inout DocumentBatch, Worked, _ words: Int) throws -> Void,
    postpone: (DocumentBatch, _ blockDigest: UInt64, Worked, Workplace) throws -> Void,
    resolve: () throws -> Void,
    onMatches: ([DecontaminationFilter.Match]) throws -> Void
  ) throws -> Summary {
    var rest: (spool: BlockSpool, workplace: Workplace)?
    let summary = try pass.run(
      takesDigests: false, isWhole: true, next: pass.reader.nextBlock,
      work: { WorkedBatch($0, $1, $2, work, &$3) },
      consume: { block in
        if isFull() {
          if rest == nil { rest = try makeRest() }
          try rest!.spool.append(block.frame, of: block.batch)
          try postpone(block.batch, block.digest, block.worked, rest!.workplace)
        } else {
          try take(&block.batch, block.worked, block.words)
        }
      }, onMatches: onMatches)
    if let rest {
      try resolve()
      var again = pass
      again.printsWarnings = false
      _ = try again.run(
        takesDigests: false, next: rest.spool.nextBlock, work: { WorkedBatch($0, $1, $2, work, &$3) },
        consume: { try take(&$0.batch, $0.worked, $0.words) })
    }
    return summary
  }

  private func makeRest() throws -> (spool: BlockSpool, workplace: Workplace) {
    // No later run continues from it, so its name is that of this attempt.
    let (place, common) = try DeduplicationJob.temporaryDirectory(beside: options.output.sink.name)
    let owner =
      try common
      ?? TemporaryDirectory(in: Path.directory(of: place), named: String(Path.name(of: place).dropFirst()))
    let directory = owner.path
    if !options.settings.isQuiet {
      Log.line("dedup: the memory is full, the rest goes by way of \(directory)")
    }
    return (
      try BlockSpool(Path.join(directory, "rest"), options: options.input.options),
      Workplace(directory: directory, pool: WorkerPool(threads: options.settings.threads), owner: owner)
    )
  }
}
