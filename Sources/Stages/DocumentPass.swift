import Corpus
import Support

/// The loop of every stage over documents: read, work on many threads, consume in order.
package struct DocumentPass {
  package let reader: DocumentReader
  let settings: StageSettings
  /// Names the progress bar.
  let label: String
  /// Drops or marks documents before the work.
  let decontamination: DecontaminationFilter?
  /// The documents of files before this one are read and worked on, but not counted; what was lost of them is.
  let firstCountedFile: Int
  /// Whether warnings are printed: a second pass over the same documents would repeat them.
  var printsWarnings: Bool

  package init(
    reader: DocumentReader, settings: StageSettings, label: String,
    decontamination: DecontaminationFilter? = nil, firstCountedFile: Int = 0, printsWarnings: Bool = true
  ) {
    (self.reader, self.settings, self.label) = (reader, settings, label)
    (self.decontamination, self.firstCountedFile) = (decontamination, firstCountedFile)
    self.printsWarnings = printsWarnings
  }

  /// `work` runs on many threads, `consume` for one result at a time, in the order of the input.
  ///
  /// Several files are read at once. `onMatches` gets the matches of a batch before the batch is consumed.
  /// Returns `bytes_in` (uncompressed), `documents_in` and the counts of repaired or skipped input, to which `work`
  /// may add.
  package func run<Result: Sendable>(
    work: @escaping @Sendable (DocumentBatch, _ counts: inout Summary) throws -> Result,
    consume: (Result) throws -> Void,
    onMatches: ([DecontaminationFilter.Match]) throws -> Void = { _ in }
  ) throws -> Summary {
    let inputs = reader.inputs
    let batchBytes = inputs.options.batchBytes
    let decontamination = decontamination
    var tally = Tally(self)
    defer { tally.progress.finish() }
    try OrderedPipeline.run(
      threads: settings.threads, sources: inputs.files.count,
      open: { index in
        let file = try inputs.open(index)
        return { try file.next() }
      },
      weight: { 1 + $0.inputBytes / (2 * batchBytes) },
      work: { block in
        let inputBytes = block.inputBytes
        return try WorkedBlock(block.documents(), inputBytes: inputBytes, decontamination, work: work)
      },
      consume: { block in
        try tally.add(block, onMatches: onMatches)
        try consume(block.result)
      })
    try noteSkippedRecords(tally.summary)
    // Parts of a stream are no documents: what counts them checks their number.
    if inputs.options.splitting != .stream { try tally.checkNumber(of: tally.summary.count(.documentsIn)) }
    return tally.summary
  }

  /// Throws if there are too few documents, or too many: see ``ReaderOptions/check(documents:counts:otherFields:)``.
  ///
  /// For streams, whose texts the caller counts.
  func check(documents: Int, _ summary: Summary) throws {
    if reader.inputs.options.splitting != .stream { return }
    try reader.inputs.options.check(documents: documents, counts: summary, otherFields: nil)
  }

  /// The same over blocks that come one after the other from `next`, which may skip some and runs on its own thread.
  ///
  /// `work` gets the frame of a block, and with `takesDigests` its digest, otherwise zero. `isWhole` says that the blocks
  /// are those of the whole input, so that their documents should not be none.
  func run<Result: Sendable>(
    takesDigests: Bool = true, isWhole: Bool = false, next: @escaping () throws -> DocumentBlock?,
    work:
      @escaping @Sendable (
        _ frame: DocumentBlock, _ digest: UInt64, DocumentBatch, _ counts: inout Summary
      ) throws -> Result,
    consume: (Result) throws -> Void,
    onMatches: ([DecontaminationFilter.Match]) throws -> Void = { _ in }
  ) throws -> Summary {
    let decontamination = decontamination
    var tally = Tally(self)
    defer { tally.progress.finish() }
    try OrderedPipeline.run(
      threads: settings.threads, next: next,
      work: { block in
        let (frame, digest) = (block.frame, takesDigests ? block.digest : 0)
        return try WorkedBlock(block.documents(), inputBytes: frame.inputBytes, decontamination) {
          try work(frame, digest, $0, &$1)
        }
      },
      consume: { block in
        try tally.add(block, onMatches: onMatches)
        try consume(block.result)
      })
    try noteSkippedRecords(tally.summary)
    if isWhole { try tally.checkNumber(of: tally.summary.count(.documentsIn)) }
    return tally.summary
  }

  /// Says what kinds of WARC records were skipped if web pages are among them, or if there was nothing else.
  ///
  /// Strict options make an input without any document an error.
  private func noteSkippedRecords(_ summary: Summary) throws {
    let kinds = summary.entries.compactMap { entry in
      entry.name.skippedKind.map { (name: $0, count: summary.count(entry.name)) }
    }.sorted { ($1.count, $0.name) < ($0.count, $1.name) }
    let hasPages = kinds.contains { $0.name == "html" }
    let isEmpty = summary.count(.documentsIn) == 0
    guard printsWarnings, !kinds.isEmpty, hasPages || isEmpty else { return }
    let skipped = kinds.reduce(0) { $0 + $1.count }
    let failure = Failure(
      .badInput,
      "\(skipped) of \(summary.count(.warcRecords)) WARC records hold no plain text and were skipped: "
        + kinds.map { "\($0.count) \($0.name)" }.joined(separator: ", "),
      remedy: hasPages ? "Extract the text of HTML first, for example with trafilatura or warc2text" : nil)
    if isEmpty && reader.inputs.options.isStrict { throw failure }
    Log.warn(failure.description)
  }

  /// The documents of one block after the work.
  private struct WorkedBlock<Result: Sendable>: Sendable {
    let source: Int
    let inputBytes: Int
    let documents: Int
    /// The counts of the reader alone, then with those of the work.
    let readerCounts: Summary
    let counts: Summary
    let warnings: [String]
    let otherFields: String?
    let matches: [DecontaminationFilter.Match]
    let result: Result

    init(
      _ documents: consuming DocumentBatch, inputBytes: Int, _ decontamination: DecontaminationFilter?,
      work: (DocumentBatch, _ counts: inout Summary) throws -> Result
    ) throws {
      var batch = documents
      readerCounts = batch.counts
      var counts = readerCounts
      source = batch.source.index
      self.inputBytes = inputBytes
      self.documents = batch.count
      matches = try decontamination?.apply(to: &batch, counts: &counts) ?? []
      warnings = batch.warnings
      otherFields = batch.otherFields
      result = try work(batch, &counts)
      self.counts = counts
    }
  }

  /// What the blocks add up to, in the order of the input.
  private struct Tally {
    let progress: Progress
    private(set) var summary = Summary()
    private let pass: DocumentPass
    private var warnings = 0
    private var otherFields: String?
    /// The uncompressed bytes of the files that are not counted.
    private var seenBytes = 0
    /// The most warnings printed; the counts are always complete.
    private static let warningLimit = 20

    init(_ pass: DocumentPass) {
      self.pass = pass
      progress = Progress(pass.label, isQuiet: pass.settings.isQuiet)
      summary.add(.bytesIn, 0)
      summary.add(.documentsIn, 0)
      for skipped in pass.reader.inputs.skipped {
        summary.add(skipped.count)
        warn(skipped.description)
      }
    }

    mutating func add<Result>(
      _ block: WorkedBlock<Result>, onMatches: ([DecontaminationFilter.Match]) throws -> Void
    ) throws {
      count(block)
      if !block.matches.isEmpty { try onMatches(block.matches) }
      progress.update(
        done: pass.reader.bytesRead, of: pass.reader.totalBytes, documents: summary.count(.documentsIn),
        words: max(summary.count(.wordsIn), summary.count(.words)))
    }

    func checkNumber(of documents: Int) throws {
      let options = pass.reader.inputs.options
      if seenBytes > 0 && summary.count(.documentsSeen) == 0 {
        try options.refuseEmptySeen(counts: summary, otherFields: otherFields)
      }
      let seen = documents == 0 ? summary.count(.documentsSeen) : 0
      try options.check(
        documents: documents + seen, counts: summary, otherFields: otherFields)
    }

    private mutating func count<Result>(_ block: WorkedBlock<Result>) {
      otherFields = otherFields ?? block.otherFields
      if block.source < pass.firstCountedFile {
        seenBytes += block.inputBytes
        summary.add(.documentsSeen, block.documents)
        summary.merge(block.readerCounts)
      } else {
        summary.add(.bytesIn, block.inputBytes)
        summary.add(.documentsIn, block.documents)
        summary.merge(block.counts)
      }
      for warning in block.warnings { warn(warning) }
    }

    private mutating func warn(_ warning: String) {
      if !pass.printsWarnings { return }
      warnings += 1
      if warnings <= Self.warningLimit { Log.warn(warning) }
      if warnings == Self.warningLimit { Log.warn("more of these are only counted") }
    }
  }
}
