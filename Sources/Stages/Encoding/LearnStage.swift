import Corpus
import Support
import Tokenization

/// Learns a BPE vocabulary: counts words, merges pairs, writes the tokenizer.
package struct LearnStage {
  let options: LearnOptions

  package init(_ options: LearnOptions) { self.options = options }

  package func run() throws -> Summary {
    let started = Progress.now()
    var summary = Summary()
    let preTokenizer = try options.base?.preTokenizer ?? options.counting.preTokenizer(of: options.counts)
    if let transition = options.superwords {
      return try learnSuperwords(after: transition, preTokenizer, since: started)
    }
    var words = try countWords(preTokenizer, &summary)
    let countingSeconds = Progress.now() - started
    let (tokenizer, learned) =
      if let base = options.base {
        try learn(&words, extending: base, &summary)
      } else {
        try learn(&words, preTokenizer, &summary)
      }
    summary.add(.merges, learned.merges.count)
    summary.add(.vocabulary, tokenizer.vocabulary.count)
    if !options.specialTokens.isEmpty && options.target.format(isWord: tokenizer.mode == .word) != .json {
      Log.warn(
        """
        special tokens are lost in this format: name the output .json to keep \
        \(options.specialTokens.joined(separator: " "))
        """)
    }
    summary.add(.bytesOut, try options.target.write(tokenizer, learned))
    summary[.secondsCounting] = .number(countingSeconds)
    summary[.secondsMerging] = .number(Progress.now() - started - countingSeconds)
    return summary
  }

  private func countWords(_ preTokenizer: PreTokenizer, _ summary: inout Summary) throws -> WordCounts {
    let settings = options.counting.settings
    let counter = options.counting.counter(preTokenizer)
    if !options.counts.isEmpty {
      let files = InputListing.distinct(options.counts, &summary)
      try counter.add(countsOf: files, preTokenizer, settings)
    }
    if let input = options.input { summary.merge(try counter.count(input, settings)) }
    let words = try counter.finish()
    try report(words, counter, &summary)
    return words
  }

  func report(_ words: WordCounts, _ counter: PreTokenCounter, _ summary: inout Summary) throws {
    summary.add(.preTokens, words.total)
    summary.add(.distinctPreTokens, words.distinct)
    if words.total == 0 && options.input?.options.allowsEmpty != true {
      throw Failure(
        .badInput, "there are no words to learn from",
        remedy: "The input is empty: did the command before it fail? --allow-empty accepts it")
    }
    if counter.spilledRuns > 0 { summary.add(.temporaryFiles, counter.spilledRuns) }
  }

  private func learn(_ words: inout WordCounts, _ preTokenizer: PreTokenizer, _ summary: inout Summary) throws
    -> (Tokenizer, LearnedMerges)
  {
    let isWord = preTokenizer == .words
    let specials = specialTokens(isWord: isWord)
    let symbolized =
      isWord
      ? try SymbolizedWords(charactersOf: words, inventory(of: words, &summary))
      : try SymbolizedWords(bytesOf: words)
    words = WordCounts()
    let unmerged = symbolized.alphabet.count + specials.count + (isWord ? 1 : 0)
    let reserved = specials + (isWord ? [Tokenizer.unknownToken] : [])
    let learned = try merge(
      symbolized, isWord: isWord, unmerged: unmerged, reserved: reserved.map { Array($0.utf8) })
    let tokenizer = Tokenizer(
      learned, mode: isWord ? .word : .byteLevel, preTokenizer: preTokenizer, specialTokens: specials)
    return (tokenizer, learned)
  }

  private func learn(_ words: inout WordCounts, extending base: Tokenizer, _ summary: inout Summary) throws
    -> (Tokenizer, LearnedMerges)
  {
    let isWord = base.mode == .word
    var base = base
    if isWord {
      // Characters that it does not know become tokens.
      let inventory = inventory(of: words, always: base.tokens, &summary)
      base = base.adding(inventory.symbols.filter { base.vocabulary.id(of: $0) == nil })
    }
    let symbolized = try SymbolizedWords(tokensOf: words, base)
    words = WordCounts()
    let specials = specialTokens(isWord: isWord).filter {
      // A tokenizer that ends documents in its own way needs no other token for that.
      base.id(ofSpecialToken: $0) == nil && !($0 == Tokenizer.endOfText && base.endOfDocument != nil)
    }
    let learned = try merge(
      symbolized, isWord: isWord, unmerged: base.vocabulary.count + specials.count,
      reserved: base.tokens + specials.map { Array($0.utf8) })
    return (base.extended(by: learned, specialTokens: specials), learned)
  }

  func specialTokens(isWord: Bool) -> [String] {
    var specials = [Tokenizer.endOfText]
    for token in options.specialTokens
    where !specials.contains(token) && !(isWord && token == Tokenizer.unknownToken) {
      specials.append(token)
    }
    return specials
  }

  private func inventory(of words: WordCounts, always: [[UInt8]] = [], _ summary: inout Summary)
    -> CharacterInventory
  {
    let inventory = CharacterInventory(
      of: words, limit: options.alphabetLimit, coverage: options.characterCoverage, always: always)
    if inventory.dropped.distinct > 0 {
      summary.add(.charactersKept, inventory.characters.count)
      summary.add(.charactersLeftOut, inventory.dropped.distinct)
      summary.add(.charactersLeftOutOccurrences, inventory.dropped.occurrences)
    }
    return inventory
  }

  /// Learns the merges; `unmerged` tokens exist without any merge.
  private func merge(
    _ words: consuming SymbolizedWords, isWord: Bool, unmerged: Int, reserved: [[UInt8]]
  ) throws -> LearnedMerges {
    let limit = try mergeLimit(unmerged: unmerged)
    let minimumCount = options.minimumFrequency ?? (isWord ? 2 : 1)
    let report = MergeReport(options, alphabet: words.alphabet, limit: limit)
    defer { report.finish() }
    let learned = try BPETrainer.learn(
      words,
      BPETrainer.Options(
        tieBreak: isWord ? .largestStrings : .smallestIDs, limit: limit, minimumCount: minimumCount,
        maximumSize: options.longestToken, reserved: reserved), report: report.show)
    warn(ofMerges: learned.merges.count, insteadOf: limit, minimumCount: minimumCount)
    return learned
  }

  func warn(ofMerges learned: Int, insteadOf limit: Int, minimumCount: Int) {
    guard learned < limit else { return }
    Log.warn(
      """
      \(learned) merges instead of \(limit): no other pair occurs often enough \
      (--min-frequency \(minimumCount))
      """)
  }

  func mergeLimit(unmerged: Int) throws -> Int {
    switch options.size {
    case .merges(let count): return count
    case .vocabulary(let size):
      if size < unmerged {
        throw Failure(
          .usage, "--vocab-size \(size) is less than the \(unmerged) tokens that are there without merges",
          remedy: "Ask for more")
      }
      return size - unmerged
    }
  }
}
