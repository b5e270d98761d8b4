import ArgumentParser
import Commands
import Foundation
import Model
import Support
import Training

struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure the speed of the operations on this machine.",
    discussion: """
      Prints which BLAS kernel is in use, then for each operation at the shapes of the recipe's model the median time of one \
      call, floating-point operations or bytes a second where they say something, and at last a whole training step.

      EXAMPLES
        pkm-train bench --config pipelines/novels.yaml
        pkm-train bench --config pipelines/novels.yaml --set model.memory.subkeys=512 --threads 1
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
  var vocabulary = 8257

  @Option(help: ArgumentHelp("Calls measured of each operation, after one that is not.", valueName: "n"))
  var repetitions = 7

  @OptionGroup var options: RunOptions

  func run() throws {
    let started = Progress.now()
    var recipe = try RecipeFile.load(config, settings: settings)
    recipe.model.vocabularySize = vocabulary
    try recipe.model.validate()
    let device = try CPUOperations<Float>(pool: WorkerPool(threads: options.threadCount))
    print("BLAS: \(CPUOperations<Float>.blas), kernel \(CPUOperations<Float>.blasKernel)")
    print(
      "threads: \(options.threadCount); tokens a micro-batch: "
        + "\(recipe.train.sequencesAtOnce * recipe.model.context); float32\n")
    let results = try OperationBenchmark(
      recipe.model, sequences: recipe.train.sequencesAtOnce, device: device, repetitions: repetitions
    ).run()
    var summary = Summary()
    for result in results {
      var line = Self.pad(result.name, 40) + Self.pad(result.detail, 34)
      line += String(format: "%9.3f ms", 1e3 * result.median)
      if result.flops > 0 { line += String(format: "  %7.1f GFLOP/s", result.gigaflopsPerSecond) }
      if result.bytes > 0 { line += String(format: "  %6.1f GB/s", result.gigabytesPerSecond) }
      print(line)
      summary[result.name] = .number(result.median)
    }
    try options.report(summary, since: started)
  }

  private static func pad(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(1, width - text.count))
  }
}
