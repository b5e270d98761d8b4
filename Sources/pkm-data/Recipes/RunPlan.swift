import ArgumentParser
import Foundation
import Shards
import Support

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
  /// Hash of the program's version, the command, its options and the keys of its inputs.
  let key: String
  /// Path of the output: a file or a dataset directory.
  let output: String
  let command: any ParsableCommand

  var label: String { split.map { "\(name) \($0)" } ?? name }
}

/// All commands of a recipe in order.
///
/// Making the plan validates every option; it runs nothing and writes nothing.
struct RunPlan {
  let recipe: Recipe
  /// Where the dataset goes, and the work directory beside it.
  let output: String
  let workDirectory: String
  private(set) var steps: [PlannedStep] = []
  /// The step whose output is the dataset.
  var last: PlannedStep { steps[steps.count - 1] }
  private(set) var inputs: [InputFingerprint] = []

  /// Something a step has made or the user has given.
  private struct Artifact {
    let paths: [String]
    let key: String
  }

  private let options: StageRunOptions
  private var texts: [(split: String, artifact: Artifact)] = []
  private var tokenizer: Artifact?
  private var datasets: [Artifact] = []

  /// What every command of a run is given.
  struct StageRunOptions {
    let threads: Int?
    let seed: UInt64
    let isQuiet: Bool
  }

  init(_ recipe: Recipe, options: StageRunOptions) throws {
    self.recipe = recipe
    self.options = options
    var output = recipe.output
    while output.count > 1 && output.hasSuffix("/") { output.removeLast() }
    self.output = output
    workDirectory = output + ".work"
    let paths = try recipe.inputs.map { ($0.split, try InputFingerprint.resolve($0.paths, in: recipe)) }
    // The recipe is checked as a whole with stand-ins for the keys, before large inputs are hashed.
    try addStages(to: paths.map { ($0.0, Artifact(paths: $0.1, key: "")) })
    let fingerprints = try paths.map { try InputFingerprint(of: $0.1) }
    inputs = fingerprints
    try addStages(to: zip(paths, fingerprints).map { ($0.0, Artifact(paths: $0.1, key: $1.key)) })
  }

  private mutating func addStages(to given: [(split: String, artifact: Artifact)]) throws {
    // Datasets may be given too, to be shuffled or merged; their splits are their own.
    let areDatasets = given.allSatisfy {
      $0.artifact.paths.allSatisfy { Path.exists(Path.join($0, DatasetIndex.fileName)) }
    }
    steps = []
    tokenizer = nil
    texts = areDatasets ? [] : given
    datasets = areDatasets ? given.map(\.artifact) : []
    for stage in recipe.stages {
      guard let command = StageCommand(stage.name) else {
        throw recipe.failure(
          "no stage is called \"\(stage.name)\"", line: stage.line,
          remedy: Suggestion.remedy(for: stage.name, among: StageCommand.names))
      }
      try add(stage, command)
    }
    if datasets.isEmpty {
      throw recipe.failure(
        "the recipe makes no dataset", line: recipe.stages.last?.line,
        remedy: "Add the stage encode at the end")
    }
    if datasets.count > 1 {
      let line = recipe.stages.last?.line
      let merge = Recipe.Stage(
        name: "shard",
        options: [Recipe.Option(name: "no-shuffle", value: .scalar("true", flag: true), line: line)],
        line: line)
      try add(merge, StageCommand("shard")!)
    }
  }

