import ArgumentParser
import Commands
import Shards
import Support

extension TokenFileFormat: ExpressibleByArgument {}

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a dataset as the token files of another trainer.",
    discussion: """
      megatron: SPLIT_text_document.bin and .idx, for Megatron-LM and GPT-NeoX. llmc: SPLIT_000000.bin of 100 million \
      tokens each, the end-of-document id before each document. nanogpt: train.bin, val.bin of 16-bit ids. numpy: \
      SPLIT.npy, and in SPLIT.documents.npy where documents begin. The split valid is called val where that is the \
      custom (llmc, nanogpt). The output is a directory, which appears when it is complete.

      EXAMPLES:
        pkm-data export shards/ --format megatron -o megatron/
        pkm-data export shards/ --format numpy --split valid -o arrays/
      """)

  enum EndOfDocument: String, ExpressibleByArgument, CaseIterable { case keep, drop }

  @Argument(help: ArgumentHelp("The dataset directory.", valueName: "dataset")) var dataset: String

  @Option(help: "\(TokenFileFormat.list).") var format: TokenFileFormat

  @Option(name: .shortAndLong, help: ArgumentHelp("The new directory.", valueName: "directory"))
  var output: String

  @Option(help: ArgumentHelp("This split only (default: all).", valueName: "name")) var split: String?

  @Option(help: "Whether documents keep the id that ends them: \(EndOfDocument.list).")
  var endOfDocument = EndOfDocument.keep

  @Option(help: ArgumentHelp("llmc: tokens to a file (default: 100000000).", valueName: "n"))
  var shardTokens: Int?

  @OptionGroup var options: RunOptions

  func validate() throws {
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
