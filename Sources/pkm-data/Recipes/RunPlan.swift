import Foundation
import Shards
import Support

/// All commands of a recipe in order.
///
/// Making the plan validates every option; it runs nothing and writes nothing.
struct RunPlan {
  let recipe: Recipe
  /// Where the dataset goes, and the work directory beside it.
  let output: String
  let workDirectory: String
  private(set) var steps: [PlannedStep] = []
  /// Steps that run together, by their numbers: each streams into the next, and the output of the last is kept.
  ///
  /// In the order in which they run.
  private(set) var chains: [[Int]] = []
  /// The step whose output is the dataset.
  var last: PlannedStep { steps[steps.count - 1] }
  private(set) var inputs: [InputFingerprint] = []

  /// Something a step has made or the user has given.
  private struct Artifact {
    let paths: [String]
    let key: String
    /// The number of the step that makes it; nil for what was given.
    var producer: Int?
  }

  private let options: StageRunOptions
  private var texts: [(split: String, artifact: Artifact)] = []
  private var tokenizer: Artifact?
  private var datasets: [Artifact] = []

  /// What every command of a run is given.
  struct StageRunOptions {
    let threads: Int?
    let seed: UInt64
    /// What `--memory` of a stage gets that has one.
    let memory: String?
    let isQuiet: Bool
    /// Whether the output of every step is kept as a file.
    let keepsAll: Bool
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
    connect()
  }

  /// Finds the steps that stream into the next one: those of one consumer, in the next stage, where both go through the
  /// documents once.
  ///
  /// What a learner has read is kept: a changed vocabulary is to cost no more than learning and encoding. What a method of
  /// several passes has made is kept as well, for it was dear.
  private mutating func connect() {
    for (number, step) in steps.enumerated() where step.writesAStream && !options.keepsAll {
      let consumers = steps.filter { $0.producers.contains(number) }
      guard consumers.count == 1, consumers[0].readsAStream else { continue }
      steps[number].isStreamed = Int(consumers[0].stage.prefix(2)) == Int(step.stage.prefix(2))! + 1
    }
    chains = steps.indices.filter { !steps[$0].isStreamed }.map { last in
      var chain = [last]
      while let producer = steps[chain[0]].producers.first(where: { steps[$0].isStreamed }) {
        chain.insert(producer, at: 0)
      }
      return chain
    }
  }

  private mutating func add(_ stage: Recipe.Stage, _ command: StageCommand) throws {
    if command.role == .merger {
      if datasets.isEmpty {
        throw recipe.failure(
          "\(stage.name) works on datasets, and no earlier stage makes one", line: stage.line,
          remedy: "Put it after encode")
      }
    } else if !datasets.isEmpty {
      throw recipe.failure(
        "\(stage.name) works on text, but this is token ids by now", line: stage.line,
        remedy: "Put it before encode")
    }
    let number = (steps.last.map { Int($0.stage.prefix(2))! } ?? 0) + 1
    let (own, seen) = try takeSeenSplits(from: stage)
    let (arguments, files) = try command.arguments(for: own, in: recipe)
    let draft = StepDraft(
      stage: stage, command: command, directory: (number < 10 ? "0" : "") + "\(number)-\(stage.name)",
      arguments: arguments, files: try files.map { try InputFingerprint.contentHash($0) }, seen: seen)
    switch command.role {
    case .text: try addText(draft)
    case .learner: try addLearner(draft)
    case .encoder: try addEncoder(draft)
    case .merger: datasets = [try addStep(draft, of: nil, named: "dataset", taking: datasets)]
    }
  }

  private mutating func addText(_ draft: StepDraft) throws {
    let before = texts
    for (index, (split, text)) in before.enumerated() {
      // What a held-out split holds is not to stay in training; itself it is judged alone.
      let seen = draft.seen.contains(split) ? [] : before.filter { draft.seen.contains($0.split) }
      // Whatever the inputs are, stages hand each other JSON lines: a document keeps its line ends and its fields.
      texts[index].artifact = try addStep(
        draft, of: split, named: split, ".jsonl.zst", taking: [text], and: seen.map(\.artifact),
        with: (draft.command.has("output-format") ? ["--output-format=jsonl"] : [])
          + seen.flatMap { $0.artifact.paths.map { "--seen=\($0)" } },
        told: seen.map { "--seen=\($0.split)" })
    }
  }

