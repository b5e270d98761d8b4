import ArgumentParser
import Commands
import Foundation
import Model
import Support
import Training

struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train a model on a dataset.",
    discussion: """
      Writes metrics.jsonl and a checkpoint directory every so many steps into the run directory. A run that was stopped, \
      by whatever means, goes on from its last checkpoint with --resume, to the same bits as if it had not been stopped.

      EXAMPLES
        pkm-train train --config pipelines/quickstart.yaml --data runs/quickstart/data -o runs/quickstart/model
        pkm-train train --config r.yaml --data d/ -o run/ --set train.lr=1e-3 --set model.memory=null --resume
      """)

  @Option(help: ArgumentHelp("Dataset directory made by pkm-data.", valueName: "dir"))
  var data: String

  @Option(
    help: ArgumentHelp("Recipe with `model` and `train` sections (default: all defaults).", valueName: "file")
  )
  var config: String?

  @Option(name: [.short, .customLong("output")], help: ArgumentHelp("Run directory.", valueName: "dir"))
  var output: String

  @Option(
    name: .customLong("set"), parsing: .singleValue,
    help: ArgumentHelp("Override one key of the recipe; may be repeated.", valueName: "key.path=value"))
  var settings: [String] = []

  @Flag(help: "Go on from the last checkpoint; starts anew where there is nothing to resume.")
  var resume = false

  @Option(help: ArgumentHelp("Split to train on.", valueName: "name"))
  var split = "train"

  @Option(
    help: ArgumentHelp(
      "Split to evaluate on while training (default: valid where there is one, else none).", valueName: "name"
    ))
  var evalSplit: String?

  @OptionGroup var engine: EngineOptions
  @OptionGroup var options: RunOptions

  func run() throws {
    let started = Progress.now()
    var recipe = try RecipeFile.load(config, settings: settings)
    if let seed = options.givenSeed { recipe.train.seed = seed }
    let engine = try Engine(
      precision: recipe.train.precision, library: engine.library, threads: options.threadCount)
    try options.report(try train(recipe, on: engine.device), since: started)
  }

  private func train(_ recipe: TrainingRecipe, on device: some Operations<Float>) throws -> Summary {
    try Trainer(
      recipe: recipe, dataset: data, split: split, evaluationSplit: evalSplit, directory: output,
      resume: resume, on: device, isQuiet: options.quiet
    ).run()
  }
}
