import ArgumentParser

/// One command of a run: what it needs, what it makes, and the key that says whether it has to run at all.
struct PlannedStep {
  /// `01-normalize`: the directory of the stage's outputs in the work directory.
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
  let command: any ParsableCommand
  /// Steps, by their numbers, whose outputs it takes.
  let producers: [Int]
  /// Whether it reads its documents once, from the first to the last, and so can take them as they are made.
  let readsAStream: Bool
  /// Whether it gives documents as it reads them.
  let writesAStream: Bool
  /// Whether the next step takes its output as it is made; then no file of it is kept.
  var isStreamed = false

  var label: String { split.map { "\(name) \($0)" } ?? name }
}
