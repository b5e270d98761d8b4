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
    name: .shortAndLong, help: ArgumentHelp("Output file (default: standard output).", valueName: "file"))
  var output: String?

  @Option(help: "\(OutputFormat.list) ({\"text\": …} lines).")
  var outputFormat = OutputFormat.text

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
    let reader = try DocumentReader(inputs: inputs, options: ReaderOptions(format: .text, splitting: .line))
    let (format, outputFormat, keepSpecial) = (format ?? .ids, outputFormat, keepSpecial)
    var summary = try DocumentPass(reader: reader, options: options, label: "decode").run(
      work: { batch, counts in
        var lines: [UInt8] = []
        try batch.forEachDocument { index, line in
          func refuse(at offset: Int, _ what: String) -> Failure {
            Failure(
              .badInput, "\(what) at byte \(offset + 1) of the line", file: batch.source.path,
              line: batch.lines[index], remedy: "Give the output of pkm-data encode and the --format it had")
          }
          var text: [UInt8] = []
          if format == .ids {
            var ids: [UInt32] = []
            if let offset = TokenText.parse(ids: line, into: &ids) { throw refuse(at: offset, "no id") }
            counts.add("tokens", ids.count)
            do { text = try tokenizer!.decode(ids, keepsSpecialTokens: keepSpecial) } catch let error
              as Failure
            {
              throw Failure(
                error.kind, error.message, file: batch.source.path, line: batch.lines[index],
                remedy: error.remedy)
            }
          } else if tokenizer?.mode == .byteLevel {
            if let offset = TokenText.joinByteTokens(line, into: &text) {
              throw refuse(at: offset, "no byte-level token")
            }
          } else {
            TokenText.joinMarkedPieces(line, into: &text)
          }
          Self.append(text, to: &lines, as: outputFormat)
        }
        return lines
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
    let total = try names.reduce(0) { $0 + (try dataset.tokenCount(of: $1)) }
    let progress = Progress("decode", unit: " tokens", isQuiet: options.quiet)
    defer { progress.finish() }
    var summary = Summary()
    var lines: [UInt8] = []
    for name in names {
      try EncodedDocumentReader(dataset, split: name).forEachDocument { tokens, row in
        try Interruption.check()
        lines.removeAll(keepingCapacity: true)
        Self.append(
          try tokenizer.decode(tokens, keepsSpecialTokens: keepSpecial), to: &lines, as: outputFormat)
        try file.write(lines)
        summary.add("documents_in")
        summary.add("tokens", row.tokens)
        progress.update(done: summary.count("tokens"), of: total)
      }
    }
    summary.add("documents_out", summary.count("documents_in"))
    return summary
  }

  private static func append(_ text: [UInt8], to lines: inout [UInt8], as format: OutputFormat) {
    switch format {
    case .text: lines.append(contentsOf: text)
    case .jsonl:
      lines.append(contentsOf: "{\"text\":".utf8)
      // A dataset of other tools may hold ids that cut a character in two.
      let valid = Array(String(decoding: text, as: UTF8.self).utf8)
      valid.withUnsafeBytes { JSONText.quote($0, into: &lines) }
      lines.append(UInt8(ascii: "}"))
    }
    lines.append(UInt8(ascii: "\n"))
  }
}
