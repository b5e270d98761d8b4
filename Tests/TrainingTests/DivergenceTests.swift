import Foundation
import Model
import Support
import Testing
import Training

/// A run that diverges says so, and leaves the last good checkpoint.
@Suite(.timeLimit(.minutes(60))) struct DivergenceTests {
  private let laboratory: Laboratory

  init() throws { laboratory = try Laboratory() }

  @Test func noCheckpointHasANumberThatIsNotFinite() throws {
    var recipe = Laboratory.recipe()
    recipe.train.lr = 1e30
    recipe.train.warmup = 0
    recipe.train.clip = 0
    recipe.train.evalEvery = 0
    recipe.train.checkpointEvery = 1
    recipe.train.keepCheckpoints = 100
    let failure = #expect(throws: Failure.self) { try laboratory.train(recipe, into: "run") }
    #expect(failure?.kind == .failed && failure?.remedy?.contains("train.lr") == true)
    for directory in try Checkpoint.all(in: laboratory.run("run")) {
      let checkpoint = try Checkpoint(directory)
      for file in [Checkpoint.File.model, .optimizer] {
        let contents = try SafeTensors.Contents(checkpoint.path(of: file))
        for name in contents.names {
          let shape = try #require(contents.shape(of: name))
          let bytes = try contents.bytes(of: name, shape: shape)
          let isFinite = bytes.bindMemory(to: Float.self).allSatisfy(\.isFinite)
          #expect(isFinite, "\(name) of \(directory)")
        }
      }
    }
  }

  @Test(arguments: [Float.infinity, -.infinity, .nan]) func theTensorIsNamedAndTheLastGoodCheckpointStays(
    _ number: Float
  ) throws {
    let device = try CPUOperations<Float>(pool: WorkerPool(threads: 2))
    var recipe = Laboratory.recipe()
    recipe.model.vocabularySize = Laboratory.vocabularySize
    let model = try Transformer(recipe.model, device: device, batch: (1, 16), training: true, seed: 1)
    let optimizer = try Optimizer(model)
    let run = laboratory.run("poisoned")
    try FileManager.default.createDirectory(atPath: run, withIntermediateDirectories: true)
    func write(_ step: Int) throws {
      let state = try JSONDecoder().decode(
        Checkpoint.State.self,
        from: Data(
          """
          {"step": \(step), "tokens": 0, "seed": 1, "cursor": {"epoch": 0, "window": 0}, "split": "train",
           "dataset": "", "dataset_path": "", "code_version": ""}
          """.utf8))
      try Checkpoint.write(
        run: run, model: model, optimizer: optimizer, recipe: recipe, state: state, tokenizerJSON: [], keep: 1
      )
    }
    try write(1)
    for parameter in model.parameters where parameter.role == .dense {
      let good = device.download(DeviceArray<Float>(parameter.value.address, count: parameter.count))
      var bad = good
      bad[bad.count - 1] = number
      bad.withUnsafeBytes { device.upload($0, to: parameter.value.address) }
      let failure = #expect(throws: Failure.self) { try write(2) }
      #expect(failure?.kind == .failed)
      #expect(failure?.message.contains("\(parameter.name) ") == true)
      #expect(failure?.message.contains("element \(bad.count - 1)") == true)
      #expect(failure?.message.contains("step-00000001") == true)
      good.withUnsafeBytes { device.upload($0, to: parameter.value.address) }
    }
    #expect(try Checkpoint.all(in: run).map { Path.name(of: $0) } == ["step-00000001"])
    #expect(try SystemCall.names(in: run).sorted() == ["latest", "step-00000001"])
    try write(2)
    #expect(try Checkpoint.all(in: run).map { Path.name(of: $0) } == ["step-00000002"])
  }

  @Test func aLossFarAboveThatOfGuessingIsCalledDivergence() throws {
    let device = try CPUOperations<Float>(pool: WorkerPool(threads: 2))
    var configuration = Laboratory.recipe().model
    configuration.vocabularySize = Laboratory.vocabularySize
    let model = try Transformer(configuration, device: device, batch: (4, 16), training: false, seed: 1)
    func evaluate() throws -> Evaluation {
      try Evaluation.run(model, dataset: .init(laboratory.data), split: "valid", sequences: 4)
    }
    #expect(try evaluate().divergence == nil)
    let bias = try #require(model.parameters.first { $0.name == "output.bias" })
    // One token has a logit of 50 and nearly never follows.
    var biases = [Float](repeating: 0, count: bias.count)
    biases[59] = 50
    biases.withUnsafeBytes { device.upload($0, to: bias.value.address) }
    let evaluation = try evaluate()
    #expect(evaluation.nll > 20)
    #expect(evaluation.divergence?.contains("the training has diverged") == true)
  }
}