  private mutating func add(_ stage: Recipe.Stage, _ command: StageCommand) throws {
    let number = (steps.last.map { Int($0.stage.prefix(2))! } ?? 0) + 1
    let directory = (number < 10 ? "0" : "") + "\(number)-\(stage.name)"
    switch command.role {
    case .text, .learner, .encoder:
      if !datasets.isEmpty {
        throw recipe.failure(
          "\(stage.name) works on text, but this is token ids by now", line: stage.line,
          remedy: "Put it before encode")
      }
    case .merger:
      if datasets.isEmpty {
        throw recipe.failure(
          "\(stage.name) works on datasets, and no earlier stage makes one", line: stage.line,
          remedy: "Put it after encode")
      }
    }
    let resolved = try command.arguments(for: stage, in: recipe)
    func step(split: String?, inputs: [Artifact], suffix: String, more: [String]) throws -> PlannedStep {
      let files = try resolved.files.map { try InputFingerprint.contentHash($0) }
      var identity =
        ["pkm-data \(PKMData.configuration.version)", stage.name, split ?? ""] + resolved.arguments
      if isRandom(stage, command) { identity.append("seed \(options.seed)") }
      identity += files + inputs.map(\.key)
      let key = Hashing.hexadecimal(Hashing.xxh3(identity.joined(separator: "\n")))
      let base = split ?? (command.role == .learner ? "tokenizer" : "dataset")
      let output = Path.join(Path.join(workDirectory, directory), "\(base).\(key)\(suffix)")
      var arguments = (command.role == .encoder ? Array(inputs.dropLast()) : inputs).flatMap(\.paths)
      arguments += resolved.arguments + more + ["--output=\(output)", "--summary=\(output).summary"]
      if isRandom(stage, command) { arguments.append("--seed=\(options.seed)") }
      if let threads = options.threads { arguments.append("--threads=\(threads)") }
      if options.isQuiet { arguments.append("--quiet") }
      return PlannedStep(
        stage: directory, name: stage.name, split: split, options: resolved.arguments,
        inputKeys: inputs.map(\.key), key: key, output: output,
        command: try command.parse(arguments, for: stage, in: recipe))
    }
    switch command.role {
    case .text:
      texts = try texts.map { split, text in
        let made = try step(
          split: split, inputs: [text], suffix: ".jsonl.zst",
          more: command.has("output-format") ? ["--output-format=jsonl"] : [])
        steps.append(made)
        return (split, Artifact(paths: [made.output], key: made.key))
      }
    case .learner:
      guard let train = texts.first(where: { $0.split == "train" }) else {
        throw recipe.failure(
          "\(stage.name) learns from the split train, and the inputs have none", line: stage.line,
          remedy: "Name one of the inputs train; there are: " + texts.map(\.split).joined(separator: ", "))
      }
      let made = try step(split: nil, inputs: [train.artifact], suffix: ".json", more: [])
      steps.append(made)
      tokenizer = Artifact(paths: [made.output], key: made.key)
    case .encoder:
      let given = stage.options.first { ["tokenizer", "codes"].contains($0.name) }
      if let given, tokenizer != nil {
        throw recipe.failure(
          "two tokenizers: this one and that of learn-bpe above", line: given.line,
          remedy: "Leave one of them out")
      }
      if given == nil && tokenizer == nil {
        throw recipe.failure(
          "encode has no tokenizer", line: stage.line,
          remedy: "Put learn-bpe before it, or give it the option tokenizer")
      }
      datasets = try texts.map { split, text in
        let made = try step(
          split: split, inputs: [text, tokenizer ?? Artifact(paths: [], key: "given")], suffix: "",
          more: (tokenizer.map { ["--tokenizer=\($0.paths[0])"] } ?? []) + [
            "--format=shards", "--split=\(split)",
          ])
        steps.append(made)
        return Artifact(paths: [made.output], key: made.key)
      }
    case .merger:
      let made = try step(split: nil, inputs: datasets, suffix: "", more: [])
      steps.append(made)
      datasets = [Artifact(paths: [made.output], key: made.key)]
    }
  }

  /// Whether the seed of the run decides the output.
  private func isRandom(_ stage: Recipe.Stage, _ command: StageCommand) -> Bool {
    if stage.options.contains(where: { $0.name == "seed" }) { return false }
    return command.role == .merger || stage.options.contains { $0.name == "dropout" }
  }
}
