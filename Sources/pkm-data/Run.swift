import ArgumentParser
import Commands
import Foundation
import Shards
import Support

struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run a whole recipe, from text to a dataset.",
    discussion: """
      A recipe is a YAML file with inputs, output and stages; the options of a stage are the long flags of the \
      subcommand of its name. Stages that go through the documents once stream into the next one. What the others make \
      is kept in OUTPUT.work beside the dataset: run again, finished stages are skipped, an interrupted run goes on, \
      changed options redo what depends on them, from the last file that was kept. There is also \
      report.html, a page for people: what went through each stage, what was removed by which rule with samples, lengths, \
      duplicates, the vocabulary, shards and times.

      EXAMPLE: pkm-data run pipelines/quickstart.yaml

        inputs: {train: texts/*.txt}
        output: runs/data
        stages:
          - normalize: {form: nfkc}
          - dedup: {method: exact}
          - learn-bpe: {merges: 8000}
          - encode
          - shard: {split: {valid: 0.01, test: 0.01}}

      EXAMPLE: held-out texts that are inputs of their own, and are not to be in training

        inputs: {train: texts, valid: held-out.jsonl}
        output: runs/data
        stages:
          - dedup: {method: minhash, seen: valid}
          - learn-bpe
          - encode
      """)

  @Argument(help: ArgumentHelp("The recipe; - reads it from standard input.", valueName: "recipe.yaml"))
  var recipe: String

  @Flag(help: "Show what would run and why, and do nothing.") var dryRun = false

  @Flag(help: "Keep what every stage makes as a file, to look at it, instead of streaming.") var keepAll =
    false

  @Flag(help: "Run nothing: write the report of what earlier runs have done.") var report = false

  @Option(
    help: ArgumentHelp(
      "Memory of each stage for what grows with the corpus (default: the stage's).", valueName: "size"))
  var memory: ByteSize?

  @OptionGroup var options: RunOptions

  func run() throws {
    let started = Progress.now()
    let recipe = try Recipe(reading: recipe)
    let plan = try RunPlan(
      recipe,
      options: .init(
        threads: options.threads, seed: options.seed, memory: memory.map { "\($0)" }, isQuiet: options.quiet,
        keepsAll: keepAll))
    let work = WorkDirectory(plan.workDirectory)
    let publication = Publication(
      output: plan.output, work: work, recipe: "# \(PKMData.provenance)\n" + recipe.text)
    try publication.checkOutput()
    if dryRun { return describe(plan, work) }
    try work.acquire()
    defer { withExtendedLifetime(work) {} }
    if report { return try writeReport(of: plan, work) }

    let records = try runSteps(of: plan, work)
    let dataset = try Dataset(plan.last.output)
    let isCurrent = try publication.isCurrent(dataset)
    if !isCurrent {
      try check(dataset, work, plan.last)
      try publication.publish(dataset)
    }
    work.removeAllBut(plan.steps)
    let skipped = records.count { $0.isSkipped }
    if skipped == records.count && isCurrent && !options.quiet {
      Log.line("\(plan.output) is up to date: nothing in the recipe or its inputs has changed")
    }
    try write(records, plan)
    if skipped < records.count || !isCurrent || !Path.exists(RunReport.path(of: plan)) {
      try RunReport(plan, records: records.map { ($0.step, $0.record) }).write(to: RunReport.path(of: plan))
    }
    var summary = Summary()
    summary.add("steps_run", records.count - skipped)
    summary.add("steps_skipped", skipped)
    summary.add("documents_out", dataset.index.splits.values.reduce(0) { $0 + $1.documents })
    summary.add("tokens", dataset.index.splits.values.reduce(0) { $0 + $1.tokens })
    summary["output"] = .text(plan.output)
    summary["report"] = .text(RunReport.path(of: plan))
    try options.report(summary, since: started)
  }

  private typealias StepRecord = (step: PlannedStep, record: WorkDirectory.Record, isSkipped: Bool)

  /// Runs what is not done yet, and returns the records of all steps, in their order.
  private func runSteps(of plan: RunPlan, _ work: WorkDirectory) throws -> [StepRecord] {
    let view = options.quiet ? nil : RunView(chains: plan.chains.count)
    var records: [Int: (record: WorkDirectory.Record, isSkipped: Bool)] = [:]
    for (number, chain) in plan.chains.enumerated() {
      let steps = chain.map { plan.steps[$0] }
      var found = work.records(of: steps)
      let isSkipped = found != nil
      if !isSkipped {
        try Interruption.check()
        view?.begin(steps.map(\.label), number: number + 1)
        defer { view?.end() }
        found = try run(steps, work, view)
        for input in plan.inputs { try input.checkUnchanged() }
      }
      for (step, record) in zip(chain, found!) { records[step] = (record, isSkipped) }
    }
    return plan.steps.indices.map { (plan.steps[$0], records[$0]!.record, records[$0]!.isSkipped) }
  }

  private func run(_ steps: [PlannedStep], _ work: WorkDirectory, _ view: RunView?) throws
    -> [WorkDirectory.Record]
  {
    for step in steps {
      try SystemCall.makeDirectories(Path.directory(of: step.output))
      // An output without its record: the run was killed between the two. Its counts are lost with it, so make it anew.
      if Path.exists(step.output) { try FileManager.default.removeItem(atPath: step.output) }
    }
    try StepChain(steps: steps).run { row in view?.display(row: row) }
    // The last one's record comes last: it says that all is done.
    return try steps.map { try work.finish($0) }
  }

  /// Reads the whole dataset once more before it goes out: files of the work directory may have been touched since.
  private func check(_ dataset: Dataset, _ work: WorkDirectory, _ step: PlannedStep) throws {
    let verifier = try DatasetVerifier(verifying: dataset.path, threads: options.threadCount)
    guard let problem = verifier.problems.first else { return }
    work.forget(step)
    throw Failure(
      .badInput, problem.message, file: problem.file, offset: problem.offset,
      remedy: "Run the recipe again: the damaged dataset has been set aside and is made anew")
  }

  /// The report of the steps that are done; the others are missing from it.
  private func writeReport(of plan: RunPlan, _ work: WorkDirectory) throws {
    let records = plan.steps.compactMap { step in work.record(of: step).map { (step: step, record: $0) } }
    guard !records.isEmpty else {
      throw Failure(
        .usage, "nothing has been done yet", file: plan.workDirectory,
        remedy: "Run the recipe without --report")
    }
    try RunReport(plan, records: records).write(to: RunReport.path(of: plan))
    if !options.quiet { Log.line(RunReport.path(of: plan)) }
  }

  private func describe(_ plan: RunPlan, _ work: WorkDirectory) {
    var remade: Set<String> = []
    for chain in plan.chains {
      let steps = chain.map { plan.steps[$0] }
      let isDone = work.records(of: steps) != nil
      for step in steps {
        if isDone {
          print("\(step.label): done")
        } else if work.record(of: step) != nil {
          print("\(step.label): would run, for the next stage: its output is not kept")
        } else {
          print("\(step.label): would run, \(work.reason(for: step, remade: remade))")
          remade.insert(step.key)
        }
      }
    }
  }

  /// `summary.json` of the work directory: the counts of every step, those of earlier runs included.
  private func write(
    _ records: [StepRecord], _ plan: RunPlan
  ) throws {
    let steps = records.map { step, record, isSkipped in
      let counts = record.summary.trimmingCharacters(in: .whitespacesAndNewlines)
        .replacingOccurrences(of: "\n", with: "\n    ")
      let split = step.split.map { " \"split\": \(JSONText.quote($0))," } ?? ""
      return """
          {"stage": \(JSONText.quote(step.stage)),\(split) "skipped": \(isSkipped), "output": \
        \(JSONText.quote(step.output)), "summary": \(counts)}
        """
    }
    let file = try OutputFile(Path.join(plan.workDirectory, "summary.json"))
    try file.write(
      """
      {
        "recipe": \(JSONText.quote(plan.recipe.path)),
        "output": \(JSONText.quote(plan.output)),
        "steps": [
      \(steps.joined(separator: ",\n"))
        ]
      }

      """)
    try file.finish()
  }
}
