import ArgumentParser
import Commands
import Corpus
import Stages
import Support

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
    let target = DecodeOutput(output, format: outputFormat == .jsonl ? .jsonl : .text)
    let summary =
      isDataset
      ? try DatasetDecoder(
        path: inputs[0], split: split, keepsSpecialTokens: keepSpecial, output: target,
        settings: options.settings
      ).run()
      : try LineDecoder(
        inputs: inputs, format: format == .tokens ? .tokens : .ids, tokenizer: tokenizer,
        keepsSpecialTokens: keepSpecial, output: target, settings: options.settings
      ).run()
    try options.report(summary, since: started)
  }
}
