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

  @Option(help: ArgumentHelp("Vocabulary size.", valueName: "n"))
  var vocabulary = 16000

  @Option(help: ArgumentHelp("Number of measured steps, after two warm-up steps.", valueName: "n"))
  var steps = 5

  @Flag(
    help:
      "Measure a single memory layer at each size in --subkeys: tokens/s of the forward pass, and of forward pass, backward pass and update."
  )
  var memory = false

  @Option(
    help: ArgumentHelp(
      "With --memory: sub-keys per half; the number of slots is their square.", valueName: "n,n,...",
      visibility: .default))
  var subkeys = "128,256,512,1024"

  @Flag(help: "With --memory: skip training, which needs up to three times the RAM of the values.")
  var forwardOnly = false

  @Flag(help: "Measure evaluation.")
  var evaluate = false

  @Flag(help: "Measure generation at each size in --batches.")
  var generate = false

  @Option(help: ArgumentHelp("With --generate: sequences generated at once.", valueName: "n,n,..."))
  var batches = "1,32"

  @OptionGroup var engine: EngineOptions
  @OptionGroup var options: RunOptions

  func validate() throws {
    if steps < 1 { throw ValidationError("--steps must be at least 1") }
    for (name, text) in [("--subkeys", subkeys), ("--batches", batches)] where Self.numbers(text) == nil {
      throw ValidationError("\(name) wants positive numbers such as 128,256, not '\(text)'")
    }
    if [memory, generate, evaluate].count(where: { $0 }) > 1 {
      throw ValidationError("--memory, --evaluate and --generate exclude each other")
    }
    if forwardOnly && !memory { throw ValidationError("--forward-only needs --memory") }
  }

  private static func numbers(_ text: String) -> [Int]? {
    let numbers = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
    return numbers.allSatisfy { $0 > 0 } ? numbers : nil
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

  /// The recipe with the vocabulary that a dataset would give it.
  private func wholeRecipe() throws -> TrainingRecipe {
    var recipe = try RecipeFile.load(config, settings: settings)
    recipe.model.vocabularySize = vocabulary
    try recipe.model.validate()
    return recipe
  }

  private func measureGeneration() throws {
    let started = Progress.now()
    let recipe = try wholeRecipe()
    let engine = try Engine(
      precision: recipe.train.precision, library: engine.library, threads: options.threadCount)
    let pool = engine.pool
    var ceilings = MachineCeilings()
    try ceilings.measure(pool)
    var results: [GenerationBenchmark] = []
    for batch in Self.numbers(batches) ?? [] {
      results.append(try GenerationBenchmark.measure(recipe, on: engine.device, pool: pool, batch: batch))
      try ceilings.measure(pool)
    }
    let isBF16 = recipe.train.precision == .bf16 && ceilings.bfloat16.best > 0
    let arithmetic = isBF16 ? ceilings.bfloat16.best : ceilings.float32.best
    print(Self.describe(ceilings, threads: options.threadCount))
    var summary = Summary()
    for result in results {
      let batch = result.batch
      let bound = result.bound(bytesPerSecond: ceilings.stream.best, flopsPerSecond: arithmetic)
      print(Self.table(result.operations, of: result.seconds, ceilings, isBF16: isBF16))
      print(
        String(
          format:
            "%d sequences: %.0f tokens/s; %.2f ms a step: %.1f MB, %.2f GFLOP; %.2f ms at best, the longer of bytes and arithmetic of each operation: %.0f %%",
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
      precision: recipe.train.precision, library: engine.library, threads: options.threadCount)
    let pool = engine.pool
    var ceilings = MachineCeilings()
    try ceilings.measure(pool)
    var memory = recipe.model.memory ?? ModelConfiguration.Memory()
    let tokens = 2048
    print(
      String(
        format:
          "one memory, d = %d, %d heads, top %d, query_dim %d, values %@, %d tokens at once",
        recipe.model.dim, memory.heads, memory.topk, memory.queryDim, memory.values.rawValue, tokens))
    var results: [(subkeys: Int, speed: MemoryBenchmark)] = []
    for size in Self.numbers(subkeys) ?? [] {
      memory.subkeys = size
      let result = try MemoryBenchmark.measure(
        memory, dim: recipe.model.dim, tokens: tokens, isTraining: !forwardOnly, on: engine.device)
      results.append((size, result))
      try ceilings.measure(pool)
    }
    let isBF16 = recipe.train.precision == .bf16 && ceilings.bfloat16.best > 0
    print(Self.describe(ceilings, threads: options.threadCount))
    var summary = Summary()
    for (size, result) in results {
      print(
        String(
          format: "%d slots: forward %.0f tokens/s, value rows %.1f GB/s", result.slots, result.forward,
          result.forward * Double(result.bytesPerToken) / 1e9)
          + (result.training.map { String(format: "; training %.0f tokens/s", $0) } ?? ""))
      print(Self.table(result.operations, of: result.seconds, ceilings, isBF16: isBF16))
      summary[.forwardTokensPerSecond(subkeys: size)] = .number(result.forward)
      if let training = result.training {
        summary[.trainingTokensPerSecond(subkeys: size)] = .number(training)
      }
    }
    print(String(format: "memory at most: %.0f MB", Double(SystemCall.peakMemory) / 1e6))
    try options.report(summary, since: started)
  }

  private func measureSteps() throws {
    let started = Progress.now()
    let recipe = try wholeRecipe()
    let engine = try Engine(
      precision: recipe.train.precision, library: engine.library, threads: options.threadCount)
    let pool = engine.pool
    var ceilings = MachineCeilings()
    try ceilings.measure(pool)
    print("products: \(engine.device.description)")
    let result = try StepBenchmark.measure(recipe, on: engine.device, steps: steps, trains: !evaluate)
    try ceilings.measure(pool)
    print(Self.describe(ceilings, threads: options.threadCount))
    let isBF16 = recipe.train.precision == .bf16 && ceilings.bfloat16.best > 0
    if let training = result.training {
      print(Self.table(training.operations, of: training.mean, ceilings, isBF16: isBF16))
      print(Self.line("step", training, tokens: result.tokens, ceilings, isBF16: isBF16))
    } else {
      print(Self.table(result.evaluation.operations, of: result.evaluation.mean, ceilings, isBF16: isBF16))
    }
    print(Self.line("evaluation", result.evaluation, tokens: result.tokens, ceilings, isBF16: isBF16))
    print(String(format: "memory at most: %.0f MB", Double(SystemCall.peakMemory) / 1e6))
    var summary = Summary()
    if let training = result.training {
      summary[.stepSeconds] = .number(training.seconds)
      summary[.tokensPerSecond] = .number(Double(result.tokens) / training.seconds)
      summary[.accounted] = .number(training.accounted)
    }
    summary[.evaluationTokensPerSecond] = .number(Double(result.tokens) / result.evaluation.seconds)
    try options.report(summary, since: started)
  }

  private static func describe(_ ceilings: MachineCeilings, threads: Int) -> String {
    func text(_ what: String, _ ceiling: MachineCeilings.Ceiling, _ format: String, _ unit: String) -> String
    {
      String(format: "%@ \(format) (\(format)) %@", what, ceiling.best / 1e9, ceiling.poorest / 1e9, unit)
    }
    let kinds = [
      text("float32", ceilings.float32, "%.0f", "GFLOP/s"),
      text("bfloat16", ceilings.bfloat16, "%.0f", "GFLOP/s"),
      text("memory in order", ceilings.stream, "%.1f", "GB/s"),
      text("random rows of 4 KiB", ceilings.randomRows, "%.1f", "GB/s"),
    ]
    return
      "ceilings of \(threads) threads, the best of \(ceilings.measurements) measurements (and the poorest): "
      + kinds.joined(separator: ", ")
  }

  private static func table(
    _ operations: [OperationLog.Entry], of seconds: Double, _ ceilings: MachineCeilings, isBF16: Bool
  ) -> String {
    let head =
      "\n" + pad("operation", 30) + pad("shape", 36)
      + "calls        ms      %    GFLOP/s   GB/s  of ceiling"
    return ([head] + operations.map { line($0, of: seconds, ceilings, isBF16: isBF16) })
      .joined(separator: "\n") + "\n"
  }

  private static func line(
    _ what: String, _ timing: StepBenchmark.Timing, tokens: Int, _ ceilings: MachineCeilings, isBF16: Bool
  ) -> String {
    let rate = timing.operations.reduce(0) { $0 + $1.flops } / timing.mean
    let ceiling = isBF16 ? ceilings.bfloat16.best : ceilings.float32.best
    return String(
      format:
        "%@: %.1f ms (%.1f to %.1f, %d times), %.0f tokens/s; %.1f %% of it in its operations; products %.0f GFLOP/s over all of it",
      what, 1e3 * timing.seconds, 1e3 * timing.fastest, 1e3 * timing.slowest, timing.repetitions,
      Double(tokens) / timing.seconds, 100 * timing.accounted, rate / 1e9)
      + (ceiling > 0 ? String(format: ", %.0f %% of the ceiling", 100 * rate / ceiling) : "")
  }

  private static func line(
    _ entry: OperationLog.Entry, of step: Double, _ ceilings: MachineCeilings, isBF16: Bool
  ) -> String {
    var line = pad(entry.name, 30) + pad(entry.detail, 36)
    line += String(format: "%5d %9.2f %6.1f", entry.calls, 1e3 * entry.seconds, 100 * entry.seconds / step)
    // What bounds an operation: the scores of the memory count as float32 whatever they are found with.
    let isBF16 = isBF16 && !entry.name.hasPrefix("memory: lookup")
    let flopCeiling = isBF16 ? ceilings.bfloat16.best : ceilings.float32.best
    let flopRate = entry.flops / entry.seconds, byteRate = entry.bytes / entry.seconds
    line += entry.flops > 0 ? String(format: "  %9.1f", flopRate / 1e9) : String(repeating: " ", count: 11)
    line += entry.bytes > 0 ? String(format: " %6.1f", byteRate / 1e9) : String(repeating: " ", count: 7)
    if entry.flops > 0, flopCeiling > 0 {
      line += String(format: "  %3.0f %% of products", 100 * flopRate / flopCeiling)
    } else if entry.bytes > 0 {
      line += String(format: "  %3.0f %% of memory", 100 * byteRate / ceilings.stream.best)
    }
    return line
  }

  private static func pad(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(1, width - text.count))
  }
}
