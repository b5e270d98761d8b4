import ArgumentParser
import Commands
import Corpus
import Stages
import Support
import Tokenization

struct LearnBPE: DocumentedCommand, RecipeStage {
  static let configuration = CommandConfiguration(
    commandName: "learn-bpe", abstract: "Learn a BPE tokenizer from text or word counts.")

  static let details = """
    --mode byte-level: symbols start as bytes, so any text is encoded and decoded
    exactly. The merges equal those of Hugging Face's byte-level trainer that is
    given the whole file as one text; among pairs of equal count, the one with the
    smaller ids comes first. Ids: the 256 bytes in GPT-2's order, then the merges,
    then the special tokens.

    --mode word: words are split at spaces and line feeds, symbols start as
    characters, and the last symbol of a word ends in </w>. The merges equal those
    of subword-nmt; among pairs of equal count, the one with the larger strings
    comes first.

    Each plain-text file is one text, line feeds included, unless --documents is
    given; each JSON line is one text. --counts takes the output of count-words,
    instead of a text or in addition to one.

    The result does not depend on --threads or --memory. Memory grows with the
    number of distinct words, not with the text; with --pre-tokenizer none each
    text is one word. Counting stays within --memory; merging takes about 12 bytes
    per byte of the distinct words. A word of more than 1 MiB, such as a line of
    zeros, counts as several of that size.

    A small text may give fewer merges than requested, because a pair is merged
    only if it occurs --min-frequency times. Pairs that would form the text of a
    special token, or in word mode a literal </w> inside a word, are never merged.

    --extend applies the merges of an existing tokenizer first and learns --merges
    new ones on the result. Existing ids stay, and new tokens follow them;
    --vocab-size counts all tokens.

    --superwords t learns in two stages (SuperBPE): the first t merges stay inside
    pre-tokens, the others may cross spaces, so that common phrases become tokens.
    Then a unit of text is a run of words and single punctuation marks; numbers,
    several punctuation marks, line breaks and repeated spaces stay apart. No such
    token has more than --superword-length words, nor a colon before a space. The
    output is tokenizer.json. The text is read once; its units are counted within
    --memory, and only pieces of them that occur often are in memory for merging.

    In word mode, characters that --limit-alphabet or --character-coverage exclude
    get no token: encode writes <unk> for each, and no merge crosses them.
    """

  static let examples = """
    cat raw.txt | pkm-data normalize | pkm-data learn-bpe -o bpe.json
    pkm-data learn-bpe --vocab-size 50000 --pre-tokenizer cl100k \\
      corpus/*.jsonl.zst -o bpe.json
    pkm-data learn-bpe --mode word --merges 60000 text.txt -o bpe.codes
    pkm-data learn-bpe --counts 'machine-*.counts.zst' -o bpe.json
    pkm-data learn-bpe --merges 32000 --superwords 24000 text.txt -o super.json
    pkm-data learn-bpe --extend bpe.json --merges 1000 extra.txt -o larger.json
    """

  enum CodesFormat: String, ExpressibleByArgument, CaseIterable {
    case subwordNMT = "subword-nmt"
    case fastbpe
  }

  @Option(help: ArgumentHelp("Number of merges to learn (default: 32000).", valueName: "n"))
  var merges: Int?

  @Option(
    help: ArgumentHelp(
      "Number of tokens, special ones included; instead of --merges.", valueName: "n"))
  var vocabSize: Int?

  @OptionGroup var counting: CountingOptions

  @Option(
    help: ArgumentHelp(
      "Learn from this file of count-words, or a quoted pattern of them (repeatable); text is then read only if named.",
      valueName: "file"))
  var counts: [String] = []

  @Option(
    help: ArgumentHelp("Tokenizer to extend, in any format that encode reads.", valueName: "file"))
  var extend: String?

  @Option(
    help: ArgumentHelp(
      "SuperBPE: after so many merges inside pre-tokens, the others may cross spaces.", valueName: "t"))
  var superwords: Int?

  @Option(
    help: ArgumentHelp(
      "With --superwords: maximum number of words in a token (default: 4).", valueName: "n"))
  var superwordLength: Int?

  @Option(
    help: ArgumentHelp(
      "Minimum count of a pair to merge (default: 1; in word mode 2, as in subword-nmt).", valueName: "n"))
  var minFrequency: Int?

  @Option(
    name: .customLong("special"),
    help: ArgumentHelp(
      "Special token in addition to \(Tokenizer.endOfText), which ends documents; repeatable, or separated by commas.",
      valueName: "token"))
  var givenSpecial: [String] = []

  private var special: [String] { givenSpecial.flatMap { $0.split(separator: ",").map(String.init) } }

  @Option(
    help: ArgumentHelp(
      "Maximum length of a token in bytes (word mode: characters).", valueName: "n"))
  var maxTokenLength: Int?

  @Option(help: ArgumentHelp("Word mode: keep only the n most frequent characters.", valueName: "n"))
  var limitAlphabet: Int?

  @Option(
    help: ArgumentHelp(
      "Word mode: keep only the most frequent characters that make up this share of the text, such as 0.9995.",
      valueName: "share"))
  var characterCoverage: Double?

