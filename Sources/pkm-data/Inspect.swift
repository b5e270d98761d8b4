import ArgumentParser
import Commands
import Stages
import Support

struct Inspect: DocumentedCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what a dataset, a tokenizer or a text corpus contains.")

  static let examples = """
    pkm-data inspect shards/
    pkm-data inspect bpe.json
    pkm-data inspect --documents paragraph books/
    pkm-data inspect --tokenizer bpe.json books/
    """

  @Option(
    name: [.long, .customLong("codes")],
    help: ArgumentHelp(
      "Text: also show tokens per word and bytes per token with this tokenizer, by script.",
      valueName: "file"))
  var tokenizer: String?

  @Flag(help: "Print JSON.") var json = false

  @OptionGroup var input: InputOptions
  @OptionGroup var options: RunOptions

  func validate() throws { try options.checkSeed() }

  var files: [OwnFiles.Entry] {
    .output("-") + options.files + .option(tokenizer, "--tokenizer")
      + .inputs(input.inputs)
  }

  func run() throws {
    let started = Progress.now()
    let inspector = try Inspector(input.corpus(), tokenizer: tokenizer, settings: options.settings)
    try OptionUse.check("text", inspector.readsText, ["--tokenizer": tokenizer])
    try input.checkReading("text", inspector.readsText)
    if inspector.readsText { try input.checkFormats() }
    let inspection = try inspector.run()
    let output = try OutputFile("-")
    try output.write(json ? inspection.json : inspection.text)
    try output.finish()
    try options.report(inspection.counts, since: started, printsLine: false)
  }
}
