import ArgumentParser
import Commands
import Foundation
import Model
import Support
import Training

struct Bench: DocumentedCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure where the time of a training step goes.")

  static let details = """
    Measures the peak arithmetic and memory speed of the machine, then runs
    training steps of the recipe's model on ids with the frequencies of text, then
    measures the peaks again. Percentages use the best measurement; the worst is
    printed to show noise.

    For each operation and shape, the table shows its calls and milliseconds per
    step, its share of the step, its rate in GFLOP/s or GB/s, and that rate as a
    percentage of the machine's peak. Data in the caches can exceed the peak of
    memory. Sub-key scores are estimated in 8 bits and can exceed the peak of
    matrix multiplication.

    --evaluate, --generate and --memory measure something else instead:
    evaluation (forward pass and loss) of an untrained model, generation (the
    fastest of three rounds), or a single memory layer.
    """

  static let examples = """
    pkm-train bench --config pipelines/bench-s.yaml
    pkm-train bench --config pipelines/bench-l.yaml --steps 3 \\
      --set train.precision=bf16 --blas onednn
    pkm-train bench --evaluate --config pipelines/bench-m.yaml
    pkm-train bench --generate --config pipelines/bench-m.yaml
    pkm-train bench --memory --config pipelines/bench-l.yaml --subkeys 512
    pkm-train bench --memory --config pipelines/bench-billion.yaml \\
      --subkeys 1024 --forward-only
    """

  @Option(
    help: ArgumentHelp("Recipe with sections model and train (default: all defaults).", valueName: "file")
  )
  var config: String?

  @Option(
    name: .customLong("set"), parsing: .singleValue,
    help: ArgumentHelp("Set one key of the recipe; may be repeated.", valueName: "key.path=value"))
  var settings: [String] = []

  @Option(help: ArgumentHelp("Vocabulary size (default: that of the recipe, or 16000).", valueName: "n"))
  var vocabulary: Int?

  @Option(
    help: ArgumentHelp("Number of measured steps, after two warm-up steps (default: 5).", valueName: "n"))
  var steps: Int?

  @Flag(
    help:
      "Measure a single memory layer at each size in --subkeys: tokens/s of the forward pass, and of forward pass, backward pass and update."
  )
  var memory = false

  @Option(
    help: ArgumentHelp(
      "With --memory: sub-keys per half; the number of slots is their square (default: 128,256,512,1024).",
      valueName: "n,n,..."))
  var subkeys: String?

  @Flag(help: "With --memory: skip training, which needs up to three times the RAM of the values.")
  var forwardOnly = false

  @Flag(help: "Measure evaluation.")
  var evaluate = false

  @Flag(help: "Measure generation at each size in --batches.")
  var generate = false

  @Option(
    help: ArgumentHelp("With --generate: sequences generated at once (default: 1,32).", valueName: "n,n,..."))
  var batches: String?

  @OptionGroup var engine: EngineOptions
  @OptionGroup var options: RunOptions

  func validate() throws {
    try options.checkSeed()
    if let steps, !(1...1_000_000).contains(steps) {
      throw ValidationError("--steps must be between 1 and 1000000, not \(steps)")
    }
    for (name, text, most) in [("--subkeys", subkeys, 46340), ("--batches", batches, 4096)] {
      guard let text else { continue }
      guard let numbers = Self.numbers(text), numbers.allSatisfy({ $0 <= most }) else {
        throw ValidationError("\(name) must be numbers from 1 to \(most) such as 128,256, not '\(text)'")
      }
    }
    if let vocabulary, !(1...Int(Int32.max)).contains(vocabulary) {
      throw ValidationError("--vocabulary must be between 1 and \(Int32.max), not \(vocabulary)")
    }
    if [memory, generate, evaluate].count(where: { $0 }) > 1 {
      throw ValidationError("Give at most one of --memory, --evaluate and --generate")
    }
    try OptionUse.check("--memory", memory, ["--forward-only": forwardOnly, "--subkeys": subkeys])
    try OptionUse.check("--generate", generate, ["--batches": batches])
    try OptionUse.check("training and --evaluate", !memory && !generate, ["--steps": steps])
    try OptionUse.check("whole models, which --memory does not run", !memory, ["--vocabulary": vocabulary])
  }

  private static func numbers(_ text: String) -> [Int]? {
    let numbers = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
    return numbers.allSatisfy { $0 > 0 } ? numbers : nil
  }

  var files: [OwnFiles.Entry] {
    options.files + .option(config, "--config")
  }

  func run() throws {
    if memory {
      try measureMemories()
    } else if generate {
      try measureGeneration()
    } else {
      try measureSteps()
    }
  }

  /// The recipe, with --vocabulary in place of the vocabulary size that a dataset would determine.
  private func wholeRecipe() throws -> TrainingRecipe {
    var recipe = try RecipeFile.load(config, settings: settings)
    recipe.model.vocabularySize =
      vocabulary ?? (recipe.model.vocabularySize > 0 ? recipe.model.vocabularySize : 16000)
    try recipe.validate()
    return recipe
  }

  private func measureGeneration() throws {
    let started = Progress.now()
    let recipe = try wholeRecipe()
    let engine = try Engine(
      precision: recipe.train.precision, kernels: engine.instructions, library: engine.library,
      threads: options.threadCount)
    let pool = engine.pool
    var ceilings = MachineCeilings()
    try ceilings.measure(pool)
    var results: [GenerationBenchmark] = []
    for batch in Self.numbers(batches ?? "1,32") ?? [] {
      results.append(try GenerationBenchmark.measure(recipe, on: engine.device, pool: pool, batch: batch))
      try ceilings.measure(pool)
    }
    let table = OperationTable(ceilings, precision: recipe.train.precision)
    print(OperationTable.describe(ceilings, threads: options.threadCount))
    var summary = Summary()
    for result in results {
      let batch = result.batch
      let bound = result.bound(bytesPerSecond: ceilings.stream.best, flopsPerSecond: table.peakFlops)
      print(table.text(of: result.operations, seconds: result.seconds))
      print(
        String(
          format:
            "%d sequences: %.0f tokens/s; %.2f ms per step: %.1f MB, %.2f GFLOP; roofline of the operations %.2f ms: %.0f %%",
          batch, result.tokensPerSecond, 1e3 * result.seconds, result.bytes / 1e6, result.flops / 1e9,
          1e3 * bound, 100 * bound / result.seconds))
      summary[.tokensPerSecond(sequences: batch)] = .number(result.tokensPerSecond)
      summary[.shareOfBound(sequences: batch)] = .number(bound / result.seconds)
    }
    try options.report(summary, since: started)
  }

  private func measureMemories() throws {
    let started = Progress.now()
    let recipe = try RecipeFile.load(config, settings: settings)
    let engine = try Engine(
      precision: recipe.train.precision, kernels: engine.instructions, library: engine.library,
      threads: options.threadCount)
    let pool = engine.pool
    var ceilings = MachineCeilings()
    try ceilings.measure(pool)
    var memory = recipe.model.memory ?? ModelConfiguration.Memory()
    let tokens = 2048
    print(
      String(
        format:
          "one memory layer: d = %d, %d heads, top %d, query_dim %d, values %@, %d tokens per batch",
        recipe.model.dim, memory.heads, memory.topk, memory.queryDim, memory.values.rawValue, tokens))
    var results: [(subkeys: Int, speed: MemoryBenchmark)] = []
    for size in Self.numbers(subkeys ?? "128,256,512,1024") ?? [] {
      memory.subkeys = size
      let result = try MemoryBenchmark.measure(
        memory, dim: recipe.model.dim, tokens: tokens, isTraining: !forwardOnly, on: engine.device)
      results.append((size, result))
      try ceilings.measure(pool)
    }
    let table = OperationTable(ceilings, precision: recipe.train.precision)
    print(OperationTable.describe(ceilings, threads: options.threadCount))
    var summary = Summary()
    for (size, result) in results {
      print(
        String(
          format: "%d slots: forward %.0f tokens/s, value rows %.1f GB/s", result.slots, result.forward,
          result.forward * Double(result.bytesPerToken) / 1e9)
          + (result.training.map { String(format: "; training %.0f tokens/s", $0) } ?? ""))
      print(table.text(of: result.operations, seconds: result.seconds))
      summary[.forwardTokensPerSecond(subkeys: size)] = .number(result.forward)
      if let training = result.training {
        summary[.trainingTokensPerSecond(subkeys: size)] = .number(training)
      }
    }
    print(String(format: "peak memory: %.0f MB", Double(SystemCall.peakMemory) / 1e6))
    try options.report(summary, since: started)
  }

  private func measureSteps() throws {
    let started = Progress.now()
    let recipe = try wholeRecipe()
    let engine = try Engine(
      precision: recipe.train.precision, kernels: engine.instructions, library: engine.library,
      threads: options.threadCount)
    let pool = engine.pool
    var ceilings = MachineCeilings()
    try ceilings.measure(pool)
    print("matmul: \(engine.device.description)")
    let result = try StepBenchmark.measure(recipe, on: engine.device, steps: steps ?? 5, trains: !evaluate)
    try ceilings.measure(pool)
    print(OperationTable.describe(ceilings, threads: options.threadCount))
    let table = OperationTable(ceilings, precision: recipe.train.precision)
    if let training = result.training {
      print(table.text(of: training.operations, seconds: training.mean))
      print(table.summary(of: "step", training, tokens: result.tokens))
    } else {
      print(table.text(of: result.evaluation.operations, seconds: result.evaluation.mean))
    }
    print(table.summary(of: "evaluation", result.evaluation, tokens: result.tokens))
    print(String(format: "peak memory: %.0f MB", Double(SystemCall.peakMemory) / 1e6))
    var summary = Summary()
    if let training = result.training {
      summary[.stepSeconds] = .number(training.seconds)
      summary[.tokensPerSecond] = .number(Double(result.tokens) / training.seconds)
      summary[.accounted] = .number(training.accounted)
    }
    summary[.evaluationTokensPerSecond] = .number(Double(result.tokens) / result.evaluation.seconds)
    try options.report(summary, since: started)
  }
}
