import ArgumentParser
import Commands
import Corpus
import Stages
import Support

struct Decode: DocumentedCommand {
  static let configuration = CommandConfiguration(
    abstract: "Decode token ids, tokens or shards to text.")

  static let details = """
    Each line of ids or tokens, and each document of a dataset, becomes a line of
    text. Byte-level ids give exactly the bytes that were encoded, so a document
    may span several lines; --output-format jsonl keeps documents apart. Word mode
    gives words separated by single spaces.

    A dataset directory contains its tokenizer. Tokens of word mode need none.
    """

  static let examples = """
    pkm-data encode --tokenizer bpe.json text.txt | \\
      pkm-data decode --tokenizer bpe.json
    pkm-data decode shards/ --split valid -o valid.txt
    pkm-data decode --format tokens text.bpe
    """

  enum Format: String, ExpressibleByArgument, CaseIterable { case ids, tokens }
  enum OutputFormat: String, ExpressibleByArgument, CaseIterable { case text, jsonl }

  @Argument(
    help: ArgumentHelp(
      "Files, - for standard input, or one dataset directory (default: standard input).", valueName: "input"))
  var givenInputs: [String] = []
  var inputs: [String] { Operands.all(givenInputs) }

  @Option(
    name: [.long, .customLong("codes")],
    help: ArgumentHelp("Tokenizer of the encoder, in any format that encode reads.", valueName: "file"))
  var tokenizer: String?

  @Option(help: "Content of the input lines (default: ids).")
  var format: Format?

  @Option(
    help: ArgumentHelp(
      "Dataset: split to decode (default: all, in alphabetical order).", valueName: "name"))
  var split: String?

  @Flag(help: "Write special tokens, too.")
  var keepSpecial = false

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Output file (default: standard output); .gz and .zst compress.", valueName: "file"))
  var output: String?

  @Option(
    name: .customLong("output-format"),
    help: ArgumentHelp(
      "Output format; jsonl is {\"text\": …} lines (default: by the output name, else text).",
      valueName: "format"))
  var givenOutputFormat: OutputFormat?

  private var outputFormat: OutputFormat {
    givenOutputFormat ?? (output.flatMap { DocumentFormat(ofFileNamed: $0) } == .jsonl ? .jsonl : .text)
  }

  @OptionGroup var options: RunOptions

  private var isDataset: Bool { inputs.contains { $0 != "-" && (Path.isDirectory($0) || $0.hasSuffix("/")) } }

  func validate() throws {
    try options.checkSeed()
    try asValidation { try OutputName.checkDocuments(output) }
    if isDataset {
      if inputs.count > 1 { throw ValidationError("Decode one dataset at a time") }
      if tokenizer != nil || format != nil {
        throw ValidationError(
          "A dataset has its own tokenizer and format; leave --tokenizer and --format out")
      }
    } else {
      if split != nil { throw ValidationError("--split is for a dataset directory") }
      try OptionUse.check(
        "a dataset, ids, or tokens with --tokenizer", tokenizer != nil || format != .tokens,
        ["--keep-special": keepSpecial])
      if tokenizer == nil && format != .tokens { throw ValidationError("Ids need --tokenizer") }
    }
  }

  var files: [OwnFiles.Entry] {
    .output(output ?? "-") + options.files + .option(tokenizer, "--tokenizer")
      + .inputs(inputs.isEmpty ? ["-"] : inputs)
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
