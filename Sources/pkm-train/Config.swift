import ArgumentParser
import Commands
import Foundation
import Model
import Support
import Training

struct Config: DocumentedCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a recipe with every key and its default, or check one.")

  static let details = """
    The recipe is YAML with a comment for each key: its meaning and its unit. It
    reads as all defaults. With --check, nothing is written; the keys of the file
    that differ from the defaults are printed, and a mistake is named with its
    line.
    """

  static let examples = """
    pkm-train config > recipe.yaml
    pkm-train config --check pipelines/quickstart.yaml
    pkm-train config --check recipe.yaml --set train.schedule=cosine
    """

  @Option(help: ArgumentHelp("Check this recipe instead.", valueName: "file"))
  var check: String?

  @Option(
    name: .customLong("set"), parsing: .singleValue,
    help: ArgumentHelp(
      "With --check: set one key of the recipe; may be repeated.", valueName: "key.path=value"))
  var settings: [String] = []

  @OptionGroup var options: RunOptions

  func validate() throws {
    try options.checkSeed()
    try OptionUse.check("--check", check != nil, ["--set": settings])
  }

  var files: [OwnFiles.Entry] { options.files + .option(check, "--check") }

  func run() throws {
    let started = Progress.now()
    var summary = Summary()
    if let check {
      let recipe = try RecipeFile.load(check, settings: settings)
      var defaults = TrainingRecipe(model: ModelConfiguration(), train: TrainingConfiguration())
      let hasMemory = recipe.model.memory != nil
      if hasMemory { defaults.model.memory = .init() }
      let (own, other) = (recipe.settings, defaults.settings)
      let changed = Set(own.keys).union(other.keys).filter { own[$0] != other[$0] }.sorted()
      for key in changed {
        func shown(_ value: String?) -> String { value.map { $0.isEmpty ? "none" : $0 } ?? "not set" }
        Terminal.print("\(key): \(shown(own[key])) (default: \(shown(other[key])))")
      }
      let model = hasMemory ? "a model with a memory" : "a dense model, no memory"
      let count = changed.count == 1 ? "1 key differs" : "\(changed.count) keys differ"
      Terminal.print("\(check) is sound: \(model); \(count) from the defaults")
      summary.add(.keysChanged, changed.count)
    } else {
      print(try RecipeTemplate.yaml(), terminator: "")
    }
    try options.report(summary, since: started, printsLine: false)
  }
}