  /// The stage without the splits among the values of `seen`, and these.
  private func takeSeenSplits(from stage: Recipe.Stage) throws -> (Recipe.Stage, splits: [String]) {
    guard stage.name == "dedup", let option = stage.options.first(where: { $0.name == "seen" }) else {
      return (stage, [])
    }
    let values =
      switch option.value {
      case .scalar(let text, _): [text]
      case .list(let values): values
      }
    let names = texts.map(\.split)
    let files = values.filter { !names.contains($0) }
    for file in files where !Path.exists(Path.join(recipe.directory, file)) {
      throw recipe.failure(
        "\"\(file)\" is neither a split of the inputs nor a file", line: option.line,
        remedy: Suggestion.remedy(for: file, among: names))
    }
    var options = stage.options.filter { $0.name != "seen" }
    if !files.isEmpty { options.append(Recipe.Option(name: "seen", value: .list(files), line: option.line)) }
    return (
      Recipe.Stage(name: stage.name, options: options, line: stage.line), values.filter(names.contains)
    )
  }

  private mutating func addLearner(_ draft: StepDraft) throws {
    guard let train = texts.first(where: { $0.split == "train" }) else {
      throw recipe.failure(
        "\(draft.stage.name) learns from the split train, and the inputs have none", line: draft.stage.line,
        remedy: "Name one of the inputs train; there are: " + texts.map(\.split).joined(separator: ", "))
    }
    tokenizer = try addStep(draft, of: nil, named: "tokenizer", ".json", taking: [train.artifact])
  }

  private mutating func addEncoder(_ draft: StepDraft) throws {
    let given = draft.stage.options.first { ["tokenizer", "codes"].contains($0.name) }
    if let given, tokenizer != nil {
      throw recipe.failure(
        "two tokenizers: this one and that of learn-bpe above", line: given.line,
        remedy: "Leave one of them out")
    }
    if given == nil && tokenizer == nil {
      throw recipe.failure(
        "encode has no tokenizer", line: draft.stage.line,
        remedy: "Put learn-bpe before it, or give it the option tokenizer")
    }
    for (split, text) in texts {
      datasets.append(
        try addStep(
          draft, of: split, named: split, taking: [text], and: tokenizer.map { [$0] } ?? [],
          with: (tokenizer.map { ["--tokenizer=\($0.paths[0])"] } ?? []) + [
            "--format=shards", "--split=\(split)",
          ]))
    }
  }

  /// A stage on its way to becoming one step or one for each split.
  private struct StepDraft {
    let stage: Recipe.Stage
    let command: StageCommand
    let directory: String
    let arguments: [String]
    /// Hashes of the files among the values of the options.
    let files: [String]
    /// Splits whose documents count as seen before in the others.
    let seen: [String]
  }

  /// Adds one command.
  ///
  /// `inputs` are its arguments, `others` inputs that `more` names; `told` is what people are told of these.
  private mutating func addStep(
    _ draft: StepDraft, of split: String?, named name: String, _ suffix: String = "",
    taking inputs: [Artifact],
    and others: [Artifact] = [], with more: [String] = [], told: [String] = []
  ) throws -> Artifact {
    let stage = draft.stage
    let inputKeys = (inputs + others).map(\.key)
    let seed = isRandom(stage, draft.command) ? ["--seed=\(options.seed)"] : []
    let identity =
      [PKMData.provenance, stage.name, split ?? ""] + draft.arguments + seed
      + draft.files + inputKeys
    let key = Hashing.hexadecimal(Hashing.xxh3(identity.joined(separator: "\n")))
    let output = Path.join(Path.join(workDirectory, draft.directory), "\(name).\(key)\(suffix)")
    var arguments = inputs.flatMap(\.paths) + draft.arguments + more + seed
    arguments += ["--output=\(output)", "--summary=\(output).summary"]
    if let threads = options.threads { arguments.append("--threads=\(threads)") }
    if options.isQuiet { arguments.append("--quiet") }
    // It bounds what a stage takes, and decides nothing of what it makes: no part of the key.
    if let memory = options.memory, draft.command.has("memory"),
      !stage.options.contains(where: { $0.name == "memory" })
    {
      arguments.append("--memory=\(memory)")
    }
    let command = try draft.command.parse(arguments, for: stage, in: recipe)
    let readsOnce = (command as? Dedup)?.readsOnce ?? true
    let role = draft.command.role
    steps.append(
      PlannedStep(
        stage: draft.directory, name: stage.name, split: split, options: draft.arguments + told,
        inputKeys: inputKeys, key: key, output: output, command: command,
        producers: (inputs + others).compactMap(\.producer),
        readsAStream: readsOnce && (role == .text || role == .encoder),
        writesAStream: readsOnce && role == .text))
    return Artifact(paths: [output], key: key, producer: steps.count - 1)
  }

  /// Whether the seed of the run decides the output.
  private func isRandom(_ stage: Recipe.Stage, _ command: StageCommand) -> Bool {
    if stage.options.contains(where: { $0.name == "seed" }) { return false }
    return command.role == .merger || stage.options.contains { $0.name == "dropout" }
  }
}
