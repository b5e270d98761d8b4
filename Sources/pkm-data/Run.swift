import ArgumentParser
import Commands
import Stages
import Support

struct Run: DocumentedCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run a recipe, from text to a dataset.")

  static let details = """
    A recipe is a YAML file with inputs, output and stages. Each stage is a
    subcommand, and its options are the long options of that subcommand:

      inputs: {train: texts/*.txt}
      output: runs/data
      stages:
        - normalize: {form: nfkc}
        - dedup: {method: exact}
        - learn-bpe: {merges: 8000}
        - encode
        - shard: {split: {valid: 0.01, test: 0.01}}

    Held-out texts can be inputs of their own. "seen" then removes their
    duplicates from the training text:

      inputs: {train: texts, valid: held-out.jsonl}
      output: runs/data
      stages:
        - dedup: {method: minhash, seen: valid}
        - learn-bpe
        - encode

    A file of one split that lies in a directory of another belongs to the split
    that names it, or else to the one that is not train; the other goes without.

    Stages that read the documents once stream into the next stage. The results
    of the others are stored in OUTPUT.work, beside the dataset. Running the
    recipe again skips finished stages, resumes an interrupted run, and repeats
    what depends on changed options, starting from the last stored file.

    OUTPUT.work/report.html shows, for each stage, the documents that went through
    it and its time; samples of what each rule removed; duplicates, lengths,
    vocabulary and shards.
    """

  static let examples = """
    pkm-data run --dry-run pipelines/quickstart.yaml
    pkm-data run pipelines/quickstart.yaml
    """

  @Argument(help: ArgumentHelp("Recipe, or - for standard input.", valueName: "recipe.yaml"))
  var recipe: String

  @Flag(help: "Show what would run, and why, without running it.") var dryRun = false

  @Flag(help: "Store the result of every stage as a file instead of streaming it.") var keepAll = false

  @Flag(help: "Only write the report on earlier runs.") var report = false

  @Option(
    help: ArgumentHelp(
      "Memory per stage for data that grows with the corpus (default: that of the stage).",
      valueName: "size"))
  var memory: ByteSize?

  @OptionGroup var options: RunOptions

  /// The commands that can be stages.
  private static let stages: [any RecipeStage.Type] = [
    Normalize.self, Filter.self, Dedup.self, LearnBPE.self, Encode.self, Shard.self,
  ]

  // The plan adds what the recipe names.
  var files: [OwnFiles.Entry] { options.files }

  func validate() throws {
    if dryRun && report { throw ValidationError("Give --dry-run or --report, not both") }
    try OptionUse.check(
      "a run, which --dry-run and --report do not start", !dryRun && !report,
      ["--summary": options.summary, "--memory": memory])
  }

  func run() throws {
    let started = Progress.now()
    let plan = try RunPlan.make(
      Recipe.read(recipe), stages: Self.stages,
      options: RunPlanOptions(
        threads: options.threads, givenSeed: options.givenSeed, memory: memory.map { "\($0)" },
        isQuiet: options.quiet,
        keepsAll: keepAll))
    let run = try RecipeRun(plan, settings: options.settings)
    if dryRun { return Terminal.print(run.description.joined(separator: "\n")) }
    if report {
      let path = try run.writeReport()
      return options.quiet ? () : Log.line(path)
    }
    try options.report(try run.run(), since: started)
  }
}
