/// One command of a run: what it needs, what it makes, and the key that says whether it has to run at all.
struct PlannedStep {
  /// The directory of the stage's outputs in the work directory, such as `01-normalize`.
  let stage: String
  let name: String
  /// nil where the step is not of one split.
  let split: String?
  /// Options as the recipe gives them, for people.
  let options: [String]
  /// Names of the outputs it takes.
  let inputKeys: [String]
  /// Hash of the versions of the program and of Unicode, the command, its options and the keys of its inputs.
  let key: String
  /// Path of the output: a file or a dataset directory.
  let output: String
  let command: any RecipeStage
  /// The numbers of the steps whose outputs it takes.
  let producers: [Int]
  /// Whether it reads its documents once, from the first to the last, and so can take them from a pipe.
  let readsAStream: Bool
  /// Whether it writes documents while it reads.
  let writesAStream: Bool
  /// Whether a pipe connects it with the next step; then its output is no file.
  var isStreamed = false

  var label: String { split.map { "\(name) \($0)" } ?? name }
}
