import ArgumentParser
import Commands
import Foundation
import Model
import Support
import Training

struct Train: DocumentedCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train a model on a dataset.")

  static let details = """
    Writes metrics.jsonl, and every train.checkpoint_every steps a checkpoint
    directory, to the run directory. A run that stopped for any reason continues
    from its last checkpoint with --resume, with the same result, bit for bit, as
    without the stop.

    A new run measures for a second how this processor multiplies matrices of the
    model's shapes fastest, prints the choice, and keeps it in trainer.json, for
    --resume, and in ~/.cache/pkm/matmul.json ($XDG_CACHE_HOME), for the next run.
    The built-in kernels are chosen unless a library is a tenth faster. --kernels
    and --blas choose instead; another choice, or another processor, changes the
    last bits of the results.
    """

  static let examples = """
    pkm-train train --config pipelines/quickstart.yaml \\
      --data runs/quickstart/data -o runs/quickstart/model
    pkm-train train --config r.yaml --data d/ -o run/ --resume \\
      --set train.lr=1e-3 --set model.memory=null
    """

  @Option(help: ArgumentHelp("Dataset directory made by pkm-data.", valueName: "directory"))
  var data: String

  @Option(
    help: ArgumentHelp("Recipe with sections model and train (default: all defaults).", valueName: "file")
  )
  var config: String?

  @Option(
    name: [.short, .customLong("output")], help: ArgumentHelp("Run directory.", valueName: "directory"))
  var output: String

  @Option(
    name: .customLong("set"), parsing: .singleValue,
    help: ArgumentHelp("Set one key of the recipe; may be repeated.", valueName: "key.path=value"))
  var settings: [String] = []

  @Flag(help: "Continue from the last checkpoint, or start if there is none.")
  var resume = false

  @Option(help: ArgumentHelp("Split to train on.", valueName: "name"))
  var split = "train"

  @Option(
    help: ArgumentHelp(
      "Split to evaluate on during training (default: valid if it exists, else none).", valueName: "name"
    ))
  var evalSplit: String?

  @OptionGroup var engine: EngineOptions
  @OptionGroup var options: RunOptions

  var files: [OwnFiles.Entry] {
    .output(output) + options.files + .inputs([data]) + .option(config, "--config")
  }

  func run() throws {
    let started = Progress.now()
    var recipe = try RecipeFile.load(config, settings: settings)
    if let seed = options.givenSeed { recipe.train.seed = seed }
    let (engine, choice) = try chooseEngine(recipe)
    try options.report(try train(recipe, on: engine.device, choice), since: started)
  }

  private func chooseEngine(_ recipe: TrainingRecipe) throws -> (Engine, EngineChoice) {
    let stored =
      resume ? try Checkpoint.all(in: output).last.flatMap { try Checkpoint($0).state.engine } : nil
    return try Engine.forTraining(
      recipe, engine.wish, stored: stored, threads: options.threadCount,
      say: { if !options.quiet { Log.line($0) } })
  }

  private func train(_ recipe: TrainingRecipe, on device: some Operations<Float>, _ choice: EngineChoice)
    throws
    -> Summary
  {
    try Trainer(
      recipe: recipe, dataset: data, split: split, evaluationSplit: evalSplit, directory: output,
      resume: resume, on: device, engine: choice, isQuiet: options.quiet
    ).run()
  }
}
