import ArgumentParser
import Commands
import Shards
import Stages
import Support

struct Shard: DocumentedCommand, RecipeStage {
  static let configuration = CommandConfiguration(
    commandName: "shard", abstract: "Shuffle, split, mix and merge datasets.")

  static let details = """
    The documents of all inputs are shuffled and written to new shards. --split
    moves a share of the documents of the split train to other splits, chosen by a
    hash of the document. Other splits of the inputs keep their names.

    The split train can be mixed. --weights gives the share of each input in the
    result, --epochs how often each input is used, --tokens the size of the
    result. A dataset with too few tokens is used again from its beginning, the
    last time as a random sample of its documents; documents are never cut.
    --weights without --tokens makes the largest result that repeats nothing. A
    document that is used twice is in train twice and in no other split.

    A dataset holds whole documents. pkm-train cuts them into sequences when it
    knows the context of its model, by the policy of --packing:
      stream      join all documents with their end-of-document ids, and cut
                  wherever a sequence is full
      document    start every sequence with a document, add the following ones
                  that fit as a whole, and pad
    index.json records the policy; train.packing of a training recipe overrides
    it.
    """

  static let examples = """
    pkm-data shard encoded/ -o shards/ --split valid=0.01,test=0.01
    pkm-data shard web/ books/ -o mixed/ --weights 0.7,0.3 --tokens 10B
    pkm-data shard web/ books/ -o mixed/ --epochs 1,2.5
    pkm-data shard encoded/ -o shards/ --packing document
    """

  @Argument(help: ArgumentHelp("Dataset directories, all with the same tokenizer.", valueName: "dataset"))
  var givenInputs: [String]
  var inputs: [String] { Operands.all(givenInputs) }

  @Option(name: .shortAndLong, help: ArgumentHelp("New dataset directory.", valueName: "directory"))
  var output: String

  @Option(
    help: ArgumentHelp(
      "Shares of train to split off, such as valid=0.01,test=0.01; their sum is less than 1.",
      valueName: "shares"))
  var split: SplitShares?

  @Option(help: ArgumentHelp("Share of each input in train, such as 0.7,0.3.", valueName: "numbers"))
  var weights: NumberList?

  @Option(help: ArgumentHelp("How often each input is used, such as 1,2.5.", valueName: "numbers"))
  var epochs: NumberList?

  @Option(
    help: ArgumentHelp(
      "Maximum number of tokens in train, such as 10B, 300M or 50000 (powers of 1000).", valueName: "count"))
  var tokens: TokenCount?

  @Option(help: ArgumentHelp("Uncompressed size per shard.", valueName: "size"))
  var shardSize = ByteSize(argument: "256M")!

  @Option(
    help: ArgumentHelp(
      "How documents are packed into training sequences (default: that of the inputs, else stream).",
      valueName: "policy"))
  var packing: Packing?

  @Option(
    help: ArgumentHelp(
      "zstd level, from 1 (faster) to 19 (smaller), or 0 for entropy coding only, as encode writes.",
      valueName: "n"))
  var level = DatasetRewriter().level

  @Flag(help: "Keep the order of the documents.")
  var noShuffle = false

  @Option(
    help: ArgumentHelp(
      "Memory for shuffling (default: a quarter of the RAM that the process may use).", valueName: "size"))
  var memory: ByteSize?

  @OptionGroup var options: RunOptions

  func validate() throws {
    try OptionUse.check("shuffling", usesMemory, ["--memory": memory])
    try options.checkSeed(
      "shuffling, --split, --weights, --epochs and --tokens",
      isUsed: usesSeed)
    try OptionUse.check("several datasets", inputs.count > 1, ["--weights": weights])
    if inputs.isEmpty { throw ValidationError("Give at least one dataset directory") }
    if weights != nil && epochs != nil { throw ValidationError("Give --weights or --epochs, not both") }
    var known: Set<FileIdentity> = []
    for input in inputs {
      guard let identity = FileIdentity(input) else { continue }
      if !known.insert(identity).inserted {
        throw ValidationError("\(input) is given twice; --epochs says how often a dataset is used")
      }
    }
    if epochs != nil && tokens != nil { throw ValidationError("--tokens goes with --weights or alone") }
    if !(0...19).contains(level) { throw ValidationError("--level must be 0 to 19") }
    for (name, list) in [("weights", weights), ("epochs", epochs)] {
      if let list, list.numbers.count != inputs.count {
        throw ValidationError(
          "--\(name) has \(list.numbers.count) numbers for \(inputs.count) datasets")
      }
    }
  }

  static let stageName = "shard"
  static let role = RecipeRole.merger
  var usesSeed: Bool {
    !noShuffle || split != nil || weights != nil || epochs != nil || tokens != nil
  }
  var usesMemory: Bool { !noShuffle }

  static let recipeOptions: [RecipeOption] =
    RunOptions.recipeOptions + [
      .text("split"), .text("weights"), .text("epochs"), .text("tokens"), .text("shard-size"),
      .text("packing"), .text("level"), .flag("no-shuffle"), .text("memory"),
    ]
  static let optionsSetByRun: [String] = ["output"] + RunOptions.optionsSetByRun

  var files: [OwnFiles.Entry] {
    .directory(output) + options.files + .inputs(inputs)
  }

  func run() throws {
    let started = Progress.now()
    try options.report(try run(StagePipes()), since: started)
  }

  /// Reads and writes datasets, which are directories, so no pipe is connected.
  func run(_: StagePipes) throws -> Summary {
    var sharding = ShardOptions(
      inputs: inputs, output: output, settings: options.settings, shardBytes: shardSize.bytes,
      recipeLine: recipeLine)
    sharding.shares = split?.shares ?? []
    if let weights {
      sharding.mixture = .weights(weights.numbers, budget: tokens?.count)
    } else if let epochs {
      sharding.mixture = .epochs(epochs.numbers)
    } else if let tokens {
      sharding.mixture = .budget(tokens.count)
    }
    sharding.isShuffled = !noShuffle
    sharding.packing = packing
    sharding.level = level
    if let memory { sharding.memory = MemoryLimit.share(given: memory.bytes) }
    return try ShardStage(sharding).run()
  }

  /// This command without paths, which mean nothing on other machines.
  private var recipeLine: String {
    var line = "shard --seed \(options.seed) --shard-size \(shardSize.bytes)"
    if let split { line += " --split \(split.text)" }
    if let weights { line += " --weights \(weights.text)" }
    if let epochs { line += " --epochs \(epochs.text)" }
    if let tokens { line += " --tokens \(tokens.count)" }
    if let packing { line += " --packing \(packing.rawValue)" }
    if noShuffle { line += " --no-shuffle" }
    return line
  }
}

extension Packing: ExpressibleByArgument {}
