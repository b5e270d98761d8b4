import ArgumentParser
import Commands
import Foundation
import Model
import Shards
import Support
import Training

struct LearningRateRange: DocumentedCommand {
  static let configuration = CommandConfiguration(
    commandName: "lr-range", abstract: "Measure which learning rates a recipe bears.")

  static let details = """
    Trains from the start, without checkpoints, while train.lr grows from step to
    step by the same factor (Smith, 2017). Prints, for every twentieth of the
    test, the rate, the loss of that step and the mean loss up to it, and then a
    tenth of the rate with the least mean: a value for train.lr to begin with.
    The test ends early where the loss is more than twice the first.
    train.value_lr stays as it is, and --summary has all numbers.
    """

  static let examples = """
    pkm-train lr-range --config pipelines/quickstart.yaml \\
      --data runs/quickstart/data
    """

  @Option(help: ArgumentHelp("Dataset directory made by pkm-data.", valueName: "directory"))
  var data: String

  @Option(
    help: ArgumentHelp("Recipe with sections model and train (default: all defaults).", valueName: "file")
  )
  var config: String?

  @Option(
    name: .customLong("set"), parsing: .singleValue,
    help: ArgumentHelp("Set one key of the recipe; may be repeated.", valueName: "key.path=value"))
  var settings: [String] = []

  @Option(help: ArgumentHelp("The first rate.", valueName: "rate"))
  var from = 1e-6

  @Option(help: ArgumentHelp("The last rate.", valueName: "rate"))
  var to = 1.0

  @Option(help: ArgumentHelp("Number of steps.", valueName: "n"))
  var steps = 100

  @Option(help: ArgumentHelp("Split to train on.", valueName: "name"))
  var split = "train"

  @OptionGroup var engine: EngineOptions
  @OptionGroup var options: RunOptions

  func validate() throws {
    if !(2...1_000_000).contains(steps) {
      throw ValidationError("--steps must be between 2 and 1000000, not \(steps)")
    }
    for (name, rate) in [("--from", from), ("--to", to)] where !(1e-30...1e30).contains(rate) {
      throw ValidationError("\(name) must be between 1e-30 and 1e30, not \(rate)")
    }
    if from >= to { throw ValidationError("--from must be below --to") }
  }

  var files: [OwnFiles.Entry] { options.files + .inputs([data]) + .option(config, "--config") }

  func run() throws {
    let started = Progress.now()
    var recipe = try RecipeFile.load(config, settings: settings)
    if let seed = options.givenSeed { recipe.train.seed = seed }
    let engine = try Engine(
      precision: recipe.train.precision, kernels: engine.instructions, library: engine.library,
      threads: options.threadCount)
    let range = try measure(recipe, on: engine.device), means = range.means
    guard let suggestion = range.suggestion else {
      throw Failure(
        .failed, "the loss is no number from the first step on",
        remedy: "Lower train.value_lr or --from")
    }
    Terminal.print("      rate      loss      mean")
    for (index, point) in range.points.enumerated()
    where index % max(1, steps / 20) == 0 || index == range.points.count - 1 {
      Terminal.print(String(format: "%10.3g %9.4f %9.4f", point.rate, point.loss, means[index]))
    }
    if range.hasDiverged {
      Terminal.print("the loss is more than twice the first, or no number, at the next rate")
    }
    Terminal.print(String(format: "train.lr to begin with: %.2g", suggestion))
    var summary = Summary()
    summary[.steps] = .count(range.points.count)
    summary[.learningRate] = .number(suggestion)
    for (index, point) in range.points.enumerated() {
      summary[CountName("rate_\(index + 1)")] = .number(point.rate)
      summary[CountName("loss_\(index + 1)")] = .number(point.loss)
    }
    try options.report(summary, since: started, printsLine: false)
  }

  private func measure(_ recipe: TrainingRecipe, on device: some Operations<Float>) throws -> RateRange {
    try RateRange.measure(
      recipe, dataset: Dataset(data), split: split, rates: from...to, steps: steps, on: device,
      isQuiet: options.quiet)
  }
}
