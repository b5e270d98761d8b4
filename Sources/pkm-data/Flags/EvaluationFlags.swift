import ArgumentParser
import Stages

/// Options of the decontamination.
struct EvaluationFlags: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Drop documents that share an n-gram with this evaluation set, a file or directory; may be repeated.",
      valueName: "file"))
  var against: [String] = []

  @Option(
    help: ArgumentHelp(
      "JSON field of evaluation sets to look for (default: every string).", valueName: "name"))
  var againstField: String?

  @Flag(
    help: "With --against: add a JSON field \"contamination\" instead of dropping the document.")
  var mark = false

  func validate() throws {
    if against.contains("-") {
      throw ValidationError("--against needs files: standard input is for the corpus")
    }
    if against.isEmpty && (mark || againstField != nil) {
      throw ValidationError("--mark and --against-field go with --against")
    }
  }

  static let recipeOptions: [RecipeOption] = [.files("against"), .text("against-field"), .flag("mark")]

  /// `ngram`: words in a shared run; nil is the default.
  func options(ngram: Int?) -> DecontaminationOptions {
    var options = DecontaminationOptions()
    options.files = against
    options.textField = againstField
    options.isMarking = mark
    if let ngram { options.ngram = ngram }
    return options
  }
}
