import ArgumentParser
import Commands
import Stages
import Support
import Tokenization

struct ConvertTokenizer: DocumentedCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert-tokenizer", abstract: "Convert a tokenizer to another format.")

  static let details = """
    Byte-level formats: tokenizer.json, .tiktoken, and merges.txt with vocab.json
    beside it. Word formats: tokenizer.json and the codes of subword-nmt and
    fastBPE. fastBPE's counts become 0, because a tokenizer does not store them.

    tokenizer.json holds everything. .tiktoken keeps the split pattern only in
    its file name, merges.txt in tokenizer_config.json beside it; both and codes
    keep no special token except end-of-text. What would change ids otherwise,
    such as a normalizer, is refused.
    """

  static let examples = """
    pkm-data convert-tokenizer bpe.json -o bpe.gpt2.tiktoken
    pkm-data convert-tokenizer gpt2/merges.txt -o gpt2.json
    pkm-data convert-tokenizer fastbpe.codes -o bpe.codes
    pkm-data convert-tokenizer bpe.codes --codes-format fastbpe -o fastbpe.codes
    """

  enum CodesFormat: String, ExpressibleByArgument, CaseIterable {
    case subwordNMT = "subword-nmt"
    case fastbpe
  }

  @Argument(help: ArgumentHelp("Tokenizer in any format that encode reads.", valueName: "tokenizer"))
  var input: String

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Output file, whose name gives the format (default: standard output, as tokenizer.json or codes).",
      valueName: "file"))
  var output: String?

  @Option(help: "Variant of the codes format (default: subword-nmt).")
  var codesFormat: CodesFormat?

  @OptionGroup var options: RunOptions

  func validate() throws { try options.checkSeed() }

  var files: [OwnFiles.Entry] {
    .output(output ?? "-") + TokenizerTarget.vocabulary(beside: output) + options.files
      + .option(input, "the tokenizer")
  }

  func run() throws {
    let started = Progress.now()
    let tokenizer = try TokenizerFile.load(input)
    var summary = Summary()
    summary.add(.vocabulary, tokenizer.vocabulary.count)
    summary.add(.merges, tokenizer.merges.count)
    if let output, output.hasSuffix(".tiktoken"),
      let warning = TiktokenFile.warning(ofFileNamed: output, tokenizer.preTokenizer)
    {
      Log.warn(warning)
    }
    let format = MergeCodes.Format(rawValue: (codesFormat ?? .subwordNMT).rawValue)!
    let path = output == "-" ? nil : output
    try OptionUse.check(
      "codes, a word tokenizer with an output that is not .json",
      TokenizerTarget(path, codesFormat: format).format(isWord: tokenizer.mode == .word) == .codes,
      ["--codes-format": codesFormat])
    for (path, bytes) in try TokenizerFile.write(tokenizer, to: path, codes: format) {
      let file = try OutputFile(path)
      try file.write(bytes)
      try file.finish()
      summary.add(.bytesOut, bytes.count)
    }
    try options.report(summary, since: started)
  }
}
