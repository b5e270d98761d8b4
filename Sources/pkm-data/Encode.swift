import ArgumentParser
import Commands
import Stages
import Support
import Tokenization

struct Encode: DocumentedCommand, RecipeStage {
  static let configuration = CommandConfiguration(
    abstract: "Encode text as token ids, tokens or training shards.")

  static let details = """
    --format ids: decimal ids, one document per line.
    --format tokens: tokens, one document per line. In word mode this is the form
      of fastBPE: @@ ends a token that does not end its word, and every space is
      kept. In byte-level mode, bytes are written as GPT-2's characters.
    --format shards: a dataset directory. The end-of-text id ends each document.

    The text of a special token inside a document is encoded as ordinary text
    unless --parse-special is given; added tokens that are not special are always
    found. In word mode, a character that the vocabulary
    lacks becomes \(Tokenizer.unknownToken) in ids and shards (counted as unknown_tokens); tokens
    keep the character.

    The summary reports words (runs between whitespace), bytes per token and
    tokens per word (the fertility).

    With --dropout, the random choices depend on --seed and on the position of the
    document in the input. A word then takes time quadratic in its length, up to
    4,096 characters.
    """

  static let examples = """
    zcat raw.gz | pkm-data normalize | pkm-data encode --tokenizer bpe.json
    pkm-data encode --tokenizer bpe.json corpus/*.jsonl.zst -o shards/
    pkm-data encode --codes bpe.codes --format tokens text.txt -o text.bpe
    """

  enum Format: String, ExpressibleByArgument, CaseIterable { case tokens, ids, shards }

  @Option(
    name: [.long, .customLong("codes")],
    help: ArgumentHelp(
      "Tokenizer: tokenizer.json, merges.txt, vocab.json, .tiktoken, codes of fastBPE or subword-nmt, or their directory.",
      valueName: "file"))
  var tokenizer: String

  @Option(
    help: """
      Output format (default: shards if the output is a directory or a new name without suffix; ids for standard \
      output, existing files and names such as x.ids or x.txt.gz). Other names, such as data-1.5, need it.
      """)
  var format: Format?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Output file or directory (default: standard output).", valueName: "path"))
  var output: String?

  @Option(
    help: ArgumentHelp("shards: split that the documents belong to (default: train).", valueName: "name"))
  var split: String?

  @Option(help: ArgumentHelp("shards: uncompressed size per shard (default: 256M).", valueName: "size"))
  var shardSize: ByteSize?

  @Option(
    help: ArgumentHelp(
      "shards: zstd level, from 1 (faster) to 19 (smaller), or 0 for entropy coding only (default: 0).",
      valueName: "n"))
  var level: Int?

  @Option(
    help: ArgumentHelp(
      "Word mode: number the tokens as XLM does, by this file of tokens and counts; other tokens are <unk>.",
      valueName: "file"))
  var dictionary: String?

  @Option(help: ArgumentHelp("Apply only the first n merges.", valueName: "n"))
  var merges: Int?

  @Flag(
    help: "Encode the text of a special token as its id; in shards, end-of-text ends a document.")
  var parseSpecial = false

  @Flag(
    help:
      "Put the special tokens of the tokenizer's post_processor around each document, such as <s> before it.")
  var addSpecial = false

  @Option(
    help: ArgumentHelp(
      "Word mode: split tokens that are not in this vocabulary of fastBPE getvocab or subword-nmt get-vocab.",
      valueName: "file"))
  var vocab: String?

  @Option(
    help: ArgumentHelp("--vocab: minimum count of a token in the file (default: 1).", valueName: "n"))
  var vocabThreshold: Int?

  @Option(
    help: ArgumentHelp(
      "Probability with which each merge is skipped (BPE-dropout, as in subword-nmt).", valueName: "p"))
  var dropout = 0.0

  @Option(
    help: ArgumentHelp(
      "Word mode: regular expression of parts of words that are never split (repeatable).",
      valueName: "pattern"))
  var glossaries: [String] = []

