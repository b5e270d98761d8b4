import ArgumentParser
import Commands
import Shards
import Stages
import Support

struct Shard: ParsableCommand, RecipeStage {
  static let configuration = CommandConfiguration(
    commandName: "shard", abstract: "Shuffle, split, mix and merge datasets.",
    discussion: """
      Documents are put in a random order over all inputs and packed into shards anew. --split moves a share of the \
      documents of the split train to other splits, decided by a hash of the document; other splits of the inputs keep \
      their names.

      The split train can be mixed: --weights gives the shares of the inputs in the result, in their order, --epochs how \
      often each is taken, --tokens how large the result may be. A dataset that has too few tokens is taken again from \
      its beginning, the last time a random sample of its documents; documents are never cut. --weights without --tokens \
      makes the largest result in which nothing is repeated. A document that is taken twice is in train twice and in no \
      other split.

      A dataset keeps whole documents; pkm-train cuts them when it knows the context of its model. --packing says how: \
      stream joins all documents with their end-of-document ids and cuts wherever a sequence is full, document begins \
      every sequence with a document, takes the next ones while they fit whole, and pads. It is kept in index.json, and \
      train.packing of a training recipe overrules it.

      EXAMPLES:
        pkm-data shard encoded/ -o shards/ --split valid=0.01,test=0.01
        pkm-data shard web/ books/ -o mixed/ --weights 0.7,0.3 --tokens 10B
        pkm-data shard web/ books/ -o mixed/ --epochs 1,2.5
        pkm-data shard encoded/ -o shards/ --packing document
      """)

  @Argument(help: ArgumentHelp("Dataset directories with one tokenizer.", valueName: "dataset"))
  var inputs: [String]

  @Option(name: .shortAndLong, help: ArgumentHelp("The new dataset directory.", valueName: "directory"))
  var output: String

  @Option(
    help: ArgumentHelp(
      "Shares of train to split off, as in valid=0.01,test=0.01, less than 1 in all.", valueName: "shares"))
  var split: SplitShares?

  @Option(help: ArgumentHelp("Shares of the inputs in train, as in 0.7,0.3.", valueName: "numbers"))
  var weights: NumberList?

  @Option(help: ArgumentHelp("How often each input is taken, as in 1,2.5.", valueName: "numbers"))
  var epochs: NumberList?

  @Option(help: ArgumentHelp("The most tokens of train: 10B, 300M, 50000.", valueName: "count"))
  var tokens: TokenCount?

  @Option(help: ArgumentHelp("Uncompressed size of a shard.", valueName: "size"))
  var shardSize = ByteSize(argument: "256M")!

  @Option(
    help: ArgumentHelp(
      "How training sequences are made of documents: stream or document (default: what the inputs say, else stream).",
      valueName: "policy"))
  var packing: Packing?

  @Option(
    help: ArgumentHelp(
      "Level of zstd, 0 (bytes by frequency only, as encode writes) to 19, smaller and slower.",
      valueName: "n"))
  var level = DatasetRewriter().level

  @Flag(help: "Keep the order of the documents.")
  var noShuffle = false

  @Option(help: ArgumentHelp("Memory for shuffling (default: a quarter of RAM).", valueName: "size"))
  var memory: ByteSize?

  @OptionGroup var options: RunOptions

  func validate() throws {
    if inputs.isEmpty { throw ValidationError("Give at least one dataset directory") }
    if weights != nil && epochs != nil { throw ValidationError("Give --weights or --epochs, not both") }
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
  static let usesSeed = true
  static let recipeOptions: [RecipeOption] =
    RunOptions.recipeOptions + [
      .text("split"), .text("weights"), .text("epochs"), .text("tokens"), .text("shard-size"),
      .text("packing"), .text("level"), .flag("no-shuffle"), .text("memory"),
    ]
  static let optionsSetByRun: [String] = ["output"] + RunOptions.optionsSetByRun

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
    if let memory { sharding.memory = memory.bytes }
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
