import ArgumentParser
import Commands
import Stages
import Support

struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run a whole recipe, from text to a dataset.",
    discussion: """
      A recipe is a YAML file with inputs, output and stages; the options of a stage are the long flags of the \
      subcommand of its name. Stages that go through the documents once stream into the next one. What the others make \
      is kept in OUTPUT.work beside the dataset: run again, finished stages are skipped, an interrupted run goes on, \
      changed options redo what depends on them, from the last file that was kept. There is also \
      report.html, a page for people: what went through each stage, what was removed by which rule with samples, lengths, \
      duplicates, the vocabulary, shards and times.

      EXAMPLE: pkm-data run pipelines/quickstart.yaml

        inputs: {train: texts/*.txt}
        output: runs/data
        stages:
          - normalize: {form: nfkc}
          - dedup: {method: exact}
          - learn-bpe: {merges: 8000}
          - encode
          - shard: {split: {valid: 0.01, test: 0.01}}

      EXAMPLE: held-out texts that are inputs of their own, and are not to be in training

        inputs: {train: texts, valid: held-out.jsonl}
        output: runs/data
        stages:
          - dedup: {method: minhash, seen: valid}
          - learn-bpe
          - encode
      """)

  @Argument(help: ArgumentHelp("The recipe; - reads it from standard input.", valueName: "recipe.yaml"))
  var recipe: String

  @Flag(help: "Show what would run and why, and do nothing.") var dryRun = false

  @Flag(help: "Keep what every stage makes as a file, to look at it, instead of streaming.") var keepAll =
    false

  @Flag(help: "Run nothing: write the report of what earlier runs have done.") var report = false

  @Option(
    help: ArgumentHelp(
      "Memory of each stage for what grows with the corpus (default: the stage's).", valueName: "size"))
  var memory: ByteSize?

  @OptionGroup var options: RunOptions

  /// The commands that can be stages.
  private static let stages: [any RecipeStage.Type] = [
    Normalize.self, Filter.self, Dedup.self, LearnBPE.self, Encode.self, Shard.self,
  ]

  func run() throws {
    let started = Progress.now()
    let plan = try RunPlan.make(
      Recipe.read(recipe), stages: Self.stages,
      options: RunPlanOptions(
        threads: options.threads, seed: options.seed, memory: memory.map { "\($0)" }, isQuiet: options.quiet,
        keepsAll: keepAll))
    let run = try RecipeRun(plan, settings: options.settings)
    if dryRun { return print(run.description.joined(separator: "\n")) }
    if report {
      let path = try run.writeReport()
      return options.quiet ? () : Log.line(path)
    }
    try options.report(try run.run(), since: started)
  }
}
