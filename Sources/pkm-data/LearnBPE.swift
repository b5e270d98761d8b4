import ArgumentParser
import Commands
import Stages
import Support
import Tokenization

struct LearnBPE: ParsableCommand, RecipeStage {
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
      .text("merges"), .text("vocab-size"), .files("counts"), .file("extend"), .text("min-frequency"),
      .list("special"), .text("max-token-length"), .text("limit-alphabet"), .text("character-coverage"),
      .text("codes-format"), .flag("verbose"),
    ]
  static let optionsSetByRun: [String] = ["output"] + RunOptions.optionsSetByRun

  func run() throws {
    let started = Progress.now()
    try options.report(try run(StagePipes()), since: started)
  }

  func run(_ pipes: StagePipes) throws -> Summary {
    let readsText = counts.isEmpty || !input.inputs.isEmpty
    var learning = LearnOptions(
      counting: counting.wordCounting(options.settings),
      input: readsText ? try input.corpus(splitting: .stream, pipe: pipes.input) : nil, target: target)
    learning.counts = counts
    learning.base = try extend.map(loadBase)
    learning.size = vocabSize.map { .vocabulary($0) } ?? .merges(merges ?? 32000)
    learning.minimumFrequency = minFrequency
    learning.specialTokens = special
    if let maxTokenLength { learning.longestToken = maxTokenLength }
    if let limitAlphabet { learning.alphabetLimit = limitAlphabet }
    if let characterCoverage { learning.characterCoverage = characterCoverage }
    learning.isVerbose = verbose
    return try LearnStage(learning).run()
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
}
