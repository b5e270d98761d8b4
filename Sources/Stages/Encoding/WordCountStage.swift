import Corpus
import Support
import Tokenization

/// Counts the words of documents, or adds up files of counts.
package struct WordCountStage {
  private let options: WordCountOptions
  private let input: CorpusInput
  /// Whether the inputs are files of counts.
  private let isMerging: Bool
  private let minimumCount: Int
  /// Whether the most frequent words come first.
  private let sortsByCount: Bool
  private let output: String?

  package init(
    _ options: WordCountOptions, input: CorpusInput, isMerging: Bool, minimumCount: Int, sortsByCount: Bool,
    output: String?
  ) {
    (self.options, self.input, self.isMerging) = (options, input, isMerging)
    (self.minimumCount, self.sortsByCount, self.output) = (minimumCount, sortsByCount, output)
  }

  package func run() throws -> Summary {
    let names = input.sources.map(\.name)
    var summary = Summary()
    let files =
      isMerging ? InputListing.distinct(names.isEmpty ? ["-"] : names, &summary) : []
    let preTokenizer = try options.preTokenizer(of: files)
    let counter = options.counter(preTokenizer)
    if isMerging {
      try counter.add(countsOf: files, preTokenizer, options.settings)
    } else {
      summary = try counter.count(input, options.settings)
    }
    try write(counter, preTokenizer, &summary)
    return summary
  }

  private func write(_ counter: PreTokenCounter, _ preTokenizer: PreTokenizer, _ summary: inout Summary)
    throws
  {
    let isPlain = preTokenizer == .words
    let file = try OutputFile(output, compressionThreads: options.settings.threads)
    if !isPlain { try file.write(WordCountFile.header(preTokenizer)) }
    var lines: [UInt8] = []
    var (total, distinct, leftOut) = (0, 0, 0)
    func write(_ word: UnsafeBufferPointer<UInt8>, _ count: Int) throws {
      WordCountFile.append(word, count: count, isPlain: isPlain, to: &lines)
      if lines.count >= 1 << 16 {
        try file.write(lines)
        lines.removeAll(keepingCapacity: true)
      }
    }
    var held = WordCounts()
    try counter.finishSorted { word, count in
      if count < minimumCount {
        leftOut += 1
        return
      }
      total += count
      distinct += 1
      if sortsByCount { held.append(word, count: count) } else { try write(word, count) }
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
    summary.add(.preTokens, total)
    summary.add(.distinctPreTokens, distinct)
    if leftOut > 0 { summary.add(.rarePreTokensLeftOut, leftOut) }
    if counter.spilledRuns > 0 { summary.add(.temporaryFiles, counter.spilledRuns) }
    summary.add(.bytesOut, file.bytesWritten)
  }
}
