import ArgumentParser
import Commands
import Corpus
import Support
import Tokenization

struct LearnBPE: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "learn-bpe", abstract: "Text to a BPE vocabulary.",
    discussion: """
      byte-level: symbols begin as bytes and any text can be encoded and decoded exactly. Merges are those of Hugging \
      Face's byte-level trainer given the whole file as one text; of pairs with the same count the one with the smaller \
      ids goes first. Ids: the 256 bytes (GPT-2's order), the merges, the special tokens.

      word: words are split at spaces and line ends, symbols begin as characters, the last of a word carries </w>. \
      Merges are those of subword-nmt; of pairs with the same count the one with the larger strings goes first.

      A plain text file is one text, line ends included, unless --documents says otherwise; a JSON line is one. \
      --counts takes the words that count-words counted, instead of a text or besides. The result does not depend on \
      --threads or --memory. Memory grows with the distinct words, not with the text (but --pre-tokenizer none makes each \
      text one word): counting is bounded by --memory, merging takes some 12 bytes for each byte of a distinct word.

      A merge is only learned if its pair occurs --min-frequency times, so a small text gives fewer than asked for. \
      Pairs that would make the text of a special token, or in word mode a literal </w> inside a word, are never merged.

      --extend goes on from a tokenizer: its merges are applied to the words, and --merges new ones are learned on what \
      they leave. Its ids stay as they are, new tokens come behind them; --vocab-size counts all tokens.

      Characters that --limit-alphabet or --character-coverage leave out (word mode) become no tokens: encode gives \
      <unk> for each, and no merge reaches across one.

      EXAMPLES:
        cat raw.txt | pkm-data normalize | pkm-data learn-bpe --merges 8000 -o bpe.json
        pkm-data learn-bpe --vocab-size 50000 --pre-tokenizer cl100k corpus/*.jsonl.zst -o bpe.json
        pkm-data learn-bpe --mode word --merges 60000 text.txt -o bpe.codes
        pkm-data learn-bpe --counts machine-*.counts.zst -o bpe.json
        pkm-data learn-bpe --extend bpe.json --merges 1000 medicine.txt -o medicine.json
      """)

  enum CodesFormat: String, ExpressibleByArgument, CaseIterable {
    case subwordNMT = "subword-nmt"
    case fastbpe
  }

  @OptionGroup var input: InputOptions

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      """
      .json: tokenizer.json. .gpt2.tiktoken or with another pattern, as the file itself does not say it, and merges.txt \
      with vocab.json beside it: byte-level. Any other name in word \
      mode: codes. Standard output (the default): tokenizer.json, codes in word mode.
      """, valueName: "file"))
  var output: String?

  @Option(help: ArgumentHelp("Merges to learn (default: 32000).", valueName: "n"))
  var merges: Int?

  @Option(help: ArgumentHelp("Tokens in all, special ones included, instead of --merges.", valueName: "n"))
  var vocabSize: Int?

  @OptionGroup var counting: CountingOptions

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Files of word counts to learn from; then text is read only where named.", valueName: "file"))
  var counts: [String] = []

  @Option(
    help: ArgumentHelp("A tokenizer to go on from, in any format that encode reads.", valueName: "file"))
  var extend: String?

  @Option(
    help: ArgumentHelp(
      "The least count of a pair that is merged (default: 1; word mode 2, as subword-nmt).", valueName: "n"))
  var minFrequency: Int?

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Special tokens besides \(Tokenizer.endOfText), which ends documents.", valueName: "token"))
  var special: [String] = []

  @Option(
    help: ArgumentHelp(
      "The longest token that a merge makes, in bytes (word mode: characters).", valueName: "n"))
  var maxTokenLength: Int?

  @Option(help: ArgumentHelp("Word mode: keep only the n most frequent characters.", valueName: "n"))
  var limitAlphabet: Int?

  @Option(
    help: ArgumentHelp(
      "Word mode: keep only the most frequent characters that make up this share of the text, as 0.9995.",
      valueName: "share"))
  var characterCoverage: Double?

  @Option(help: "The form of codes: \(CodesFormat.list) (default: subword-nmt).")
  var codesFormat: CodesFormat?

  @Flag(help: "Show each merge on standard error as it is chosen.")
  var verbose = false

  @OptionGroup var options: RunOptions

  func validate() throws {
    if merges != nil && vocabSize != nil { throw ValidationError("Give --merges or --vocab-size, not both") }
    if let merges, !(0...10_000_000).contains(merges) {
      throw ValidationError("--merges must be 0 to 10000000")
    }
    if let vocabSize, !(1...10_000_000).contains(vocabSize) {
      throw ValidationError("--vocab-size must be 1 to 10000000")
    }
    if let minFrequency, minFrequency < 1 { throw ValidationError("--min-frequency must be at least 1") }
    if let maxTokenLength, maxTokenLength < 1 {
      throw ValidationError("--max-token-length must be at least 1")
    }
    if let limitAlphabet, limitAlphabet < 1 { throw ValidationError("--limit-alphabet must be at least 1") }
    if let characterCoverage, !(characterCoverage > 0 && characterCoverage <= 1) {
      throw ValidationError("--character-coverage must be above 0 and at most 1")
    }
    if extend == nil { try validate(isWord: counting.mode == .word) }
    if special.contains(where: { $0.unicodeScalars.count < 2 }) {
      throw ValidationError("A special token needs more than one character")
    }
  }

  /// What depends on the mode, which may be that of the tokenizer to extend.
  private func validate(isWord: Bool) throws {
    let target = target(isWord: isWord)
    if !isWord && (limitAlphabet != nil || characterCoverage != nil) {
      throw ValidationError(
        "--limit-alphabet and --character-coverage are for --mode word: bytes are all kept")
    }
    if codesFormat != nil && target != .codes {
      throw ValidationError("--codes-format is for codes: --mode word and an output that is not .json")
    }
    if !isWord && target == .codes {
      throw ValidationError("Byte-level output must be named .json, .tiktoken or merges.txt")
    }
    if isWord && (target == .tiktoken || target == .gpt2) {
      throw ValidationError("A word vocabulary is written as .json or as codes")
    }
  }

  private enum Target { case json, codes, tiktoken, gpt2 }

  private func target(isWord: Bool) -> Target {
    guard let output, output != "-" else { return isWord ? .codes : .json }
    if output.hasSuffix("merges.txt") { return .gpt2 }
    if output.hasSuffix(".tiktoken") { return .tiktoken }
    return output.hasSuffix(".json") || output.hasSuffix(".json.gz") || output.hasSuffix(".json.zst")
      ? .json : .codes
  }

  func run() throws {
    let started = Progress.now()
    let base = try extend.map(loadBase)
    let preTokenizer = try base?.preTokenizer ?? counting.preTokenizer(of: counts)
    let counter = counting.counter(preTokenizer, options)
    var summary = Summary()
    if !counts.isEmpty { try counter.add(countsOf: counts, preTokenizer, options) }
    if counts.isEmpty || !input.inputs.isEmpty { summary = try counter.count(input, options) }
    var words = try counter.finish()
    let countingSeconds = Progress.now() - started
    summary.add("pre_tokens", words.total)
    summary.add("distinct_pre_tokens", words.distinct)
    if counter.spilledRuns > 0 { summary.add("temporary_files", counter.spilledRuns) }

    let tokenizer: Tokenizer
    let learned: LearnedMerges
    let isWord = preTokenizer == .words
    if let base {
      (tokenizer, learned) = try learn(&words, extending: base, &summary)
    } else {
      let specials = specialTokens(isWord: isWord)
      let symbolized =
        isWord
        ? try SymbolizedWords(charactersOf: words, inventory(of: words, &summary))
        : try SymbolizedWords(bytesOf: words)
      words = WordCounts()
      let unmerged = symbolized.alphabet.count + specials.count + (isWord ? 1 : 0)
      let reserved = specials + (isWord ? [Tokenizer.unknownToken] : [])
      learned = try learn(
        symbolized, isWord: isWord, unmerged: unmerged, reserved: reserved.map { Array($0.utf8) })
      tokenizer = Tokenizer(
        learned, mode: isWord ? .word : .byteLevel, preTokenizer: preTokenizer, specialTokens: specials)
    }
    summary.add("merges", learned.merges.count)
    summary.add("vocabulary", tokenizer.vocabulary.count)
    summary.add("bytes_out", try write(learned, tokenizer))
    summary["seconds_counting"] = .number(countingSeconds)
    summary["seconds_merging"] = .number(Progress.now() - started - countingSeconds)
    try options.report(summary, since: started)
  }

  private func specialTokens(isWord: Bool) -> [String] {
    var specials = [Tokenizer.endOfText]
    for token in special where !specials.contains(token) && !(isWord && token == Tokenizer.unknownToken) {
      specials.append(token)
    }
    return specials
  }

  private func inventory(of words: WordCounts, always: [[UInt8]] = [], _ summary: inout Summary)
    -> CharacterInventory
  {
    let inventory = CharacterInventory(
      of: words, limit: limitAlphabet ?? .max, coverage: characterCoverage ?? 1, always: always)
    if inventory.dropped.distinct > 0 {
      summary.add("characters_kept", inventory.characters.count)
      summary.add("characters_left_out", inventory.dropped.distinct)
      summary.add("characters_left_out_occurrences", inventory.dropped.occurrences)
    }
    return inventory
  }

  /// The tokenizer to extend, and whether everything else fits it.
  private func loadBase(_ path: String) throws -> Tokenizer {
    let base = try TokenizerFile.load(path)
    try base.checkExtensible(file: path)
    let isWord = base.mode == .word
    if let mode = counting.mode, (mode == .word) != isWord {
      throw ValidationError("\(path) is a \(isWord ? "word" : "byte-level") tokenizer, not what --mode says")
    }
    if let given = counting.givenPreTokenizer, given != base.preTokenizer {
      throw ValidationError(
        "\(path) has the pre-tokenizer \(base.preTokenizer.rawValue), not \(given.rawValue)")
    }
    try validate(isWord: isWord)
    return base
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
      // A tokenizer that ends documents in its own way needs no other.
      base.id(ofSpecialToken: $0) == nil && !($0 == Tokenizer.endOfText && base.endOfDocument != nil)
    }
    let learned = try learn(
      symbolized, isWord: isWord, unmerged: base.vocabulary.count + specials.count,
      reserved: base.tokens + specials.map { Array($0.utf8) })
    return (base.extended(by: learned, specialTokens: specials), learned)
  }

  /// `unmerged` tokens are there without any merge.
  private func learn(
    _ words: consuming SymbolizedWords, isWord: Bool, unmerged: Int, reserved: [[UInt8]]
  ) throws -> LearnedMerges {
    if let vocabSize, vocabSize < unmerged {
      throw Failure(
        .usage, "--vocab-size \(vocabSize) is less than the \(unmerged) tokens that are there without merges",
        remedy: "Ask for more")
    }
    let limit = vocabSize.map { $0 - unmerged } ?? merges ?? 32000
    let minimumCount = minFrequency ?? (isWord ? 2 : 1)
    let progress = Progress("merge", unit: " merges", isQuiet: options.quiet || verbose)
    defer { progress.finish() }
    var texts = verbose ? words.alphabet : []
    let learned = try BPETrainer.learn(
      words,
      BPETrainer.Options(
        tieBreak: isWord ? .largestStrings : .smallestIDs, limit: limit, minimumCount: minimumCount,
        maximumSize: maxTokenLength ?? .max, reserved: reserved)
    ) { merge, number, pairs in
      if verbose {
        let (left, right) = (texts[Int(merge.left)], texts[Int(merge.right)])
        texts.append(left + right)
        let shown = [left, right, left + right].map { text in
          JSONText.quote(String(decoding: text, as: UTF8.self))
        }
        Log.line(
          "merge \(number): \(shown[0]) \(shown[1]) -> \(shown[2]), count \(merge.count), \(pairs) pairs left"
        )
      }
      if number & 63 == 0 {
        try Interruption.check()
        progress.update(done: number, of: limit, note: "\(pairs) pairs left")
      }
    }
    if learned.merges.count < limit {
      Log.warn(
        "\(learned.merges.count) merges instead of \(limit): no other pair occurs often enough (--min-frequency \(minimumCount))"
      )
    }
    return learned
  }

  private func write(_ learned: LearnedMerges, _ tokenizer: Tokenizer) throws -> Int {
    if !special.isEmpty && target(isWord: tokenizer.mode == .word) != .json {
      Log.warn(
        "special tokens are lost in this format: name the output .json to keep \(special.joined(separator: " "))"
      )
    }
    switch target(isWord: tokenizer.mode == .word) {
    case .json: return try write(TokenizerJSON.write(tokenizer), to: output)
    case .tiktoken:
      if let warning = TiktokenFile.warning(ofFileNamed: output!, tokenizer.preTokenizer) {
        Log.warn(warning)
      }
      return try write(TiktokenFile.write(tokenizer), to: output)
    case .codes:
      return try write(
        MergeCodes.write(
          tokenizer.merges(lastLearned: learned),
          format: .init(rawValue: (codesFormat ?? .subwordNMT).rawValue)!), to: output)
    case .gpt2:
      let vocabulary = String(output!.dropLast("merges.txt".count)) + "vocab.json"
      return try write(GPT2Files.writeVocabulary(tokenizer), to: vocabulary)
        + write(GPT2Files.writeMerges(tokenizer), to: output)
    }
  }

  private func write(_ bytes: [UInt8], to path: String?) throws -> Int {
    let file = try OutputFile(path)
    try file.write(bytes)
    try file.finish()
    return bytes.count
  }
}
