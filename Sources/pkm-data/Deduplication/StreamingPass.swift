import Commands
import Corpus
import Foundation
import Support

/// The walk of the methods that need their input once: documents stream through, and what comes when the memory is full
/// is spooled, its hashes are sorted on disk, and then it is read again.
struct StreamingPass {
  private let command: Dedup
  private let pass: DocumentPass
  private let readerOptions: ReaderOptions

  /// What has not had its turn yet.
  struct Rest {
    let spool: BlockSpool
    let directory: String
    let pool: WorkerPool
  }

  init(_ command: Dedup, reader: DocumentReader, screen: DocumentScreen?) throws {
    self.command = command
    readerOptions = try command.input.readerOptions()
    pass = DocumentPass(
      reader: reader, options: command.options, label: "dedup", screen: screen?.body,
      countsFrom: try command.seenFiles())
  }

  /// Takes the batches in order, or postpones them from when `isFull` says so.
  ///
  /// `work` runs on many threads; `resolve` comes between the last batch that is postponed and the first of these that
  /// is taken.
  func run<Worked: Sendable>(
    work: @escaping @Sendable (DocumentBatch) -> Worked, isFull: () -> Bool,
    take: (DocumentBatch, Worked, _ words: Int) throws -> Void,
    postpone: (DocumentBatch, _ blockDigest: UInt64, Worked, Rest) throws -> Void, resolve: () throws -> Void,
    found: ([DocumentPass.Found]) throws -> Void
  ) throws -> Summary {
    let whole = {
      @Sendable (block: DocumentBlock, batch: DocumentBatch, counts: inout Summary)
        -> (block: DocumentBlock, batch: DocumentBatch, worked: Worked, words: Int) in
      (block, batch, work(batch), counts.addText(of: batch))
    }
    var rest: Rest?
    defer { if let rest { try? FileManager.default.removeItem(atPath: rest.directory) } }
    let summary = try pass.run(
      next: pass.reader.nextBlock, work: whole,
      consume: { piece in
        if isFull() {
          if rest == nil { rest = try makeRest() }
          try rest!.spool.append(piece.block)
          try postpone(piece.batch, piece.block.digest, piece.worked, rest!)
        } else {
          try take(piece.batch, piece.worked, piece.words)
        }
      }, found: found)
    if let rest {
      try resolve()
      var again = pass
      again.warns = false
      _ = try again.run(
        next: rest.spool.nextBlock, work: whole,
        consume: { try take($0.batch, $0.worked, $0.words) })
    }
    return summary
  }

  private func makeRest() throws -> Rest {
    let directory =
      command.workDir.map { Path.join($0, command.chosenMethod.rawValue) }
      ?? DeduplicationJob.temporaryDirectory(beside: command.output.output)
    try? FileManager.default.removeItem(atPath: directory)
    try SystemCall.makeDirectories(directory)
    if !command.options.quiet {
      Log.line("dedup: the memory is full, the rest goes by way of \(directory)")
    }
    return Rest(
      spool: try BlockSpool(Path.join(directory, "rest"), options: readerOptions), directory: directory,
      pool: WorkerPool(threads: command.options.threadCount))
  }
}
