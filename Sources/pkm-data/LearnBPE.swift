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

      A plain text file is one text, line ends included, unless --documents says otherwise; a JSON line is one. The \
      counts, and so the result, do not depend on --threads. Memory grows with the distinct words, not with the text \
      (but --pre-tokenizer none makes each text one word).

      A merge is only learned if its pair occurs --min-frequency times, so a small text gives fewer than asked for. \
      Pairs that would make the text of a special token, or in word mode a literal </w> inside a word, are never merged.

      EXAMPLES:
        cat raw.txt | pkm-data normalize | pkm-data learn-bpe --merges 8000 -o bpe.json
        pkm-data learn-bpe --vocab-size 50000 --pre-tokenizer cl100k corpus/*.jsonl.zst -o bpe.json
        pkm-data learn-bpe --mode word --merges 60000 text.txt -o bpe.codes
      """)

  enum Splitter: String, ExpressibleByArgument, CaseIterable { case gpt2, cl100k, o200k, whitespace, none }
  enum Mode: String, ExpressibleByArgument, CaseIterable {
    case byteLevel = "byte-level"
    case word
  }
  enum CodesFormat: String, ExpressibleByArgument, CaseIterable {
    case subwordNMT = "subword-nmt"
    case fastbpe
  }

  @OptionGroup var input: InputOptions

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      """
      .json: tokenizer.json. .tiktoken, and merges.txt with vocab.json beside it: byte-level. Any other name in word \
      mode: codes. Standard output (the default): tokenizer.json, codes in word mode.
      """, valueName: "file"))
  var output: String?

  @Option(help: ArgumentHelp("Merges to learn (default: 32000).", valueName: "n"))
  var merges: Int?

  @Option(help: ArgumentHelp("Tokens in all, special ones included, instead of --merges.", valueName: "n"))
  var vocabSize: Int?

  @Option(help: "\(Mode.list).") var mode = Mode.byteLevel

  @Option(help: "What merges stay inside of, byte-level: \(Splitter.list) (default: gpt2).")
  var preTokenizer: Splitter?

  @Option(
    help: ArgumentHelp(
      "The least count of a pair that is merged (default: 1; word mode 2, as subword-nmt).", valueName: "n"))
  var minFrequency: Int?

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Special tokens besides \(Tokenizer.endOfText), which ends documents.", valueName: "token"))
  var special: [String] = []

  @Option(help: "The form of codes: \(CodesFormat.list) (default: subword-nmt).")
  var codesFormat: CodesFormat?

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
    if mode == .word && preTokenizer != nil {
      throw ValidationError("--mode word has a pre-tokenizer of its own; leave --pre-tokenizer out")
    }
    if special.contains(where: { $0.unicodeScalars.count < 2 }) {
      throw ValidationError("A special token needs more than one character")
    }
    if codesFormat != nil && target != .codes {
      throw ValidationError("--codes-format is for codes: --mode word and an output that is not .json")
    }
    if mode == .byteLevel && target == .codes {
      throw ValidationError("Byte-level output must be named .json, .tiktoken or merges.txt")
    }
    if mode == .word && (target == .tiktoken || target == .gpt2) {
      throw ValidationError("A word vocabulary is written as .json or as codes")
    }
  }

  private enum Target { case json, codes, tiktoken, gpt2 }

  private var target: Target {
    guard let output, output != "-" else { return mode == .word ? .codes : .json }
    if output.hasSuffix("merges.txt") { return .gpt2 }
    if output.hasSuffix(".tiktoken") { return .tiktoken }
    return output.hasSuffix(".json") || output.hasSuffix(".json.gz") || output.hasSuffix(".json.zst")
      ? .json : .codes
  }

  func run() throws {
    let started = Progress.now()
    let splitter =
      mode == .word ? PreTokenizer.words : PreTokenizer(rawValue: (preTokenizer ?? .gpt2).rawValue)!
    var (words, summary) = try count(splitter)
    let countingSeconds = Progress.now() - started
    summary.add("pre_tokens", words.total)
    summary.add("distinct_pre_tokens", words.distinct)

    var specials = [Tokenizer.endOfText]
    for token in special
    where !specials.contains(token)
      && !(mode == .word && token == Tokenizer.unknownToken)
    {
      specials.append(token)
    }
    let learned = try learn(words, reserved: specials)
    let tokenizer = Tokenizer(
      learned, mode: mode == .word ? .word : .byteLevel, preTokenizer: splitter, specialTokens: specials)
    summary.add("merges", learned.merges.count)
    summary.add("vocabulary", tokenizer.vocabulary.count)
    summary.add("bytes_out", try write(learned, tokenizer))
    summary["seconds_counting"] = .number(countingSeconds)
    summary["seconds_merging"] = .number(Progress.now() - started - countingSeconds)
    try options.report(summary, since: started)
  }

  private func count(_ splitter: PreTokenizer) throws -> (WordCounts, Summary) {
    let counter = PreTokenCounter(splitter)
    let reader = try input.reader(splitting: .stream)
    var currentSource: Int?
    var texts = 0
    var summary = try DocumentPass(reader: reader, options: options, label: "count").run(
      work: { batch, _ in
        batch.bytes.withUnsafeBufferPointer { bytes in
          let isStream = batch.source.format == .text && batch.source.splitting == .stream
          let pieces = batch.ranges.map { UnsafeBufferPointer(rebasing: bytes[$0]) }
          if isStream { return (batch.source.index, 0, pieces.map(counter.countInside)) }
          for piece in pieces { counter.countText(piece) }
          return (batch.source.index, pieces.count, [])
        }
      },
      consume: { (source: Int, documents: Int, ends: [PreTokenCounter.Ends]) in
        texts += documents
        if ends.isEmpty { return }
        if source != currentSource {
          counter.endText()
          currentSource = source
          texts += 1
        }
        for end in ends { counter.join(end) }
      })
    counter.endText()
    summary["documents_in"] = .count(texts)
    return (counter.finish(), summary)
  }

  private func learn(_ words: WordCounts, reserved: [String]) throws -> LearnedMerges {
    let symbolized =
      mode == .word ? SymbolizedWords(charactersOf: words) : SymbolizedWords(bytesOf: words)
    let unmerged = symbolized.alphabet.count + reserved.count + (mode == .word ? 1 : 0)
    if let vocabSize, vocabSize < unmerged {
      throw Failure(
        .usage, "--vocab-size \(vocabSize) is less than the \(unmerged) characters and special tokens",
        remedy: "Ask for more")
    }
    let limit = vocabSize.map { $0 - unmerged } ?? merges ?? 32000
    let minimumCount = minFrequency ?? (mode == .word ? 2 : 1)
    let progress = Progress("merge", unit: " merges", isQuiet: options.quiet)
    defer { progress.finish() }
    let learned = try BPETrainer.learn(
      symbolized, limit: limit, tieBreak: mode == .word ? .largestStrings : .smallestIDs,
      minimumCount: minimumCount, reserved: reserved + (mode == .word ? [Tokenizer.unknownToken] : [])
    ) { done, pairs in
      try Interruption.check()
      progress.update(done: done, of: limit, note: "\(pairs) pairs")
    }
    if learned.merges.count < limit {
      Log.warn(
        "\(learned.merges.count) merges instead of \(limit): no other pair occurs often enough (--min-frequency \(minimumCount))"
      )
    }
    return learned
  }

  private func write(_ learned: LearnedMerges, _ tokenizer: Tokenizer) throws -> Int {
    switch target {
    case .json: return try write(TokenizerJSON.write(tokenizer), to: output)
    case .tiktoken: return try write(TiktokenFile.write(tokenizer), to: output)
    case .codes:
      return try write(
        MergeCodes.write(learned, format: .init(rawValue: (codesFormat ?? .subwordNMT).rawValue)!), to: output
      )
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
