import Commands
import Corpus
import Support

/// The walk over all documents that every command takes: read, work on many threads, consume in order.
struct DocumentPass {
  let reader: DocumentReader
  let options: RunOptions
  /// Names the progress bar.
  let label: String
  /// What happens to every batch before the work, such as the dropping of some documents, counts and all.
  var screen: Screen?
  /// Files before this one are read and worked on, but no part of what is counted.
  var countsFrom = 0
  /// Whether warnings are printed: what is read a second time was warned of before.
  var warns = true

  typealias Screen = @Sendable (_ batch: inout DocumentBatch, _ counts: inout Summary) throws -> [Found]

  /// A document that the screen has found, and why, as a JSON string and further fields.
  struct Found: Sendable {
    let location: DocumentLocation
    let reason: String
  }

  /// The most warnings printed; the counts are always complete.
  private static let warningLimit = 20

  private struct Piece<Result: Sendable>: Sendable {
    let source: Int
    let inputBytes: Int
    let documents: Int
    let counts: Summary
    let warnings: [String]
    let found: [Found]
    let result: Result

    /// Documents of one block, worked on.
    init(
      _ documents: consuming DocumentBatch, inputBytes: Int, screen: Screen?,
      work: (DocumentBatch, _ counts: inout Summary) throws -> Result
    ) throws {
      var batch = documents
      var counts = batch.counts
      source = batch.source.index
      self.inputBytes = inputBytes
      self.documents = batch.count
      found = try screen?(&batch, &counts) ?? []
      warnings = batch.warnings
      result = try work(batch, &counts)
      self.counts = counts
    }
  }

  /// `work` runs on many threads, `consume` in the order of the input on this one.
  ///
  /// Several files are read at once. `found` is told what the screen has found in a batch before the batch is consumed.
  /// Returns `bytes_in` (uncompressed), `documents_in` and the counts of what was repaired or skipped, to which `work`
  /// may add.
  func run<Result: Sendable>(
    work: @escaping @Sendable (DocumentBatch, _ counts: inout Summary) throws -> Result,
    consume: (Result) throws -> Void, found: ([Found]) throws -> Void = { _ in }
  ) throws -> Summary {
    let inputs = reader.inputs
    let batchBytes = inputs.options.batchBytes
    let progress = Progress(label, isQuiet: options.quiet)
    defer { progress.finish() }
    var tally = Tally(countsFrom: countsFrom, warns: warns)
    let screen = screen
    try OrderedPipeline.run(
      threads: options.threadCount, sources: inputs.files.count,
      open: { index in
        let file = try inputs.open(index)
        return { try file.next() }
      },
      weight: { 1 + $0.inputBytes / (2 * batchBytes) },
      work: { block in
        let inputBytes = block.inputBytes
        return try Piece(block.documents(), inputBytes: inputBytes, screen: screen, work: work)
      },
      consume: { piece in
        tally.add(piece)
        if !piece.found.isEmpty { try found(piece.found) }
        try consume(piece.result)
        progress.update(
          done: reader.bytesRead, of: reader.totalBytes, documents: tally.summary.count("documents_in"),
          words: max(tally.summary.count("words_in"), tally.summary.count("words")))
      })
    return tally.summary
  }

  /// The same over blocks that come from `next` one after the other, which may leave some out and runs on a thread of
  /// its own.
  ///
  /// `work` is given the frame of a block, and with `takesDigests` its digest, zero otherwise.
  func run<Result: Sendable>(
    takesDigests: Bool = true, next: @escaping () throws -> DocumentBlock?,
    work:
      @escaping @Sendable (
        _ frame: DocumentBlock, _ digest: UInt64, DocumentBatch, _ counts: inout Summary
      ) throws -> Result,
    consume: (Result) throws -> Void, found: ([Found]) throws -> Void = { _ in }
  ) throws -> Summary {
    let progress = Progress(label, isQuiet: options.quiet)
    defer { progress.finish() }
    var tally = Tally(countsFrom: countsFrom, warns: warns)
    let screen = screen
    try OrderedPipeline.run(
      threads: options.threadCount, next: next,
      work: { block in
        let (frame, digest) = (block.frame, takesDigests ? block.digest : 0)
        return try Piece(block.documents(), inputBytes: frame.inputBytes, screen: screen) { batch, counts in
          try work(frame, digest, batch, &counts)
        }
      },
      consume: { piece in
        tally.add(piece)
        if !piece.found.isEmpty { try found(piece.found) }
        try consume(piece.result)
        progress.update(
          done: reader.bytesRead, of: reader.totalBytes, documents: tally.summary.count("documents_in"),
          words: max(tally.summary.count("words_in"), tally.summary.count("words")))
      })
    return tally.summary
  }

  /// Counts and warnings of the pieces, as they are delivered.
  private struct Tally {
    private(set) var summary = Summary()
    private let warns: Bool
    private var warnings = 0
    private let countsFrom: Int

    init(countsFrom: Int, warns: Bool) {
      self.countsFrom = countsFrom
      self.warns = warns
      summary.add("bytes_in", 0)
      summary.add("documents_in", 0)
    }

    mutating func add<Result>(_ piece: Piece<Result>) {
      if piece.source < countsFrom { return summary.add("documents_seen", piece.documents) }
      summary.add("bytes_in", piece.inputBytes)
      summary.add("documents_in", piece.documents)
      summary.merge(piece.counts)
      for warning in piece.warnings where warns {
        warnings += 1
        if warnings <= warningLimit { Log.warn(warning) }
        if warnings == warningLimit { Log.warn("more of these are only counted") }
      }
    }
  }
}
