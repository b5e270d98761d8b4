import Corpus
import Support
import Tokenization

// SuperBPE: merges inside pre-tokens first, then merges across spaces.
extension LearnStage {
  func learnSuperwords(after transition: Int, _ preTokenizer: PreTokenizer, since started: Double) throws
    -> Summary
  {
    guard let input = options.input, let splitter = preTokenizer.superwords else {
      preconditionFailure("the command checks that there is text, and the pre-tokenizer")
    }
    let counting = options.counting
    // One reading of the text counts for both stages, since it may come from a pipe.
    let counter = counting.counter(preTokenizer, sharing: 2)
    let unitCounter = counting.counter(splitter, sharing: 2)
    var summary = try PreTokenCounter.count(input, counting.settings, with: [counter, unitCounter])
    let words = try counter.finish()
    try report(words, counter, &summary)
    let units = try ReplayedCounts(unitCounter, in: counting.temporaryDirectory)
    summary.add(.units, units.total)
    summary.add(.distinctUnits, units.distinct)
    if unitCounter.spilledRuns > 0 { summary.add(.temporaryFiles, unitCounter.spilledRuns) }
    let countingSeconds = Progress.now() - started

    let specials = specialTokens(isWord: false)
    let limit = try mergeLimit(unmerged: 256 + specials.count)
    guard transition <= limit else {
      throw Failure(
        .usage, "--superwords \(transition) is more than the \(limit) merges in all",
        remedy: "Give fewer, or ask for more merges")
    }
    let minimumCount = options.minimumFrequency ?? 1
    var merging = BPETrainer.Options(
      tieBreak: .smallestIDs, limit: transition, minimumCount: minimumCount,
      maximumSize: options.longestToken,
      reserved: specials.map { Array($0.utf8) })
    let symbolized = try SymbolizedWords(bytesOf: words)
    let alphabet = symbolized.alphabet
    let merges = MergeReport(options, alphabet: alphabet, limit: limit)
    defer { merges.finish() }
    let first = Tokenizer(
      try BPETrainer.learn(symbolized, merging, report: merges.show), mode: .byteLevel,
      preTokenizer: splitter,
      specialTokens: [])
    let done = first.merges.count
    merging.limit = limit - done
    merging.maximumWords = options.superwordLength
    let learning = SuperwordTrainer.Options(
      merging: merging, memory: counting.memory, threads: counting.settings.threads,
      temporaryDirectory: counting.temporaryDirectory)
    let tokenizer = try SuperwordTrainer.learn(units, extending: first, learning) {
      try merges.show($0, done + $1, $2)
    }
    warn(ofMerges: tokenizer.merges.count, insteadOf: limit, minimumCount: minimumCount)
    summary.add(.merges, tokenizer.merges.count)
    summary.add(.superwords, SuperwordTrainer.count(in: tokenizer))
    let whole = tokenizer.adding(specialTokens: specials)
    summary.add(.vocabulary, whole.vocabulary.count)
    summary.add(.bytesOut, try options.target.write(whole, LearnedMerges(alphabet: alphabet, merges: [])))
    summary[.secondsCounting] = .number(countingSeconds)
    summary[.secondsMerging] = .number(Progress.now() - started - countingSeconds)
    return summary
  }
}
