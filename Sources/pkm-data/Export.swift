import ArgumentParser
import Commands
import Shards
import Support

extension TokenFileFormat: ExpressibleByArgument {}

/// All that a dataset can be exported to: files of tokens, and shards of samples.
enum ExportFormat: ExpressibleByArgument, CaseIterable, Sendable {
  case tokens(TokenFileFormat)
  case samples(SampleFormat)

  static var allCases: [ExportFormat] {
    TokenFileFormat.allCases.map { .tokens($0) } + SampleFormat.allCases.map { .samples($0) }
  }

  var rawValue: String {
    switch self {
    case .tokens(let format): format.rawValue
    case .samples(let format): format.rawValue
    }
  }

  init?(argument: String) {
    guard let format = Self.allCases.first(where: { $0.rawValue == argument }) else { return nil }
    self = format
  }

  static var allValueStrings: [String] { allCases.map(\.rawValue) }
  var defaultValueDescription: String { rawValue }
}

struct Export: DocumentedCommand {
  static let configuration = CommandConfiguration(
    abstract: "Export a dataset to the files of another trainer or loader.")

  static let details = """
    Formats:
      megatron    SPLIT_text_document.bin and .idx, for Megatron-LM and GPT-NeoX
      llmc        SPLIT_000000.bin and so on, of 100 million tokens each; the
                  end-of-document id comes before each document
      nanogpt     train.bin and val.bin, of 16-bit ids
      numpy       SPLIT.npy, and SPLIT.documents.npy with the start of each
                  document

      mds         SPLIT/shard.00000.mds and index.json, for MosaicML
                  Streaming: the column "tokens" of a sample is an array
      litdata     SPLIT/chunk-0-0.bin and index.json, for LitData's TokensLoader
      webdataset  SPLIT-000000.tar of arrays (KEY.npy)

    mds, litdata and webdataset hold one document a sample, with its
    end-of-document id. llmc and nanogpt call the split valid "val", as those
    trainers do. pipelines/pkm_dataset.py reads a dataset in Python as it is.

    The output directory appears under its name when it is complete.
    """

  static let examples = """
    pkm-data export shards/ --format megatron -o megatron/
    pkm-data export shards/ --format numpy --split valid -o arrays/
    pkm-data export shards/ --format mds --shard-tokens 16000000 -o mds/
    """

  enum EndOfDocument: String, ExpressibleByArgument, CaseIterable { case keep, drop }

  @Argument(help: ArgumentHelp("Dataset directory.", valueName: "dataset")) var dataset: String

  @Option(help: "Format of the files.") var format: ExportFormat

  @Option(name: .shortAndLong, help: ArgumentHelp("New directory.", valueName: "directory"))
  var output: String

  @Option(help: ArgumentHelp("Split to export (default: all).", valueName: "name")) var split: String?

  @Option(help: ArgumentHelp("Whether documents keep their end-of-document id.", valueName: "choice"))
  var endOfDocument = EndOfDocument.keep

  @Option(
    help: ArgumentHelp(
      "llmc, mds, litdata, webdataset: tokens per file (default: 100000000; 33554432 for the last three).",
      valueName: "n"))
  var shardTokens: Int?

  @OptionGroup var options: RunOptions

  func validate() throws {
    try options.checkSeed()
    var (takesShardTokens, takesDrop) = (true, false)
    if case .tokens(let format) = format {
      (takesShardTokens, takesDrop) = (format == .llmc, format != .llmc)
    }
    if endOfDocument == .drop && !takesDrop {
      throw ValidationError("\(format.rawValue) has no documents without the end-of-document id")
    }
    if let shardTokens {
      guard takesShardTokens else {
        throw ValidationError("--shard-tokens is for --format llmc, mds, litdata and webdataset")
      }
      guard (1..<(1 << 31)).contains(shardTokens) else {
        throw ValidationError("--shard-tokens must be between 1 and 2147483647, not \(shardTokens)")
      }
    }
  }

  var files: [OwnFiles.Entry] {
    .directory(output) + options.files + .inputs([dataset])
  }

  func run() throws {
    let started = Progress.now()
    let dataset = try Dataset(dataset)
    let splits = split.map { [$0] } ?? dataset.splits
    let progress = Progress("export", unit: " tokens", isQuiet: options.quiet)
    let files: [String]
    switch format {
    case .tokens(let format):
      var exporter = DatasetExporter(format)
      exporter.keepsEndOfDocument = endOfDocument == .keep
      if let shardTokens { exporter.shardTokens = shardTokens }
      exporter.progress = { progress.update(done: $0, of: $1) }
      files = try exporter.write(dataset, splits: splits, to: output)
    case .samples(let format):
      var exporter = SampleExporter(format)
      if let shardTokens { exporter.shardTokens = shardTokens }
      exporter.progress = { progress.update(done: $0, of: $1) }
      files = try exporter.write(dataset, splits: splits, to: output)
    }
    progress.finish()

    var summary = Summary()
    for split in splits {
      let totals = try dataset.totals(of: split)
      summary.add(.documentsIn, totals.documents)
      summary.add(.tokens, totals.tokens)
    }
    summary.add(.documentsOut, summary.count(.documentsIn))
    let sizes = try files.map { try MappedFile(Path.join(output, $0)).bytes.count }
    summary.add(.bytesOut, sizes.reduce(0, +))
    summary.add(.files, files.count)
    try options.report(summary, since: started)
  }
}
