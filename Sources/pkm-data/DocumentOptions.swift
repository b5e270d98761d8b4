import ArgumentParser
import Commands
import Corpus
import Support

/// Which documents a command reads.
struct InputOptions: ParsableArguments {
  enum Format: String, ExpressibleByArgument, CaseIterable { case auto, text, jsonl, warc }
  enum Invalid: String, ExpressibleByArgument, CaseIterable { case replace, error, drop }
  enum Documents: String, ExpressibleByArgument, CaseIterable { case line, paragraph, file }

  @Argument(
    help: ArgumentHelp(
      """
      Files, directories, quoted patterns ('crawl/**/*.wet.gz') or - (default: standard input). gzip and zstd are \
      recognized by content.
      """,
      valueName: "input"))
  var inputs: [String] = []

  @Option(
    help: """
      How documents lie in the input: \(Format.list). auto looks at names and first lines. Of WARC and WET files the \
      records of plain text are documents, with url, date, id and language; others are counted as skipped.
      """)
  var inputFormat = Format.auto

  @Option(
    help: """
      What a document is in plain text: \(Documents.list) (default: line, but for learn-bpe, which takes a file as one \
      text). Paragraphs end at blank lines.
      """)
  var documents: Documents?

  @Option(
    help: ArgumentHelp(
      "Where a JSON line holds its text; a.b is the field of that name, else field b of a.", valueName: "name"
    ))
  var textField = "text"

  @Option(
    help: ArgumentHelp(
      """
      The character set of the input: utf-8, auto, or a name (windows-1252, shift_jis, \u{2026}). auto decides for each \
      file, or WARC record, by byte order mark, UTF-8 check, declared character set and detection. UTF-16 and UTF-32 \
      with a mark are always recognized.
      """, valueName: "name"))
  var encoding = "utf-8"

  @Option(
    help: """
      What happens to bytes that are no valid text: \(Invalid.list). replace makes U+FFFD of them, error ends the run \
      (exit code 65), drop skips the document. All are counted.
      """)
  var invalid = Invalid.replace

  @Option(
    help: ArgumentHelp(
      "Skip (and count) documents and JSON lines longer than this many bytes.", valueName: "size"))
  var maxDocumentSize = ByteSize(argument: "1G")!

  @Flag(help: "Fail (exit code 65) at the first input that would be repaired or skipped.")
  var strict = false

  /// `splitting` is what plain text is split into without `--documents`.
  func readerOptions(splitting: DocumentSplitting = .line) throws -> ReaderOptions {
    let splitting = documents.flatMap { DocumentSplitting(rawValue: $0.rawValue) } ?? splitting
    if splitting == .stream && invalid == .drop {
      throw ValidationError("--invalid drop needs documents to drop: add --documents line, paragraph or file")
    }
    return ReaderOptions(
      format: DocumentFormat(rawValue: inputFormat.rawValue), splitting: splitting,
      encoding: try Self.encoding(encoding), textField: textField,
      invalid: InvalidTextPolicy(rawValue: invalid.rawValue)!, isStrict: strict,
      longestDocument: maxDocumentSize.bytes)
  }

  /// With `streamsFiles` plain text whose files are documents comes as a stream, so that a file need not fit into memory.
  func reader(splitting: DocumentSplitting = .line, streamsFiles: Bool = false) throws -> DocumentReader {
    var options = try readerOptions(splitting: splitting)
    if streamsFiles && options.splitting == .file { options.splitting = .stream }
    return try DocumentReader(inputs: inputs, options: options)
  }

  private static func encoding(_ name: String) throws -> TextEncoding {
    switch name.lowercased() {
    case "auto": return .automatic
    case "utf-8", "utf8": return .utf8
    default:
      guard let charset = Charset(name) else {
        // ICU has some two hundred: too many to list.
        let near = Suggestion.nearest(to: name.lowercased(), among: ["auto"] + Charset.names)
        throw ValidationError(
          "ICU knows no character set \"\(name)\". "
            + (near.map { "Did you mean \"\($0)\"?" }
              ?? "Give auto or a name such as iso-8859-1, windows-1252, koi8-r, shift_jis or gb18030"))
      }
      return .named(charset)
    }
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

  @Option(
    help: ArgumentHelp(
      "How documents are written: \(Format.list) (default: as they were read; jsonl if they come from WARC or in several "
        + "formats, or the output is so named)."))
  var outputFormat: Format?

  /// Nil is the format of each document's source.
  func format(of inputs: DocumentInputs) throws -> DocumentFormat? {
    if let outputFormat { return DocumentFormat(rawValue: outputFormat.rawValue) }
    // Lines of text among JSON lines would be lost to whoever reads the file.
    let isJSON = try output.flatMap { DocumentFormat(ofFileNamed: $0) } == .jsonl || inputs.mixFormats()
    return isJSON ? .jsonl : nil
  }
}

extension CaseIterable where Self: RawRepresentable, RawValue == String {
  /// `a, b or c`, for help texts.
  static var list: String {
    let names = allCases.map(\.rawValue)
    return names.count < 2 ? names.joined() : names.dropLast().joined(separator: ", ") + " or " + names.last!
  }
}

extension Summary {
  /// Counts the words and bytes of documents: `words_in` and `text_bytes_in`, or those `out`; returns the words.
  @discardableResult
  mutating func addText(of batch: DocumentBatch, _ side: String = "in") -> Int {
    let words = batch.words
    add("words_" + side, words)
    add("text_bytes_" + side, batch.textBytes)
    return words
  }
}

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
