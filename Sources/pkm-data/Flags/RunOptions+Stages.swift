import Commands
import Stages

extension RunOptions {
  static let recipeOptions: [RecipeOption] = [.text("seed")]
  /// `help` and `version` are flags of every command.
  static let optionsSetByRun: [String] = ["threads", "quiet", "summary", "help", "version"]

  var settings: StageSettings {
    StageSettings(threads: threadCount, givenSeed: givenSeed, isQuiet: quiet)
  }
}
