import ArgumentParser
import Commands
import Stages
import Support
import Tokenization

struct Encode: ParsableCommand, RecipeStage {
  static let configuration = CommandConfiguration(
    abstract: "Text to tokens, ids or training shards.",
    discussion: """
      ids: decimal ids, a document a line. tokens: pieces of text, a document a line; in word mode fastBPE's form, where \
      @@ marks a piece that does not end its word and every space stays, in byte-level mode GPT-2's byte characters. \
      shards: a dataset directory, each document ended by the end-of-text id.

      The text of a special token inside a document is encoded as ordinary text, unless --parse-special is given. In word \
      mode a character that the vocabulary lacks becomes \(Tokenizer.unknownToken) (counted as unknown_tokens); pieces keep it.

      The summary has words (runs between white space), bytes_per_token and tokens_per_word (the fertility). With --dropout the \
      random choices of a document depend on --seed and its place in the input alone; it is for short words, as its time is \
      quadratic up to 4,096 characters.

      EXAMPLES:
        zcat raw.gz | pkm-data normalize | pkm-data encode --tokenizer bpe.json --format ids
        pkm-data encode --tokenizer bpe.json corpus/*.jsonl.zst -o shards/
        pkm-data encode --codes bpe.codes --format tokens text.txt -o text.bpe
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable { case tokens, ids, shards }

  @OptionGroup var input: InputOptions

  @Option(
    name: [.long, .customLong("codes")],
    help: ArgumentHelp(
      "tokenizer.json, codes of fastBPE or subword-nmt, merges.txt, vocab.json or .tiktoken.",
      valueName: "file"))
  var tokenizer: String

  @Option(help: "\(Format.list) (default: shards where the output is or will be a directory, else ids).")
  var format: Format?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Output file or directory (default: standard output).", valueName: "path"))
  var output: String?

  @Option(
    help: ArgumentHelp("shards: the split that the documents form (default: train).", valueName: "name"))
  var split: String?

  @Option(help: ArgumentHelp("shards: uncompressed size of one (default: 256M).", valueName: "size"))
  var shardSize: ByteSize?

  @Option(
    help: ArgumentHelp(
      "shards: level of zstd, smaller and slower from 1 to 19 (default: 0, bytes by frequency only).",
      valueName: "n"))
  var level: Int?

  @Option(
    help: ArgumentHelp(
      "Word mode: number pieces as XLM does, by this file of pieces and counts; others are <unk>.",
      valueName: "file"))
  var dictionary: String?

  @Option(help: ArgumentHelp("Apply only the first n merges.", valueName: "n"))
  var merges: Int?

  @Flag(help: "Encode the text of a special or added token as its id; shards: end-of-text ends a document.")
  var parseSpecial = false

  @Option(
    help: ArgumentHelp(
      "Word mode: pieces and counts of fastBPE getvocab or subword-nmt get-vocab; others are taken apart.",
      valueName: "file"))
  var vocab: String?

  @Option(help: ArgumentHelp("--vocab: the least count of a piece (default: 1).", valueName: "n"))
  var vocabThreshold: Int?

  @Option(
    help: ArgumentHelp(
      "Pass over each possible merge with this probability (BPE-dropout, as subword-nmt does it).",
      valueName: "p"))
  var dropout = 0.0

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Word mode: regular expressions of parts of words that stay whole.", valueName: "pattern"))
  var glossaries: [String] = []

  @OptionGroup var options: RunOptions

  private var chosenFormat: Format {
    if let format { return format }
    guard let output, output != "-" else { return .ids }
    if output.hasSuffix("/") || Path.isDirectory(output) { return .shards }
    return !Path.exists(output) && !Path.name(of: output).contains(".") ? .shards : .ids
  }

  func validate() throws {
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

  static let stageName = "encode"
  static let role = RecipeRole.encoder
  static let recipeOptions: [RecipeOption] =
    InputOptions.recipeOptions + RunOptions.recipeOptions + [
      RecipeOption("tokenizer", "codes", kind: .tokenizer), .text("shard-size"), .text("level"),
      .text("dictionary"), .text("merges"), .flag("parse-special"), .file("vocab"),
      .text("vocab-threshold"), RecipeOption("dropout", usesSeed: true), .list("glossaries"),
    ]
  static let optionsSetByRun: [String] = ["output", "format", "split"] + RunOptions.optionsSetByRun

  func run() throws {
    let started = Progress.now()
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
    encoding.vocabulary = vocab
    if let vocabThreshold { encoding.vocabularyThreshold = vocabThreshold }
    encoding.dropout = dropout
    encoding.glossaries = glossaries
    return try EncodeStage(encoding).run()
  }
}
