import Foundation
import Shards
import Support

/// One run of a recipe: the steps that are not done yet, then the publication of the dataset and the report.
package struct RecipeRun {
  private let plan: RunPlan
  private let work: WorkDirectory
  private let publication: Publication
  private let settings: StageSettings

  private typealias StepRecord = (step: PlannedStep, record: WorkDirectory.Record, isSkipped: Bool)

  /// Throws where the output cannot be replaced.
  package init(_ plan: RunPlan, settings: StageSettings) throws {
    (self.plan, self.settings) = (plan, settings)
    work = WorkDirectory(plan.workDirectory)
    publication = Publication(
      output: plan.output, work: work, recipe: "# \(Provenance.text)\n" + plan.recipe.text)
    try publication.checkOutput()
  }

  /// What would run and why, a line for each step.
  package var description: [String] {
    var lines: [String] = []
    var remade: Set<String> = []
    for chain in plan.chains {
      let steps = chain.map { plan.steps[$0] }
      let isDone = work.records(of: steps) != nil
      for step in steps {
        if isDone {
          lines.append("\(step.label): done")
        } else if work.record(of: step) != nil {
          lines.append("\(step.label): would run, for the next stage: its output is not kept")
        } else {
          lines.append("\(step.label): would run, \(work.reason(for: step, remade: remade))")
          remade.insert(step.key)
        }
      }
    }
    return lines
  }

  /// Writes the report of the steps that are done, without those that are not, and returns its path.
  package func writeReport() throws -> String {
    try work.acquire()
    defer { withExtendedLifetime(work) {} }
    let records = plan.steps.compactMap { step in work.record(of: step).map { (step: step, record: $0) } }
    guard !records.isEmpty else {
      throw Failure(
        .usage, "nothing has been done yet", file: plan.workDirectory,
        remedy: "Run the recipe without --report")
    }
    let path = RunReport.path(of: plan)
    try RunReport.measure(plan, records: records).write(to: path)
    return path
  }

  /// Runs the recipe.
  package func run() throws -> Summary {
    try work.acquire()
    defer { withExtendedLifetime(work) {} }
    try work.note(plan.steps)
    for skipped in plan.heldOut.prefix(20) { Log.warn(skipped.description) }
    try checkHandovers()
    let records = try runSteps()
    let dataset = try Dataset(plan.last.output)
    let isCurrent = try publication.isCurrent(dataset)
    if !isCurrent {
      try check(dataset)
      try publication.publish(dataset)
    }
    try work.removeAllBut(plan.steps)
    let skipped = records.count { $0.isSkipped }
    if skipped == records.count && isCurrent && !settings.isQuiet {
      Log.line("\(plan.output) is up to date: nothing in the recipe or its inputs has changed")
    }
    try writeSummary(of: records)
    let report = RunReport.path(of: plan)
    if skipped < records.count || !isCurrent || !Path.exists(report) {
      try RunReport.measure(plan, records: records.map { ($0.step, $0.record) }).write(to: report)
    }
    var summary = Summary()
    summary.add(.stepsRun, records.count - skipped)
    summary.add(.stepsSkipped, skipped)
    summary.add(.documentsOut, dataset.index.splits.values.reduce(0) { $0 + $1.documents })
    summary.add(.tokens, dataset.index.splits.values.reduce(0) { $0 + $1.tokens })
    for skipped in plan.heldOut { summary.add(skipped.count) }
    summary[.output] = .text(plan.output)
    summary[.report] = .text(report)
    return summary
  }

  /// Looks at every output that a step is about to read: what is not what its record says is made again.
  ///
  /// From the last chain to the first, because making one again means that it reads its own inputs. Where nothing has to
  /// run nothing is read, and only the sizes are compared.
  private func checkHandovers() throws {
    for step in plan.steps where work.hasAnotherSize(step) { setAside(step, "size") }
    // The dataset is handed over to its publication.
    if work.record(of: plan.last) != nil,
      (try? publication.isCurrent(Dataset(plan.last.output))) != true, try !work.isIntact(plan.last)
    {
      setAside(plan.last, "checksum")
    }
    for chain in plan.chains.reversed() where work.records(of: chain.map { plan.steps[$0] }) == nil {
      let producers = Set(chain.flatMap { plan.steps[$0].producers }).subtracting(chain)
      for step in producers.sorted().map({ plan.steps[$0] }) where work.record(of: step) != nil {
        try Interruption.check()
        if try !step.isStreamed && !work.isIntact(step) { setAside(step, "checksum") }
      }
    }
  }

  private func setAside(_ step: PlannedStep, _ what: String) {
    Log.warn("\(step.output): is not what \(step.label) has made (another \(what)), and is made again")
    work.forget(step)
  }

  /// Runs what is not done yet, and returns the records of all steps in their order.
  private func runSteps() throws -> [StepRecord] {
    let view = settings.isQuiet ? nil : RunView(chains: plan.chains.count)
    var records: [Int: (record: WorkDirectory.Record, isSkipped: Bool)] = [:]
    for (number, chain) in plan.chains.enumerated() {
      let steps = chain.map { plan.steps[$0] }
      var found = work.records(of: steps)
      let isSkipped = found != nil
      if !isSkipped {
        try Interruption.check()
        view?.begin(steps.map(\.label), number: number + 1)
        defer { view?.end() }
        found = try run(steps, view)
        for input in plan.inputs { try input.checkUnchanged() }
      }
      for (step, record) in zip(chain, found!) { records[step] = (record, isSkipped) }
    }
    return plan.steps.indices.map { (plan.steps[$0], records[$0]!.record, records[$0]!.isSkipped) }
  }

  private func run(_ steps: [PlannedStep], _ view: RunView?) throws -> [WorkDirectory.Record] {
    for step in steps {
      try SystemCall.makeDirectories(Path.directory(of: step.output))
      // An output without a record: the run was killed between the two. Its counts are lost, so make it again.
      work.forget(step)
      if Path.exists(step.output) { try FileManager.default.removeItem(atPath: step.output) }
    }
    let summaries = try StepChain(steps: steps).run { row in view?.display(row: row) }
    // The record of the last step comes last: it says that the chain is done.
    return try zip(steps, summaries).map { try work.finish($0, $1) }
  }

  /// Reads the whole dataset once more before it is published: files of the work directory may have changed since.
  private func check(_ dataset: Dataset) throws {
    let verifier = try DatasetVerifier.verify(dataset.path, threads: settings.threads)
    guard let problem = verifier.problems.first else { return }
    work.forget(plan.last)
    throw Failure(
      .badInput, problem.message, file: problem.file, offset: problem.offset,
      remedy: "Run the recipe again: the damaged dataset has been set aside and is made anew")
  }

  /// Writes `summary.json` into the work directory: the counts of every step, including those of earlier runs.
  private func writeSummary(of records: [StepRecord]) throws {
    var json = JSONWriter()
    json.object(.lines) { json in
      json.member("recipe", plan.recipe.path)
      json.member("output", plan.output)
      json.key("steps")
      json.array(.lines) { json in
        for (step, record, isSkipped) in records {
          json.object(.spaced) { json in
            json.member("stage", step.stage)
            if let split = step.split { json.member("split", split) }
            json.member("skipped", isSkipped)
            json.member("output", step.output)
            json.member("summary", json: record.summary.trimmingCharacters(in: .whitespacesAndNewlines))
          }
        }
      }
    }
    let file = try OutputFile(Path.join(plan.workDirectory, "summary.json"))
    try file.write(json.bytes + [0x0a])
    try file.finish()
  }
}