  @Option(help: "Variant of the codes format (default: subword-nmt).")
  var codesFormat: CodesFormat?

  @Flag(help: "Print each merge on standard error as it is chosen.")
  var verbose = false

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      """
      Output file, whose name gives the format: X.json is tokenizer.json; byte-level also X.PATTERN.tiktoken, such as \
      X.gpt2.tiktoken, or merges.txt (vocab.json goes beside it); in word mode any other name is codes. Default: \
      standard output, as tokenizer.json or, in word mode, codes.
      """, valueName: "file"))
  var output: String?

  @OptionGroup var input: InputOptions
  @OptionGroup var options: RunOptions

  /// Whether text is read, and not counts alone.
  private var readsText: Bool { counts.isEmpty || !input.inputs.isEmpty }

  func validate() throws {
    try options.checkSeed()
    try input.checkReading("text, and --counts alone reads none", readsText)
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
    try validateSuperwords()
    if extend == nil { try validate(isWord: counting.mode == .word) }
    if special.contains(where: { $0.unicodeScalars.count < 2 }) {
      throw ValidationError("A special token needs more than one character")
    }
  }

  private func validateSuperwords() throws {
    guard let superwords else {
      if superwordLength != nil { throw ValidationError("--superword-length needs --superwords") }
      return
    }
    func refuse(_ condition: Bool, _ message: String) throws {
      if condition { throw ValidationError(message) }
    }
    try refuse(superwords < 0, "--superwords must be at least 0")
    try refuse((superwordLength ?? 4) < 1, "--superword-length must be at least 1")
    try refuse(counting.mode == .word, "--superwords is for byte-level: words of --mode word hold no spaces")
    try refuse(!counts.isEmpty, "--superwords needs the text: counts of words do not tell what follows what")
    try refuse(extend != nil, "--superwords learns both stages from the text; leave --extend out")
    try refuse(
      counting.preTokenizer == .whitespace || counting.preTokenizer == Splitter.none,
      "--superwords goes with --pre-tokenizer gpt2, cl100k or o200k")
    try refuse(
      target.format(isWord: false) != .json,
      "--superwords is written as tokenizer.json, which holds the pattern: name the output .json")
  }

  private typealias Splitter = CountingOptions.Splitter

  /// What depends on the mode, which may be that of the tokenizer to extend.
  private func validate(isWord: Bool) throws {
    let target = target.format(isWord: isWord)
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

  private var target: TokenizerTarget {
    TokenizerTarget(output, codesFormat: .init(rawValue: (codesFormat ?? .subwordNMT).rawValue)!)
  }

  static let stageName = "learn-bpe"
  static let role = RecipeRole.learner
  static let recipeOptions: [RecipeOption] =
    InputOptions.recipeOptions + CountingOptions.recipeOptions + RunOptions.recipeOptions + [
      .text("merges"), .text("vocab-size"), .files("counts"), .file("extend"), .text("superwords"),
      .text("superword-length"), .text("min-frequency"),
      .list("special"), .text("max-token-length"), .text("limit-alphabet"), .text("character-coverage"),
      .text("codes-format"), .flag("verbose"),
    ]
  static let optionsSetByRun: [String] = ["output"] + RunOptions.optionsSetByRun

  var files: [OwnFiles.Entry] {
    .output(output ?? "-") + TokenizerTarget.vocabulary(beside: output) + options.files
      + .option(extend, "--extend") + .inputs(counts)
  }

  func run() throws {
    let started = Progress.now()
    if readsText { try input.checkFormats() }
    try options.report(try run(StagePipes()), since: started)
  }

  func run(_ pipes: StagePipes) throws -> Summary {
    var learning = LearnOptions(
      counting: counting.wordCounting(options.settings),
      input: readsText ? try input.corpus(splitting: .stream, pipe: pipes.input) : nil, target: target)
    learning.counts = try countFiles()
    learning.base = try extend.map(loadBase)
    learning.size = vocabSize.map { .vocabulary($0) } ?? .merges(merges ?? 32000)
    learning.minimumFrequency = minFrequency
    learning.specialTokens = special
    if let maxTokenLength { learning.longestToken = maxTokenLength }
    if let limitAlphabet { learning.alphabetLimit = limitAlphabet }
    if let characterCoverage { learning.characterCoverage = characterCoverage }
    learning.superwords = superwords
    if let superwordLength { learning.superwordLength = superwordLength }
    learning.isVerbose = verbose
    return try LearnStage(learning).run()
  }

  /// The files that `--counts` names, or whose names match.
  private func countFiles() throws -> [String] {
    if counts.isEmpty { return [] }
    for path in input.inputs where Path.isRegularFile(path) && WordCountFile.isNamed(atStartOf: path) {
      throw ValidationError(
        "\(path) is a file of count-words: --counts takes one file, so give it once for each")
    }
    return try counts.flatMap { path in
      Path.exists(path) || !InputListing.isPattern(path) ? [path] : try InputListing.paths(matching: path)
    }
  }

  /// The tokenizer to extend, and whether everything else fits it.
  private func loadBase(_ path: String) throws -> Tokenizer {
    let base = try TokenizerFile.loadToEncode(path)
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
}
