import Corpus
import Shards
import Support

/// All commands of a recipe in order.
///
/// Making the plan validates every option and hashes the inputs; it runs nothing and writes nothing.
package struct RunPlan {
  let recipe: Recipe
  private let stages: [any RecipeStage.Type]
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
  /// Files that were found in the input of one split and belong to another.
  private(set) var heldOut: [InputListing.Skipped] = []

  /// Something a step has made or the user has given.
  private struct Artifact {
    let paths: [String]
    let key: String
    /// The number of the step that makes it; nil for what was given.
    var producer: Int?
  }

  private let options: RunPlanOptions
  /// Whether a stage takes its seed, or its limit of the memory, from the run.
  private var (usesSeed, usesMemory) = (false, false)
  private var texts: [(split: String, artifact: Artifact)] = []
  private var tokenizer: Artifact?
  private var datasets: [Artifact] = []

  /// `stages` are those that a recipe may name.
  ///
  /// Hashing large inputs takes its time.
  package static func make(
    _ recipe: Recipe, stages: [any RecipeStage.Type], options: RunPlanOptions
  ) throws -> RunPlan {
    var plan = RunPlan(recipe, stages: stages, options: options)
    try plan.registerFiles()
    let inputs = try SplitInputs(of: recipe)
    plan.heldOut = inputs.heldOut
    // The recipe is checked as a whole with placeholder keys, before large inputs are hashed.
    func artifacts(_ keys: [String]) -> [(split: String, artifact: Artifact)] {
      zip(inputs.splits, keys).map { ($0.name, Artifact(paths: $0.paths, key: $1)) }
    }
    try plan.addStages(to: artifacts(inputs.splits.map { _ in "" }), areDatasets: inputs.areDatasets)
    for (name, isGiven, isUsed) in [
      ("--seed", options.givenSeed != nil, plan.usesSeed),
      ("--memory", options.memory != nil, plan.usesMemory),
    ] where isGiven && !isUsed {
      throw Failure(
        .usage, "\(name) would change nothing: no stage of the recipe takes it from the run",
        file: recipe.path,
        remedy: "Leave it out")
    }
    plan.inputs = try inputs.splits.map { try InputFingerprint.take(of: $0.paths, listing: $0.listing) }
    try plan.addStages(to: artifacts(plan.inputs.map(\.key)), areDatasets: inputs.areDatasets)
    return plan
  }

  private init(_ recipe: Recipe, stages: [any RecipeStage.Type], options: RunPlanOptions) {
    (self.recipe, self.stages, self.options) = (recipe, stages, options)
    // A name that begins with a dash is a name, not an option.
    var output = recipe.output.hasPrefix("-") ? "./" + recipe.output : recipe.output
    while output.count > 1 && output.hasSuffix("/") { output.removeLast() }
    // A link stays, and leads to where the dataset goes: its work directory lies beside it, on the same disk.
    self.output = Path.resolvingLinks(output)
    output = self.output
    workDirectory = output + ".work"
  }

  /// What the run writes is none of its inputs, nor is the recipe itself: see ``OwnFiles``.
  private func registerFiles() throws {
    try OwnFiles.register(
      .directory(output, "output") + .output(workDirectory, "the work directory")
        + .option(recipe.path, "the recipe"))
    for stage in recipe.stages {
      for option in stage.options {
        guard let type = stages.named(stage.name),
          StageArguments.declaration(of: option, for: type)?.kind == .outputFile,
          case .scalar(let path, _) = option.value
        else { continue }
        let splits = recipe.inputs.map(\.split)
        for own in splits.count > 1 ? splits.map({ StageArguments.path(path, of: $0) }) : [path] {
          try OwnFiles.register(.output(own, "\(option.name) of \(stage.name)"))
        }
      }
    }
  }

  /// Datasets may be given too, to be shuffled or merged; their splits are their own.
  private mutating func addStages(to given: [(split: String, artifact: Artifact)], areDatasets: Bool) throws {
    steps = []
    tokenizer = nil
    texts = areDatasets ? [] : given
    datasets = areDatasets ? given.map(\.artifact) : []
    for stage in recipe.stages {
      guard let type = stages.named(stage.name) else {
        throw recipe.failure(
          "no stage is called \"\(stage.name)\"", line: stage.line,
          remedy: Suggestion.remedy(for: stage.name, among: stages.names))
      }
      try add(stage, type)
    }
    if datasets.isEmpty {
      throw recipe.failure(
        "the recipe makes no dataset", line: recipe.stages.last?.line,
        remedy: "Add the stage encode at the end")
    }
    if datasets.count > 1 {
      let line = recipe.stages.last?.line
      // One dataset must come out: the splits are merged in their order.
      let merger = stages.first { $0.role == .merger }!
      let merge = Recipe.Stage(
        name: merger.stageName,
        options: [Recipe.Option(name: "no-shuffle", value: .scalar("true", flag: true), line: line)],
        line: line)
      try add(merge, merger)
    }
    connect()
  }

  /// Finds the steps that stream into the next one: those of one consumer, in the next stage, where both go through the
  /// documents once.
  ///
  /// The input of a learner is kept, so that a changed vocabulary costs no more than learning and encoding. The output of a
  /// method of several passes is kept as well, because it is expensive.
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

  private mutating func add(_ stage: Recipe.Stage, _ type: any RecipeStage.Type) throws {
    if type.role == .merger {
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
    let (own, seen) = try separateSplits(in: stage, type)
    let given = try StageArguments(of: own, for: type, in: recipe)
    let draft = StepDraft(
      stage: stage, type: type, directory: (number < 10 ? "0" : "") + "\(number)-\(stage.name)",
      given: given, files: try given.files.map { try InputFingerprint.contentHash(ofDocuments: $0) },
      seen: seen)
    switch type.role {
    case .text: try addText(draft)
    case .learner: try addLearner(draft)
    case .encoder: try addEncoder(draft)
    case .merger: datasets = [try addStep(draft, of: nil, named: "dataset", taking: datasets)]
    }
  }

  private mutating func addText(_ draft: StepDraft) throws {
    let before = texts
    for (index, (split, text)) in before.enumerated() {
      // The documents of a held-out split are removed from the others; the split itself is compared with none.
      let seen = draft.seen.isSplit(split) ? [] : before.filter { draft.seen.isSplit($0.split) }
      // Whatever the inputs are, stages pass on JSON lines: a document keeps its line ends and its fields.
      texts[index].artifact = try addStep(
        draft, of: split, named: split, ".jsonl.zst", taking: [text], and: seen.map(\.artifact),
        with: ["--output-format=jsonl"]
          + seen.flatMap { $0.artifact.paths.map { "--\(draft.seen.option)=\($0)" } },
        shown: seen.map { "--\(draft.seen.option)=\($0.split)" })
    }
  }

  /// Splits whose documents count as read before, and the option that names them.
  private struct SeenSplits {
    var option = ""
    var splits: [String] = []

    func isSplit(_ name: String) -> Bool { splits.contains(name) }
  }

  /// Separates the splits among the values of an option that takes files or splits.
  private func separateSplits(in stage: Recipe.Stage, _ type: any RecipeStage.Type) throws
    -> (Recipe.Stage, SeenSplits)
  {
    guard
      let option = stage.options.first(where: {
        StageArguments.declaration(of: $0, for: type)?.kind == .documents
      })
    else { return (stage, SeenSplits()) }
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
    var options = stage.options.filter { $0.name != option.name }
    if !files.isEmpty {
      options.append(Recipe.Option(name: option.name, value: .list(files), line: option.line))
    }
    return (
      Recipe.Stage(name: stage.name, options: options, line: stage.line),
      SeenSplits(option: option.name, splits: values.filter(names.contains))
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
    let given = draft.stage.options.first {
      StageArguments.declaration(of: $0, for: draft.type)?.kind == .tokenizer
    }
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

  /// A stage that is about to become one step, or one for each split.
  private struct StepDraft {
    let stage: Recipe.Stage
    let type: any RecipeStage.Type
    let directory: String
    let given: StageArguments
    /// Hashes of the files among the values of the options.
    let files: [String]
    let seen: SeenSplits
  }

  /// Adds one command.
  ///
  /// `inputs` are its arguments, `others` inputs that the arguments `more` name; `shown` is what people see of these.
  private mutating func addStep(
    _ draft: StepDraft, of split: String?, named name: String, _ suffix: String = "",
    taking inputs: [Artifact],
    and others: [Artifact] = [], with more: [String] = [], shown: [String] = []
  ) throws -> Artifact {
    let stage = draft.stage
    let inputKeys = (inputs + others).map(\.key)
    // The command decides whether a seed or a limit of the memory means anything to it; no other is given them.
    let given = draft.given.arguments(of: texts.count > 1 ? split : nil) + more
    let names = ["--"] + inputs.flatMap(\.paths)
    let bare = try parse(
      given + ["--output=\(Path.join(workDirectory, name + suffix))"] + names, for: stage, draft.type)
    func isOpen(_ option: String) -> Bool { !stage.options.contains { $0.name == option } }
    let takesSeed = bare.usesSeed && isOpen("seed")
    let takesMemory =
      draft.type.recipeOptions.contains { $0.names == ["memory"] } && bare.usesMemory && isOpen("memory")
    usesSeed = usesSeed || takesSeed
    usesMemory = usesMemory || takesMemory
    let seed = takesSeed ? ["--seed=\(options.givenSeed ?? 1)"] : []
    let identity =
      [Provenance.text, stage.name, split ?? ""] + draft.given.arguments + seed + draft.files + inputKeys
    // Quoted, so that no value can look like several.
    let key = Hashing.hexadecimal(Hashing.xxh3(identity.map { JSONText.quote($0) }.joined(separator: "\n")))
    let output = Path.join(Path.join(workDirectory, draft.directory), "\(name).\(key)\(suffix)")
    var arguments = given + seed
    arguments.append("--output=\(output)")
    if let threads = options.threads { arguments.append("--threads=\(threads)") }
    if options.isQuiet { arguments.append("--quiet") }
    // Memory does not change what a stage makes, so it is no part of the key.
    if let memory = options.memory, takesMemory { arguments.append("--memory=\(memory)") }
    // Names come behind a double dash: none of them is an option, whatever it begins with.
    let command = try parse(arguments + names, for: stage, draft.type)
    let role = draft.type.role
    steps.append(
      PlannedStep(
        stage: draft.directory, name: stage.name, split: split, options: draft.given.arguments + shown,
        inputKeys: inputKeys, key: key, output: output, command: command,
        producers: (inputs + others).compactMap(\.producer),
        readsAStream: command.readsOnce && (role == .text || role == .encoder),
        writesAStream: command.readsOnce && role == .text))
    return Artifact(paths: [output], key: key, producer: steps.count - 1)
  }

  private func parse(_ arguments: [String], for stage: Recipe.Stage, _ type: any RecipeStage.Type) throws
    -> any RecipeStage
  {
    do { return try type.parsed(arguments) } catch let refusal as StageRefusal {
      let option = stage.options.first { refusal.message.contains("--" + $0.name) }
      throw recipe.failure("\(stage.name): \(refusal.message)", line: option?.line ?? stage.line)
    }
  }
}