  @OptionGroup var input: InputOptions
  @OptionGroup var options: RunOptions

  private var chosenFormat: Format { (try? choose()) ?? .ids }

  /// The format, given or by the name of the output. Throws if the name does not say.
  private func choose() throws -> Format {
    if let format { return format }
    guard let output, output != "-" else { return .ids }
    if output.hasSuffix("/") || Path.isDirectory(output) { return .shards }
    if Path.exists(output) { return .ids }
    let name = Path.name(of: OutputName.withoutCoding(output))
    guard let dot = name.lastIndex(of: ".") else {
      return name == Path.name(of: output) ? .shards : .ids
    }
    let suffix = name[name.index(after: dot)...]
    guard let first = suffix.first, first.isASCII && first.isLetter,
      suffix.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber) })
    else {
      throw ValidationError(
        "\(output) could be a dataset or a file of ids: say which with --format shards, ids or tokens")
    }
    return .ids
  }

  func validate() throws {
    try options.checkSeed("--dropout", isUsed: usesSeed)
    let format = try choose()
    if format != .shards { try asValidation { try OutputName.checkDocuments(output) } }
    if chosenFormat == .shards {
      if output == nil || output == "-" { throw ValidationError("--format shards needs -o DIRECTORY") }
    } else if split != nil || shardSize != nil || level != nil {
      throw ValidationError("--split, --shard-size and --level are for --format shards")
    }
    if let level, !(0...19).contains(level) { throw ValidationError("--level must be 0 to 19") }
    if !(0...1).contains(dropout) { throw ValidationError("--dropout must be between 0 and 1") }
    if let merges, merges < 0 { throw ValidationError("--merges must be 0 or more") }
    if vocabThreshold != nil && vocab == nil { throw ValidationError("--vocab-threshold needs --vocab") }
  }

  var usesSeed: Bool { dropout > 0 }

  static let stageName = "encode"
  static let role = RecipeRole.encoder
  static let recipeOptions: [RecipeOption] =
    InputOptions.recipeOptions + RunOptions.recipeOptions + [
      RecipeOption("tokenizer", "codes", kind: .tokenizer), .text("shard-size"), .text("level"),
      .text("dictionary"), .text("merges"), .flag("parse-special"), .flag("add-special"), .file("vocab"),
      .text("vocab-threshold"), .text("dropout"), .list("glossaries"),
    ]
  static let optionsSetByRun: [String] = ["output", "format", "split"] + RunOptions.optionsSetByRun

  var files: [OwnFiles.Entry] {
    (chosenFormat == .shards ? .directory(output) : .output(output ?? "-")) + options.files
      + .option(tokenizer, "--tokenizer")
      + .option(dictionary, "--dictionary") + .option(vocab, "--vocab")
  }

  func run() throws {
    let started = Progress.now()
    try input.checkFormats()
    try options.report(try run(StagePipes()), since: started)
  }

  func run(_ pipes: StagePipes) throws -> Summary {
    var encoding = EncodeOptions(
      input: try input.corpus(pipe: pipes.input), settings: options.settings, tokenizer: tokenizer,
      format: chosenFormat == .shards ? .shards : chosenFormat == .tokens ? .tokens : .ids, output: output)
    if let split { encoding.split = split }
    encoding.shardBytes = shardSize?.bytes
    if let level { encoding.level = level }
    encoding.dictionary = dictionary
    encoding.merges = merges
    encoding.parsesSpecialTokens = parseSpecial
    encoding.addsSpecialTokens = addSpecial
    encoding.vocabulary = vocab
    if let vocabThreshold { encoding.vocabularyThreshold = vocabThreshold }
    encoding.dropout = dropout
    encoding.glossaries = glossaries
    if format == nil, let output, output != "-" && !options.quiet {
      Log.line(
        chosenFormat == .shards
          ? "encode: \(output) becomes a dataset; --format ids writes a file of ids"
          : "encode: \(output) becomes a file of ids, one document a line; --format shards writes a dataset")
    }
    return try EncodeStage(encoding).run()
  }
}
