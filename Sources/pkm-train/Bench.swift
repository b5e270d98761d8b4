import ArgumentParser
import Commands
import Foundation
import Model
import Support
import Training

struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show where the time of a training step goes, against what the machine can do.",
    discussion: """
      Measures what the processor and the memory can do at best, runs training steps of the recipe's model on ids with the \
      frequencies of text, and measures the ceilings again: the best counts, and beside it stands the poorest, which shows \
      how far other work disturbed the machine. For each operation and shape: calls and milliseconds a step, its share of the step, \
      floating-point operations of products or bytes moved a second, and the share of the machine's ceiling that this is. \
      Bytes that the caches hold can pass the ceiling of memory, and scores of sub-keys, estimated in 8 bits, that of products.

      EXAMPLES
        pkm-train bench --config pipelines/bench-s.yaml
        pkm-train bench --config pipelines/bench-l.yaml --set train.precision=bf16 --blas onednn --steps 3
        pkm-train bench --evaluate --config pipelines/bench-m.yaml --set train.precision=bf16
        pkm-train bench --generate --config pipelines/bench-m.yaml
        pkm-train bench --memory --set model.dim=1024 --set model.memory.query_dim=512
        pkm-train bench --memory --subkeys 1024 --forward-only --set model.dim=1024 --set model.memory.values=bf16
      """)

  @Option(
    help: ArgumentHelp("Recipe with `model` and `train` sections (default: all defaults).", valueName: "file")
  )
  var config: String?

  @Option(
    name: .customLong("set"), parsing: .singleValue,
    help: ArgumentHelp("Override one key of the recipe; may be repeated.", valueName: "key.path=value"))
  var settings: [String] = []

  @Option(help: ArgumentHelp("Size of the vocabulary.", valueName: "n"))
  var vocabulary = 16000

  @Option(help: ArgumentHelp("Steps measured, after two that are not.", valueName: "n"))
  var steps = 5

  @Flag(
    help:
      "One memory of the recipe alone instead, of each size in --subkeys: tokens a second forward, and forward, backward and update."
  )
  var memory = false

  @Option(
    help: ArgumentHelp(
      "With --memory: sub-keys a half, whose square is the number of slots.", valueName: "n,n,...",
      visibility: .default))
  var subkeys = "128,256,512,1024"

  @Flag(help: "With --memory: no training, which takes up to three times the memory of the values.")
  var forwardOnly = false

  @Flag(
    help: "Evaluation (forward and loss) instead, operation by operation, of a model made without training.")
  var evaluate = false

  @Flag(
    help:
      "Generation instead, the fastest of three rounds, with as many sequences side by side as --batches says."
  )
  var generate = false

  @Option(help: ArgumentHelp("With --generate: sequences side by side.", valueName: "n,n,..."))
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
