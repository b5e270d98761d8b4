import ArgumentParser
import Commands
import Corpus
import Shards
import Support
import Tokenization

struct Decode: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Ids, tokens or shards back to text.",
    discussion: """
      Each line of ids or tokens, and each document of a dataset, becomes a line of text. Byte-level ids give exactly \
      the bytes that were encoded; with --output-format jsonl documents with line ends stay apart. Word mode gives words \
      with one space between them.

      A dataset directory brings its own tokenizer. Tokens of word mode need none.

      EXAMPLES:
        pkm-data encode --tokenizer bpe.json text.txt | pkm-data decode --tokenizer bpe.json
        pkm-data decode shards/ --split valid -o valid.txt
        pkm-data decode --format tokens text.bpe
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable { case ids, tokens }
  enum OutputFormat: String, ExpressibleByArgument, CaseIterable { case text, jsonl }

  @Argument(
    help: ArgumentHelp("Files, - or one dataset directory (default: standard input).", valueName: "input"))
  var inputs: [String] = []

  @Option(
    name: [.long, .customLong("codes")],
    help: ArgumentHelp("The tokenizer that encoded, in any format of encode.", valueName: "file"))
  var tokenizer: String?

  @Option(help: "What lines hold: \(Format.list) (default: ids).")
  var format: Format?

  @Option(
    help: ArgumentHelp("Dataset: this split only (default: all, in alphabetical order).", valueName: "name"))
  var split: String?

  @Flag(help: "Write special tokens too.")
  var keepSpecial = false

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Output file (default: standard output); .gz and .zst compress.", valueName: "file"))
  var output: String?

  @Option(
    name: .customLong("output-format"),
    help: "\(OutputFormat.list) ({\"text\": …} lines) (default: text, or what the name of the output says).")
  var givenOutputFormat: OutputFormat?

  private var outputFormat: OutputFormat {
    givenOutputFormat ?? (output.flatMap { DocumentFormat(ofFileNamed: $0) } == .jsonl ? .jsonl : .text)
  }

  @OptionGroup var options: RunOptions

  private var isDataset: Bool { inputs.contains { $0 != "-" && Path.isDirectory($0) } }

  func validate() throws {
    if isDataset {
      if inputs.count > 1 { throw ValidationError("Decode one dataset at a time") }
      if tokenizer != nil || format != nil {
        throw ValidationError(
          "A dataset has its own tokenizer and format; leave --tokenizer and --format out")
      }
    } else {
      if split != nil { throw ValidationError("--split is for a dataset directory") }
      if tokenizer == nil && format != .tokens { throw ValidationError("Ids need --tokenizer") }
    }
  }

  func run() throws {
    let started = Progress.now()
    let file = try OutputFile(output, compressionThreads: options.threadCount)
    var summary = isDataset ? try decodeDataset(to: file) : try decodeLines(to: file)
    try file.finish()
    summary.add("bytes_out", file.bytesWritten)
    try options.report(summary, since: started)
  }

  private func decodeLines(to file: OutputFile) throws -> Summary {
    let tokenizer = try self.tokenizer.map(TokenizerFile.load)
    let decoder = tokenizer.map { TokenDecoder($0, keepsSpecialTokens: keepSpecial) }
    let reader = try DocumentReader(inputs: inputs, options: ReaderOptions(format: .text, splitting: .line))
    let (format, outputFormat) = (format ?? .ids, outputFormat)
    var summary = try DocumentPass(reader: reader, options: options, label: "decode").run(
      work: { batch, counts in
        var lines = ByteBuffer(capacity: 2 * batch.bytes.count + 64)
        var ids: [UInt32] = []
        try batch.forEachDocument { index, line in
          func refuse(at offset: Int, _ what: String) -> Failure {
            Failure(
              .badInput, "\(what) at byte \(offset + 1) of the line", file: batch.source.path,
              line: batch.lines[index], remedy: "Give the output of pkm-data encode and the --format it had")
          }
          let start = lines.count
          if format == .ids {
            if let offset = DecimalIDs.parse(line, into: &ids) { throw refuse(at: offset, "no id") }
            counts.add("tokens", ids.count)
            do { try ids.withUnsafeBufferPointer { try decoder!.append($0, to: &lines) } } catch let error
              as Failure
            {
              throw Failure(
                error.kind, error.message, file: batch.source.path, line: batch.lines[index],
                remedy: error.remedy)
            }
            decoder!.removeFinalSpace(&lines, from: start)
          } else if tokenizer?.mode == .byteLevel {
            var text: [UInt8] = []
            if let offset = SubwordText.joinByteTokens(line, into: &text) {
              throw refuse(at: offset, "no byte-level token")
            }
            lines.append(text)
          } else {
            var text: [UInt8] = []
            SubwordText.joinMarked(line, into: &text)
            lines.append(text)
          }
          Self.endDocument(&lines, from: start, as: outputFormat)
        }
        return lines.withBytes { Array($0) }
      },
      consume: { try file.write($0) })
    summary.add("documents_out", summary.count("documents_in"))
    return summary
  }

  private func decodeDataset(to file: OutputFile) throws -> Summary {
    let dataset = try Dataset(inputs[0])
    let tokenizer = try TokenizerJSON.read(dataset.tokenizerJSON(), file: dataset.tokenizerPath)
    let names =
      try split.map { name in
        _ = try dataset.totals(of: name)
        return [name]
      } ?? dataset.splits
    var summary = Summary()
    for name in names {
      let totals = try dataset.totals(of: name)
      summary.add("documents_in", totals.documents)
      summary.add("tokens", totals.tokens)
    }
    let progress = Progress("decode", unit: " tokens", isQuiet: options.quiet)
    defer { progress.finish() }
    if outputFormat == .text {
      try decodeFrames(of: dataset, names, tokenizer, to: file) {
        progress.update(done: $0, of: summary.count("tokens"))
      }
    } else {
      try decodeDocuments(of: dataset, names, tokenizer, to: file) {
        progress.update(done: $0, of: summary.count("tokens"))
      }
    }
    summary.add("documents_out", summary.count("documents_in"))
    return summary
  }

  /// Documents are lines, so the ids are text from end to end and frames need not know where documents are.
  private func decodeFrames(
    of dataset: Dataset, _ names: [String], _ tokenizer: Tokenizer, to file: OutputFile,
    progress: (Int) -> Void
  ) throws {
    let end = UInt32(dataset.index.endOfDocument)
    let decoder = TokenDecoder(tokenizer, keepsSpecialTokens: keepSpecial, endOfDocument: end)
    var done = 0
    // In word mode the last space of a line goes, and a line may end in the next frame.
    let isWord = tokenizer.mode == .word
    for name in names {
      let frames = try EncodedFrames(dataset, split: name)
      var next = 0
      var hasSpace = false
      try OrderedPipeline.run(
        threads: options.threadCount,
        next: {
          defer { next += 1 }
          return next < frames.count ? next : nil
        },
        work: { index in
          try frames.withFrame(index) { bytes, tokenBytes in
            var text = ByteBuffer(capacity: 8 * bytes.count + 64)
            if tokenBytes == 2 {
              try decoder.append(bytes.bindMemory(to: UInt16.self), to: &text)
            } else {
              try decoder.append(bytes.bindMemory(to: UInt32.self), to: &text)
            }
            return (text.withBytes { Array($0) }, bytes.count / tokenBytes)
          }
        },
        consume: { (text: [UInt8], tokens: Int) in
          done += tokens
          progress(done)
          if !isWord { return try file.write(text) }
          if hasSpace && text.first != 0x0a { try file.write([0x20]) }
          if text.isEmpty { return }
          hasSpace = text.last == 0x20
          try text.withUnsafeBytes {
            try file.write(UnsafeRawBufferPointer(rebasing: hasSpace ? $0.dropLast() : $0[...]))
          }
        })
    }
  }

  private func decodeDocuments(
    of dataset: Dataset, _ names: [String], _ tokenizer: Tokenizer, to file: OutputFile,
    progress: (Int) -> Void
  ) throws {
    let decoder = TokenDecoder(tokenizer, keepsSpecialTokens: keepSpecial)
    var done = 0
    for name in names {
      try EncodedDocumentReader(dataset, split: name).forEachDocument { tokens, row in
        try Interruption.check()
        var line = ByteBuffer(capacity: 16 * tokens.count + 64)
        try decoder.append(tokens, to: &line)
        decoder.removeFinalSpace(&line)
        Self.endDocument(&line, from: 0, as: outputFormat)
        try line.withBytes { try file.write($0) }
        done += row.tokens
        progress(done)
      }
    }
  }

  /// Makes the text from `start` on a line of the output.
  private static func endDocument(_ lines: inout ByteBuffer, from start: Int, as format: OutputFormat) {
    if format == .jsonl {
      // A dataset of other tools may hold ids that cut a character in two.
      let text = String(
        decoding: UnsafeBufferPointer(start: lines.bytes + start, count: lines.count - start), as: UTF8.self)
      var line = Array("{\"text\":".utf8)
      Array(text.utf8).withUnsafeBytes { JSONText.quote($0, into: &line) }
      lines.count = start
      lines.append(line)
      lines.append([UInt8(ascii: "}")])
    }
    lines.append([UInt8(ascii: "\n")])
  }
}
