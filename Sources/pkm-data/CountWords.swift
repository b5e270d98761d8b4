import ArgumentParser
import Commands
import Support
import Tokenization

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
    let files = merge ? (input.inputs.isEmpty ? ["-"] : input.inputs) : []
    let preTokenizer = try counting.preTokenizer(of: files)
    let isPlain = preTokenizer == .words
    let counter = counting.counter(preTokenizer, options)
    var summary = Summary()
    if merge {
      try counter.add(countsOf: files, preTokenizer, options)
    } else {
      summary = try counter.count(input, options)
    }
    let file = try OutputFile(output, compressionThreads: options.threadCount)
    if !isPlain { try file.write(WordCountFile.header(preTokenizer)) }
    var lines: [UInt8] = []
    var total = 0
    var distinct = 0
    var leftOut = 0
    func write(_ word: UnsafeBufferPointer<UInt8>, _ count: Int) throws {
      WordCountFile.append(word, count: count, isPlain: isPlain, to: &lines)
      if lines.count >= 1 << 16 {
        try file.write(lines)
        lines.removeAll(keepingCapacity: true)
      }
    }
    var held = WordCounts()
    try counter.finishSorted { word, count in
      if count < minCount {
        leftOut += 1
        return
      }
      total += count
      distinct += 1
      if byCount { held.append(word, count: count) } else { try write(word, count) }
    }
    // Words of one count stay in the order of their bytes.
    let order = (0..<held.distinct).sorted { (held.counts[$1], $0) < (held.counts[$0], $1) }
    try held.bytes.withUnsafeBufferPointer { bytes in
      for word in order {
        try write(UnsafeBufferPointer(rebasing: bytes[held.range(of: word)]), held.counts[word])
      }
    }
    try file.write(lines)
    try file.finish()
    summary.add("pre_tokens", total)
    summary.add("distinct_pre_tokens", distinct)
    if leftOut > 0 { summary.add("rare_pre_tokens_left_out", leftOut) }
    if counter.spilledRuns > 0 { summary.add("temporary_files", counter.spilledRuns) }
    summary.add("bytes_out", file.bytesWritten)
    try options.report(summary, since: started)
  }
}
