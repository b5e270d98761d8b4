import ArgumentParser
import Stages

/// Options of the decontamination.
struct EvaluationFlags: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Drop documents that share words with this evaluation set, a file or directory; may be given again.",
      valueName: "file"))
  var against: [String] = []

  @Option(
    help: ArgumentHelp(
      "The only field of JSON evaluation sets that counts (default: every string).", valueName: "name"))
  var againstField: String?

  @Flag(
    help: "Note down what --against finds as a field \"contamination\" rather than dropping the document.")
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
