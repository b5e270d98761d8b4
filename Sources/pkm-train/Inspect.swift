import ArgumentParser
import Commands
import Foundation
import Model
import Support
import Training

struct Inspect: DocumentedCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what a checkpoint holds, or how much RAM training needs.")

  static let examples = """
    pkm-train inspect --checkpoint runs/quickstart/model
    pkm-train inspect --checkpoint runs/quickstart/model --memory
    pkm-train inspect --memory --set model.dim=512
    pkm-train inspect --config pipelines/bench-l.yaml --memory \\
      --set train.precision=bf16 --set train.micro_batch=1
    """

  @Option(
    help: ArgumentHelp(
      "Run directory (its newest checkpoint) or checkpoint directory.", valueName: "directory"))
  var checkpoint: String?

  @Flag(help: "Show the RAM that each part of training needs instead of the tensors.")
  var memory = false

  @Option(
    help: ArgumentHelp(
      "With --memory: recipe with sections model and train, instead of a checkpoint (default: all defaults).",
      valueName: "file"))
  var config: String?

  @Option(
    name: .customLong("set"), parsing: .singleValue,
    help: ArgumentHelp("Set one key of the recipe; may be repeated.", valueName: "key.path=value"))
  var settings: [String] = []

  @Option(
    help: ArgumentHelp(
      "With --memory, without --checkpoint: vocabulary size (default: that of the recipe, or 16000).",
      valueName: "n"))
  var vocabulary: Int?

  @OptionGroup var options: RunOptions

  func validate() throws {
    try options.checkSeed()
    if checkpoint != nil && config != nil {
      throw ValidationError("Give either --checkpoint or --config, not both")
    }
    if checkpoint == nil && !memory {
      throw ValidationError(
        config == nil
          ? "Give --checkpoint, or --memory for the RAM that a recipe needs"
          : "--config needs --memory: a recipe has no tensors yet")
    }
    if let vocabulary, !(1...Int(Int32.max)).contains(vocabulary) {
      throw ValidationError("--vocabulary must be between 1 and \(Int32.max), not \(vocabulary)")
    }
    try OptionUse.check(
      "recipes, without --checkpoint", checkpoint == nil, ["--set": settings, "--vocabulary": vocabulary])
  }

  var files: [OwnFiles.Entry] {
    options.files + .option(config, "--config")
  }

  func run() throws {
    let started = Progress.now()
    var summary = Summary()
    if let checkpoint {
      let checkpoint = try Checkpoint(checkpoint)
      summary[.checkpoint] = .text(checkpoint.directory)
      summary[.step] = .count(checkpoint.state.step)
      summary[.tokens] = .count(checkpoint.state.tokens)
      if memory {
        try printMemory(checkpoint.recipe, &summary)
      } else {
        try printTensors(checkpoint, &summary)
      }
    } else {
      var recipe = try RecipeFile.load(config, settings: settings)
      recipe.model.vocabularySize =
        vocabulary ?? (recipe.model.vocabularySize > 0 ? recipe.model.vocabularySize : 16000)
      try printMemory(recipe, &summary)
    }
    try options.report(summary, since: started, printsLine: false)
  }

  private func printMemory(_ recipe: TrainingRecipe, _ summary: inout Summary) throws {
    let engine = try Engine(precision: recipe.train.precision, threads: options.threadCount)
    let footprint = try Footprint(recipe, on: engine.device)
    func line(_ name: String, _ bytes: Int) -> String {
      name + String(repeating: " ", count: max(1, 44 - name.count))
        + String(format: "%10.1f MB", Double(bytes) / 1e6)
    }
    for part in footprint.parts {
      Terminal.print(
        line(part.name, part.bytes) + (part.growsWithReads ? "  at most, grows as slots are read" : ""))
    }
    Terminal.print(line("total", footprint.bytes))
    summary[.memoryBytes] = .count(footprint.bytes)
  }

  private func printTensors(_ checkpoint: Checkpoint, _ summary: inout Summary) throws {
    let model = checkpoint.recipe.model
    try model.validate()
    Terminal.print(
      "\(checkpoint.directory): step \(checkpoint.state.step), \(checkpoint.state.tokens) tokens seen")
    var dense = 0
    var values = 0
    for parameter in model.parameterDescriptions {
      if parameter.memoryIndex == nil { dense += parameter.count } else { values += parameter.count }
      let shape = parameter.shape.map(String.init).joined(separator: " × ")
      Terminal.print("  \(parameter.name): \(shape)")
    }
    Terminal.print("parameters: \(dense) dense, \(values) in memory values, \(dense + values) in total")
    summary[.parametersDense] = .count(dense)
    summary[.parametersInValues] = .count(values)
  }
}
