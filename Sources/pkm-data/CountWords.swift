import ArgumentParser
import Commands
import Stages
import Support

struct CountWords: DocumentedCommand {
  static let configuration = CommandConfiguration(
    commandName: "count-words", abstract: "Count the words of text, as learn-bpe does.")

  static let details = """
    A corpus can be counted in parts, on many machines, and learn-bpe can learn
    from the counts without reading the text again. Each plain-text file is one
    text, line feeds included, unless --documents is given; each JSON line is one
    text.

    The output has one word per line, in the order of their bytes:
      byte-level  pre-token, tab, count. \\t, \\n, \\r, \\\\ and \\xHH stand for bytes
                  that a line cannot contain.
      word        word, space, count, as in fastBPE and subword-nmt
    --merge adds up such files, in any order.

    The result does not depend on --threads or --memory. Memory grows with the
    number of distinct words up to --memory; beyond that, sorted parts are
    written to temporary files.
    """

  static let examples = """
    pkm-data count-words part-1.txt.zst -o part-1.counts.zst
    pkm-data count-words --merge part-*.counts.zst -o all.counts.zst
    pkm-data learn-bpe --counts all.counts.zst -o bpe.json
    pkm-data count-words --mode word --by-count text.txt | head
    pkm-data encode --codes bpe.codes --format tokens text.txt | \\
      pkm-data count-words --mode word --by-count -o dict
    """

  @Flag(help: "Add up the counts of the inputs, which are files of counts.")
  var merge = false

  @Option(help: ArgumentHelp("Leave out words with a lower count.", valueName: "n"))
  var minCount = 1

  @Flag(
    help:
      "Write the most frequent words first, as in the dictionaries of XLM and fastBPE; holds all words in memory."
  )
  var byCount = false

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Output file (default: standard output); .gz and .zst compress.", valueName: "file"))
  var output: String?

  @OptionGroup var counting: CountingOptions
  @OptionGroup var input: InputOptions
  @OptionGroup var options: RunOptions

  func validate() throws {
    try options.checkSeed()
    try input.checkReading("text, which --merge does not read", !merge)
    if minCount < 1 { throw ValidationError("--min-count must be at least 1") }
  }

  var files: [OwnFiles.Entry] {
    .output(output ?? "-") + options.files + .inputs(merge ? input.inputs : [])
  }

  func run() throws {
    let started = Progress.now()
    if !merge { try input.checkFormats() }
    let summary = try WordCountStage(
      counting.wordCounting(options.settings), input: input.corpus(splitting: .stream), isMerging: merge,
      minimumCount: minCount, sortsByCount: byCount, output: output
    ).run()
    try options.report(summary, since: started)
  }
}
