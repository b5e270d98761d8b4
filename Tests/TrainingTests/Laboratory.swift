import Foundation
import Model
import Shards
import Support
import TestSupport
import Testing
import Training

/// A directory with a small dataset, for runs; it is removed with the value that owns it.
final class Laboratory {
  let directory = NSTemporaryDirectory() + "trainer-\(UUID().uuidString)"
  static let vocabularySize = 61

  /// A structure that a model can learn: each token follows from the one before it, most of the time.
  init(trainTokens: Int = 3000, validTokens: Int = 400, documentLengths: [Int] = [], packing: Packing? = nil)
    throws
  {
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    var random = RandomGenerator(seed: 5)
    let lengths = documentLengths.isEmpty ? [trainTokens - 1] : documentLengths
    var documents = (lengths.map { $0 + 1 } + [validTokens]).map { count in
      var tokens: [UInt32] = count > 1 ? [1] : []
      while tokens.count < count - 1 {
        let next = (tokens[tokens.count - 1] * 7 + 1) % 60
        tokens.append(random.uniform() < 0.9 ? next : UInt32(random.below(60)))
      }
      return TestDocument(tokens: tokens, textBytes: 3 * count, words: count / 2)
    }
    let valid = documents.removeLast()
    try writeDataset(
      data, train: documents, valid: [valid], vocabulary: Self.vocabularySize, packing: packing)
  }

  deinit { try? FileManager.default.removeItem(atPath: directory) }

  var data: String { directory + "/data" }
  func run(_ name: String) -> String { directory + "/" + name }

  static func recipe(memory: Bool = true, dropout: Double = 0.1) -> TrainingRecipe {
    var model = ModelConfiguration()
    model.layers = 2
    model.dim = 32
    model.heads = 2
    model.context = 16
    model.dropout = dropout
    if memory {
      var layer = ModelConfiguration.Memory()
      layer.layers = [2]
      layer.subkeys = 8
      layer.heads = 2
      layer.topk = 4
      layer.queryDim = 16
      model.memory = layer
    } else {
      model.memory = nil
    }
    var train = TrainingConfiguration()
    train.batch = 4
    train.steps = 12
    train.lr = 3e-3
    train.warmup = 4
    train.evalEvery = 5
    train.evalTokens = 0
    train.checkpointEvery = 5
    train.logEvery = 1
    return TrainingRecipe(model: model, train: train)
  }

  func train(
    _ recipe: TrainingRecipe, into name: String, resume: Bool = false, threads: Int = 2,
    library: EngineSettings.Library? = nil, evaluating split: String? = nil
  ) throws {
    let engine = try Engine(precision: recipe.train.precision, library: library, threads: threads)
    func train(on device: some Operations<Float>) throws {
      _ = try Trainer(
        recipe: recipe, dataset: data, split: "train", evaluationSplit: split, directory: run(name),
        resume: resume, on: device, isQuiet: true
      ).run()
    }
    try train(on: engine.device)
  }

  /// The files of the newest checkpoint of a run.
  func bytes(_ name: String) throws -> [String: Data] {
    let checkpoint = try Checkpoint(run(name)).directory
    return try Dictionary(
      uniqueKeysWithValues: ["model.safetensors", "optimizer.safetensors", "trainer.json"].map {
        ($0, try Data(contentsOf: URL(fileURLWithPath: checkpoint + "/" + $0)))
      })
  }

  func metrics(_ name: String) throws -> [[String: Any]] {
    try String(contentsOfFile: run(name) + "/metrics.jsonl", encoding: .utf8).split(separator: "\n").map {
      try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
    }
  }
}
