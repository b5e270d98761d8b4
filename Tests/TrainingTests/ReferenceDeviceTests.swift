import Foundation
import Model
import Shards
import Support
import TestSupport
import Testing
import Training

/// Whole runs on the reference device, whose memory is closed between operations: training, evaluation, checkpoints,
/// resumption and generation reach it through operations alone.
@Suite(.timeLimit(.minutes(60))) struct ReferenceDeviceTests {
  let directory = NSTemporaryDirectory() + "reference-\(UUID().uuidString)"

  private func writeDataset() throws {
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    var random = RandomGenerator(seed: 5)
    let documents = [600, 60].map { count in
      TestDocument(
        tokens: (0..<count).map { _ in UInt32(random.below(30)) }, textBytes: 3 * count, words: count / 2)
    }
    try TestSupport.writeDataset(
      directory + "/data", train: [documents[0]], valid: [documents[1]], vocabulary: 31)
  }

  private func recipe(_ precision: EngineSettings.Precision, steps: Int) -> TrainingRecipe {
    var model = ModelConfiguration(), memory = ModelConfiguration.Memory(), train = TrainingConfiguration()
    (model.layers, model.dim, model.heads, model.context, model.dropout) = (3, 16, 2, 8, 0.1)
    // Two memories, each with reads, moments and statistics of its own, around a block without one.
    (memory.layers, memory.subkeys, memory.heads, memory.topk, memory.queryDim) = ([1, 3], 6, 2, 4, 8)
    model.memory = memory
    (train.microBatch, train.recompute) = (2, precision == .bf16)
    (train.batch, train.steps, train.lr, train.warmup, train.precision) = (4, steps, 3e-3, 2, precision)
    (train.evalEvery, train.evalTokens, train.checkpointEvery, train.logEvery) = (2, 0, 3, 1)
    return TrainingRecipe(model: model, train: train)
  }

  /// The losses and norms of a run that is stopped after three steps and resumed, and what its model then writes.
  private func run(
    _ name: String, _ precision: EngineSettings.Precision, on device: some Operations<Float>
  ) throws -> (numbers: [Double], tokens: [Int32]) {
    for steps in [3, 6] {
      _ = try Trainer(
        recipe: recipe(precision, steps: steps), dataset: directory + "/data", split: "train",
        evaluationSplit: nil,
        directory: directory + "/" + name, resume: steps > 3, on: device, isQuiet: true
      ).run()
    }
    let metrics = try String(contentsOfFile: directory + "/\(name)/metrics.jsonl", encoding: .utf8)
    let numbers = try metrics.split(separator: "\n").flatMap { line in
      let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      return ["loss", "nll", "gradient_norm", "step_memory_usage", "memory_usage", "perplexity"].compactMap {
        object[$0] as? Double
      }
    }
    let checkpoint = try Checkpoint(directory + "/" + name)
    let model = try checkpoint.makeModel(on: device, maximumSequences: 1)
    try checkpoint.restore(model)
    let generator = try Generator(
      model, pool: WorkerPool(threads: 1), endOfDocument: 30, sampling: Sampling(temperature: 0), seed: 1)
    var tokens: [Int32] = []
    try generator.generate(prompts: [[1, 2, 3]], count: 12) { tokens.append($1) }
    return (numbers, tokens)
  }

  @Test(arguments: EngineSettings.Precision.allCases)
  func aRunOnTheReferenceDeviceIsThatOfTheCPU(precision: EngineSettings.Precision) throws {
    try writeDataset()
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let cpu = try CPUOperations<Float>(
      pool: WorkerPool(threads: 2), settings: EngineSettings(precision: precision, library: .generic))
    let reference = ReferenceOperations<Float>(operandsAreBF16: precision == .bf16)
    let (found, right) = (try run("cpu", precision, on: cpu), try run("reference", precision, on: reference))
    #expect(found.numbers.count == right.numbers.count && found.numbers.count > 20)
    for (a, b) in zip(found.numbers, right.numbers) {
      #expect(abs(a - b) <= (precision == .bf16 ? 0.05 : 1e-3) * abs(b), "\(a) instead of \(b)")
    }
    // In bf16 two tokens may be as good as each other.
    if precision == .fp32 { #expect(found.tokens == right.tokens && found.tokens.count > 0) }
  }
}
