import ArgumentParser
import Commands
import Corpus
import Support

/// Which documents a command reads.
struct InputOptions: ParsableArguments {
  enum Format: String, ExpressibleByArgument, CaseIterable { case auto, text, jsonl }
  enum Documents: String, ExpressibleByArgument, CaseIterable { case line, paragraph, file }

  @Argument(
    help: ArgumentHelp(
      "Files, directories or - (default: standard input). gzip and zstd are recognized by content.",
      valueName: "input"))
  var inputs: [String] = []

  @Option(help: "How documents lie in the input: \(Format.list). auto looks at names and first lines.")
  var inputFormat = Format.auto

  @Option(
    help: """
      What a document is in plain text: \(Documents.list) (default: line, but for learn-bpe, which takes a file as one \
      text). Paragraphs end at blank lines.
      """)
  var documents: Documents?

  @Option(help: ArgumentHelp("Where a JSON line holds its text; a.b is field b of a.", valueName: "name"))
  var textField = "text"

  @Flag(help: "Fail (exit code 65) at the first input that would be repaired or skipped.")
  var strict = false

  /// `splitting` is what plain text is split into without `--documents`.
  func readerOptions(splitting: DocumentSplitting = .line) -> ReaderOptions {
    ReaderOptions(
      format: DocumentFormat(rawValue: inputFormat.rawValue),
      splitting: documents.flatMap { DocumentSplitting(rawValue: $0.rawValue) } ?? splitting,
      textField: textField,
      isStrict: strict)
  }

  func reader(splitting: DocumentSplitting = .line) throws -> DocumentReader {
    try DocumentReader(inputs: inputs, options: readerOptions(splitting: splitting))
  }
}

/// Where a command writes documents.
struct OutputOptions: ParsableArguments {
  enum Format: String, ExpressibleByArgument, CaseIterable { case text, jsonl }

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Output file (default: standard output); .gz and .zst compress.", valueName: "file"))
  var output: String?

  @Option(help: "How documents are written: \(Format.list) (default: as they were read).")
  var outputFormat: Format?

  var format: DocumentFormat? { outputFormat.flatMap { DocumentFormat(rawValue: $0.rawValue) } }
}

extension CaseIterable where Self: RawRepresentable, RawValue == String {
  /// `a, b or c`, for help texts.
  static var list: String {
    let names = allCases.map(\.rawValue)
    return names.count < 2 ? names.joined() : names.dropLast().joined(separator: ", ") + " or " + names.last!
  }
}

/// The walk over all documents that every command takes: read, work on many threads, consume in order.
struct DocumentPass {
  let reader: DocumentReader
  let options: RunOptions
  /// Names the progress bar.
  let label: String

  /// The most warnings printed; the counts are always complete.
  private static let warningLimit = 20

  private struct Piece<Result: Sendable>: Sendable {
    let inputBytes: Int
    let documents: Int
    let counts: Summary
    let warnings: [String]
    let result: Result
  }

  /// `work` runs on many threads, `consume` in the order of the input on this one.
  ///
  /// Returns `bytes_in` (uncompressed), `documents_in` and the counts of what was repaired or skipped, to which `work`
  /// may add.
  func run<Result: Sendable>(
    work: @escaping @Sendable (DocumentBatch, _ counts: inout Summary) throws -> Result,
    consume: (Result) throws -> Void
  ) throws -> Summary {
    try run(next: reader.nextBlock, work: { _, batch, counts in try work(batch, &counts) }, consume: consume)
  }

  /// The same over blocks that come from `next`, which may leave some out.
  func run<Result: Sendable>(
    next: () throws -> DocumentBlock?,
    work: @escaping @Sendable (DocumentBlock, DocumentBatch, _ counts: inout Summary) throws -> Result,
    consume: (Result) throws -> Void
  ) throws -> Summary {
    var summary = Summary()
    summary.add("bytes_in", 0)
    summary.add("documents_in", 0)
    let progress = Progress(label, isQuiet: options.quiet)
    defer { progress.finish() }
    var warnings = 0
    try OrderedPipeline.run(
      threads: options.threadCount, next: next,
      work: { block in
        let batch = try block.documents()
        var counts = batch.counts
        let result = try work(block, batch, &counts)
        return Piece(
          inputBytes: block.inputBytes, documents: batch.count, counts: counts, warnings: batch.warnings,
          result: result)
      },
      consume: { piece in
        summary.add("bytes_in", piece.inputBytes)
        summary.add("documents_in", piece.documents)
        summary.merge(piece.counts)
        for warning in piece.warnings {
          warnings += 1
          if warnings <= Self.warningLimit { Log.warn(warning) }
          if warnings == Self.warningLimit { Log.warn("more of these are only counted") }
        }
        try consume(piece.result)
        progress.update(done: reader.bytesRead, of: reader.totalBytes)
      })
    return summary
  }
}
