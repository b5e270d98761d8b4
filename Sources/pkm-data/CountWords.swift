import ArgumentParser
import Commands
import Stages
import Support

struct CountWords: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "count-words", abstract: "Text to words and how often each occurs.",
    discussion: """
      Counts what learn-bpe counts, so that a corpus can be counted in parts, on many machines, and learned from \
      without being read again. A plain text file is one text, line ends included, unless --documents says otherwise; a \
      JSON line is one.

      The output is a word a line, in the order of their bytes. byte-level: the pre-token, a tab, its count; \\t, \\n, \
      \\r, \\\\ and \\xHH stand for bytes that a line cannot hold. word: the word, a space, its count, as fastBPE and \
      subword-nmt write them. Files of counts can be merged with --merge, in any order.

      The result does not depend on --threads or --memory. Memory grows with the distinct words, up to --memory; then \
      sorted parts go to temporary files.

      EXAMPLES:
        pkm-data count-words part-1.txt.zst -o part-1.counts.zst
        pkm-data count-words --merge part-*.counts.zst -o all.counts.zst
        pkm-data learn-bpe --counts all.counts.zst -o bpe.json
        pkm-data count-words --mode word --by-count text.txt | head
        pkm-data encode --codes bpe.codes --format tokens text.txt | pkm-data count-words --mode word --by-count -o dict
      """)

  @OptionGroup var input: InputOptions

  @Flag(help: "The inputs are files of counts, which are added up.")
  var merge = false

  @Option(help: ArgumentHelp("Leave out words that occur less often.", valueName: "n"))
  var minCount = 1

  @Flag(
    help: "The most frequent words first, as in a dictionary of XLM or getvocab's; all are held in memory.")
  var byCount = false

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Output file (default: standard output); .gz and .zst compress.", valueName: "file"))
  var output: String?

  @OptionGroup var counting: CountingOptions
  @OptionGroup var options: RunOptions

  func validate() throws {
    if minCount < 1 { throw ValidationError("--min-count must be at least 1") }
  }

  func run() throws {
    let started = Progress.now()
    let summary = try WordCountStage(
      counting.wordCounting(options.settings), input: input.corpus(splitting: .stream), isMerging: merge,
      minimumCount: minCount, sortsByCount: byCount, output: output
    ).run()
    try options.report(summary, since: started)
  }
}
