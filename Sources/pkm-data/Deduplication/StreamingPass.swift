import Commands
import Corpus
import Foundation
import Support

/// The walk of the methods that need their input once: documents stream through, and what comes when the memory is full
/// is spooled, its hashes are sorted on disk, and then it is read again.
///
/// With a work directory all hashes are sorted there, the input is read twice, and a killed run goes on.
struct StreamingPass {
  /// The inputs as the user named them.
  let names: [String]
  let inputs: DocumentInputs
  let screen: DocumentScreen?
  /// The state in the work directory; nil without one.
  let job: DeduplicationJob?
  private let command: Dedup
  private let readerOptions: ReaderOptions
  /// Of the walk without a work directory.
  private let pass: DocumentPass?

  /// Where what is postponed lies.
  struct Place {
    let directory: String
    let pool: WorkerPool
    var owner: TemporaryDirectory?
  }

  /// The documents of a block, worked on: an object, so that whoever takes the batch can change it where it is.
  private final class Piece<Worked: Sendable>: @unchecked Sendable {
    let frame: DocumentBlock
    let digest: UInt64
    // Made by one thread and then used by another.
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

  /// `settings` are all options that the state in a work directory depends on, but for the screen.
  init(_ command: Dedup, settings: String) throws {
    self.command = command
    readerOptions = try command.input.readerOptions()
    screen = try command.screen()
    if command.workDir != nil {
      let job = try DeduplicationJob(
        input: command.allInput, output: command.output.output, workDirectory: command.workDir,
        memory: command.memory, options: command.options, settings: settings, screen: screen,
        seenFiles: try command.seenFiles())
      (self.job, names, inputs, pass) = (job, job.names, try job.reader().inputs, nil)
    } else {
      let reader = try command.allInput.reader()
      (job, names, inputs) = (nil, reader.files, reader.inputs)
      pass = DocumentPass(
        reader: reader, options: command.options, label: "dedup", screen: screen?.body,
        countsFrom: try command.seenFiles())
    }
  }

  /// Where the state lies and who works on it; nil without a work directory.
  func place() throws -> Place? {
    try job.map { Place(directory: try $0.directory.subdirectory("hashes"), pool: $0.pool) }
  }

  /// Takes the batches in order; those that come when `isFull` says so, or with a work directory all of them, are
  /// postponed first.
  ///
  /// `work` runs on many threads; `resolve` comes between the last batch that is postponed and the first of these that
  /// is taken. `finished` are the blocks that an earlier run has postponed, and whether it has resolved them.
  func run<Worked: Sendable>(
    finished: (blocks: Int, digest: UInt64, isResolved: Bool),
    work: @escaping @Sendable (DocumentBatch) -> Worked, isFull: () -> Bool,
    take: (inout DocumentBatch, Worked, _ words: Int) throws -> Void,
    postpone: (DocumentBatch, _ blockDigest: UInt64, Worked, Place) throws -> Void,
    resolve: () throws -> Void,
    found: ([DocumentPass.Found]) throws -> Void
  ) throws -> Summary {
    guard let job else {
      return try runOnce(
        pass!, work: work, isFull: isFull, take: take, postpone: postpone, resolve: resolve, found: found)
    }
    var digest = finished.digest
    if !finished.isResolved {
      let (pass, place) = (try job.pass("hashes"), try place()!)
      _ = try pass.run(
        next: DeduplicationJob.blocks(of: pass.reader, after: finished.blocks, digest: finished.digest),
        work: { _, blockDigest, batch, _ in (batch, work(batch), blockDigest) },
        consume: { batch, worked, blockDigest in
          digest = DocumentBlock.chain(digest, blockDigest)
          try postpone(batch, blockDigest, worked, place)
        })
    }
    try resolve()
    let pass = try job.pass("dedup")
    var digestNow: UInt64 = 0
    let summary = try pass.run(
      next: pass.reader.nextBlock, work: { Piece($0, $1, $2, work, &$3) },
      consume: { piece in
        digestNow = DocumentBlock.chain(digestNow, piece.digest)
        try take(&piece.batch, piece.worked, piece.words)
      }, found: found)
    if digestNow != digest { throw DeduplicationJob.hasChanged }
    return summary
  }

  private func runOnce<Worked: Sendable>(
    _ pass: DocumentPass, work: @escaping @Sendable (DocumentBatch) -> Worked, isFull: () -> Bool,
    take: (inout DocumentBatch, Worked, _ words: Int) throws -> Void,
    postpone: (DocumentBatch, _ blockDigest: UInt64, Worked, Place) throws -> Void,
    resolve: () throws -> Void,
    found: ([DocumentPass.Found]) throws -> Void
  ) throws -> Summary {
    var rest: (spool: BlockSpool, place: Place)?
    defer { if let rest { try? FileManager.default.removeItem(atPath: rest.place.directory) } }
    let summary = try pass.run(
      takesDigests: false, next: pass.reader.nextBlock, work: { Piece($0, $1, $2, work, &$3) },
      consume: { piece in
        if isFull() {
          if rest == nil { rest = try makeRest() }
          try rest!.spool.append(piece.frame, of: piece.batch)
          try postpone(piece.batch, piece.digest, piece.worked, rest!.place)
        } else {
          try take(&piece.batch, piece.worked, piece.words)
        }
      }, found: found)
    if let rest {
      try resolve()
      var again = pass
      again.warns = false
      _ = try again.run(
        takesDigests: false, next: rest.spool.nextBlock, work: { Piece($0, $1, $2, work, &$3) },
        consume: { try take(&$0.batch, $0.worked, $0.words) })
    }
    return summary
  }

  private func makeRest() throws -> (spool: BlockSpool, place: Place) {
    let (directory, owner) = try DeduplicationJob.temporaryDirectory(beside: command.output.output)
    try? FileManager.default.removeItem(atPath: directory)
    try SystemCall.makeDirectories(directory)
    if !command.options.quiet {
      Log.line("dedup: the memory is full, the rest goes by way of \(directory)")
    }
    return (
      try BlockSpool(Path.join(directory, "rest"), options: readerOptions),
      Place(directory: directory, pool: WorkerPool(threads: command.options.threadCount), owner: owner)
    )
  }
}
