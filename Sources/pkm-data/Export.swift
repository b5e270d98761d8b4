import ArgumentParser
import Commands
import Shards
import Support

extension TokenFileFormat: ExpressibleByArgument {}

struct Export: DocumentedCommand {
  static let configuration = CommandConfiguration(
    abstract: "Export a dataset to the token files of another trainer.")

  static let details = """
    Formats:
      megatron    SPLIT_text_document.bin and .idx, for Megatron-LM and GPT-NeoX
      llmc        SPLIT_000000.bin and so on, of 100 million tokens each; the
                  end-of-document id comes before each document
      nanogpt     train.bin and val.bin, of 16-bit ids
      numpy       SPLIT.npy, and SPLIT.documents.npy with the start of each
                  document

    llmc and nanogpt call the split valid "val", as those trainers do. The output
    directory appears under its name when it is complete.
    """

  static let examples = """
    pkm-data export shards/ --format megatron -o megatron/
    pkm-data export shards/ --format numpy --split valid -o arrays/
    """

  enum EndOfDocument: String, ExpressibleByArgument, CaseIterable { case keep, drop }

  @Argument(help: ArgumentHelp("Dataset directory.", valueName: "dataset")) var dataset: String

  @Option(help: "Format of the token files.") var format: TokenFileFormat

  @Option(name: .shortAndLong, help: ArgumentHelp("New directory.", valueName: "directory"))
  var output: String

  @Option(help: ArgumentHelp("Split to export (default: all).", valueName: "name")) var split: String?

  @Option(help: ArgumentHelp("Whether documents keep their end-of-document id.", valueName: "choice"))
  var endOfDocument = EndOfDocument.keep

  @Option(help: ArgumentHelp("llmc: tokens per file (default: 100000000).", valueName: "n"))
  var shardTokens: Int?

  @OptionGroup var options: RunOptions

  func validate() throws {
    try options.checkSeed()
    if format == .llmc && endOfDocument == .drop {
      throw ValidationError("llmc has no documents without the end-of-document id")
    }
    if let shardTokens {
      guard format == .llmc else { throw ValidationError("--shard-tokens is for --format llmc") }
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
    var exporter = DatasetExporter(format)
    exporter.keepsEndOfDocument = endOfDocument == .keep
    if let shardTokens { exporter.shardTokens = shardTokens }
    exporter.progress = { progress.update(done: $0, of: $1) }
    let files = try exporter.write(dataset, splits: splits, to: output)
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
