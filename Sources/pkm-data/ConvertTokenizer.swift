import ArgumentParser
import Commands
import Support
import Tokenization

struct ConvertTokenizer: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert-tokenizer", abstract: "A tokenizer in another format.",
    discussion: """
      Byte-level tokenizers: tokenizer.json, .tiktoken, merges.txt with vocab.json beside it. Word tokenizers: \
      tokenizer.json, codes of subword-nmt and of fastBPE (with counts of 0, which a tokenizer does not keep). What a \
      format cannot hold is lost: the pattern in .tiktoken but for its name, special tokens but end-of-text in .tiktoken, \
      merges.txt and codes.

      EXAMPLES:
        pkm-data convert-tokenizer bpe.json -o bpe.gpt2.tiktoken
        pkm-data convert-tokenizer gpt2/merges.txt -o gpt2.json
        pkm-data convert-tokenizer fastbpe.codes -o bpe.codes
        pkm-data convert-tokenizer bpe.codes --codes-format fastbpe -o fastbpe.codes
      """)

  enum CodesFormat: String, ExpressibleByArgument, CaseIterable {
    case subwordNMT = "subword-nmt"
    case fastbpe
  }

  @Argument(help: ArgumentHelp("A tokenizer in any format of encode.", valueName: "tokenizer"))
  var input: String

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Output file, whose name says the format (default: standard output, tokenizer.json or codes).",
      valueName: "file"))
  var output: String?

  @Option(help: "The form of codes: \(CodesFormat.list).")
  var codesFormat = CodesFormat.subwordNMT

  @OptionGroup var options: RunOptions

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
    let format = MergeCodes.Format(rawValue: codesFormat.rawValue)!
    for (path, bytes) in try TokenizerFile.write(tokenizer, to: output == "-" ? nil : output, codes: format) {
      let file = try OutputFile(path)
      try file.write(bytes)
      try file.finish()
      summary.add(.bytesOut, bytes.count)
    }
    try options.report(summary, since: started)
  }
}
