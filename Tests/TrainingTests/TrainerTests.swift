import Foundation
import Model
import Shards
import Support
import TestSupport
import Testing
import Training

@Suite(.long, .timeLimit(.minutes(60))) struct TrainerTests {
  @Test(arguments: EngineSettings.Precision.allCases)
  func resumedRunEqualsUninterruptedRun(precision: EngineSettings.Precision) throws {
    let laboratory = try Laboratory()
    var recipe = Laboratory.recipe()
    recipe.train.precision = precision
    // The values, too: they are rounded by chance, the same way after a resumption.
    recipe.model.memory?.values = precision
    try laboratory.train(recipe, into: "whole")
    for stop in [1, 5, 7, 11] {
      recipe.train.steps = stop
      try laboratory.train(recipe, into: "stopped-\(stop)")
      recipe.train.steps = 12
      try laboratory.train(recipe, into: "stopped-\(stop)", resume: true)
      #expect(try laboratory.bytes("stopped-\(stop)") == laboratory.bytes("whole"))
    }
  }

  @Test(arguments: EngineSettings.Precision.allCases)
  func threadsDoNotChangeTheResult(precision: EngineSettings.Precision) throws {
    let laboratory = try Laboratory()
    var recipe = Laboratory.recipe()
    recipe.train.precision = precision
    for threads in 1...3 {
      try laboratory.train(recipe, into: "threads-\(threads)", threads: threads)
    }
    #expect(try laboratory.bytes("threads-2") == laboratory.bytes("threads-1"))
    #expect(try laboratory.bytes("threads-3") == laboratory.bytes("threads-1"))
  }

  @Test(arguments: [(true, ModelConfiguration.Norm.post), (true, .pre), (false, .post)])
  func overfitsOneBatch(memory: Bool, norm: ModelConfiguration.Norm) throws {
    let laboratory = try Laboratory(trainTokens: 4 * 16 + 1)
    var recipe = Laboratory.recipe(memory: memory, dropout: 0)
    recipe.model.norm = norm
    recipe.train.steps = 400
    recipe.train.schedule = .constant
    recipe.train.labelSmoothing = 0
    recipe.train.checkpointEvery = 0
    recipe.train.evalEvery = 0
    try laboratory.train(recipe, into: "run")
    let losses = try laboratory.metrics("run").filter { $0["split"] == nil }.compactMap {
      $0["nll"] as? Double
    }
    #expect(losses.count == 400)
    #expect(abs(losses[0] - log(Double(Laboratory.vocabularySize))) < 0.15)
    #expect(losses.last! < 0.02)
  }

  /// A model learns the same whatever library multiplies: losses differ by rounding only.
  @Test func precisionsAndLibrariesLearnAlike() throws {
    let laboratory = try Laboratory()
    var recipe = Laboratory.recipe()
    recipe.train.steps = 60
    recipe.train.checkpointEvery = 0
    func losses(_ name: String, library: EngineSettings.Library? = nil) throws -> [Double] {
      try laboratory.train(recipe, into: name, library: library)
      return try laboratory.metrics(name).filter { $0["split"] == nil }.compactMap { $0["nll"] as? Double }
    }
    let exact = try losses("exact")
    #expect(exact.count == 60 && exact.last! < 0.9 * exact[0])
    // Rounding of 24 bits, grown over the steps.
    for (a, b) in zip(exact, try losses("generic", library: .generic)) { #expect(abs(a - b) < 2e-3) }
    recipe.train.precision = .bf16
    // Rounding of 8 bits.
    for (a, b) in zip(exact, try losses("bf16")) { #expect(abs(a - b) < 0.05) }
  }

  @Test func learnsAndReportsItsEvaluations() throws {
    let laboratory = try Laboratory()
    var recipe = Laboratory.recipe(dropout: 0)
    recipe.train.steps = 150
    recipe.train.evalEvery = 50
    try laboratory.train(recipe, into: "run")
    let evaluations = try laboratory.metrics("run").filter { $0["split"] as? String == "valid" }
    #expect(evaluations.map { $0["step"] as? Int } == [0, 50, 100, 150])
    let perplexities = evaluations.compactMap { $0["perplexity"] as? Double }
    #expect(perplexities.last! < 0.8 * perplexities[0])
    for evaluation in evaluations {
      let nll = try #require(evaluation["nll"] as? Double)
      let usage = try #require(evaluation["memory_usage"] as? Double)
      #expect(abs(evaluation["perplexity"] as! Double - exp(nll)) < 1e-9)
      // 400 tokens of 1200 bytes and 200 words, one of them not scored.
      #expect(abs(evaluation["bits_per_byte"] as! Double - nll * 400 / (1200 * log(2))) < 1e-9)
      #expect(abs(evaluation["word_perplexity"] as! Double / exp(nll * 2) - 1) < 1e-9)
      #expect(usage > 0 && usage <= 1)
    }
  }

  /// Logged steps report how their reads are distributed over the slots.
  @Test func loggedStepsMeasureTheMemory() throws {
    let laboratory = try Laboratory()
    var recipe = Laboratory.recipe()
    recipe.train.steps = 4
    recipe.train.logEvery = 2
    try laboratory.train(recipe, into: "run")
    let logged = try laboratory.metrics("run").filter { $0["split"] == nil }
    let memory = try #require(recipe.model.memory)
    let reads = recipe.train.batch * recipe.model.context * memory.heads * memory.topk
    for step in logged {
      let usage = try #require(step["step_memory_usage"] as? Double),
        kl = try #require(step["step_memory_kl"] as? Double)
      let slots = Double(memory.subkeys * memory.subkeys)
      #expect(usage > 0 && usage <= min(1, Double(reads) / slots))
      // No weight lies outside the slots that are used.
      #expect(kl >= log(1 / usage) - 1e-9 && kl <= log(slots))
    }
    #expect(logged.count == 2)
    recipe.model.memory = nil
    try laboratory.train(recipe, into: "dense")
    #expect(try laboratory.metrics("dense").allSatisfy { $0["step_memory_usage"] == nil })
  }

  /// Documents of many lengths, some longer than the context: each epoch scores every token once and never padding.
  @Test func documentPackingDoesNotScorePadding() throws {
    let laboratory = try Laboratory(documentLengths: [40, 3, 9, 15, 16, 17, 1, 0, 5, 33])
    var recipe = Laboratory.recipe()
    recipe.train.packing = .document
    recipe.train.batch = 3
    try laboratory.train(recipe, into: "whole")
    let tokens = try laboratory.metrics("whole").filter { $0["split"] == nil }.compactMap {
      $0["tokens"] as? Int
    }
    var loader = try BatchLoader(
      dataset: Dataset(laboratory.data), split: "train", packing: .document, sequenceLength: 16, batch: 3,
      seed: 1)
    var expected = 0
    for count in tokens {
      var targets = [Int32](repeating: 0, count: 48)
      var inputs = targets
      try inputs.withUnsafeMutableBufferPointer { inputs in
        try targets.withUnsafeMutableBufferPointer { try loader.next(into: inputs, targets: $0) }
      }
      expected += targets.count { $0 >= 0 }
      #expect(count == expected)
    }
    #expect(tokens.count == 12 && expected < 12 * 48)
    recipe.train.steps = 7
    try laboratory.train(recipe, into: "stopped")
    recipe.train.steps = 12
    try laboratory.train(recipe, into: "stopped", resume: true)
    #expect(try laboratory.bytes("stopped") == laboratory.bytes("whole"))
    recipe.train.packing = .stream
    #expect(throws: Failure.self) { try laboratory.train(recipe, into: "whole", resume: true) }
  }

  /// The recipe overrules the index of the dataset.
  @Test func packingIsThatOfTheDatasetByDefault() throws {
    let lengths = [40, 3, 9, 15, 16, 17, 1, 0, 5, 33]
    let (plain, meant) = (
      try Laboratory(documentLengths: lengths), try Laboratory(documentLengths: lengths, packing: .document)
    )
    var recipe = Laboratory.recipe()
    try meant.train(recipe, into: "default")
    try plain.train(recipe, into: "default")
    recipe.train.packing = .document
    try plain.train(recipe, into: "document")
    recipe.train.packing = .stream
    try meant.train(recipe, into: "stream")
    let weights = { (laboratory: Laboratory, run: String) in
      try #require(laboratory.bytes(run)["model.safetensors"])
    }
    #expect(try weights(meant, "default") == weights(plain, "document"))
    #expect(try weights(meant, "stream") == weights(plain, "default"))
    #expect(try weights(meant, "default") != weights(plain, "default"))
  }

  @Test func theWaitForDataIsLogged() throws {
    let laboratory = try Laboratory()
    try laboratory.train(Laboratory.recipe(), into: "run")
    let waits = try laboratory.metrics("run").filter { $0["split"] == nil }.compactMap {
      $0["data_wait"] as? Double
    }
    #expect(waits.count == 12 && waits.allSatisfy { (0...1).contains($0) })
  }

  @Test func onlyTheNewestCheckpointsAreKept() throws {
    let laboratory = try Laboratory()
    try laboratory.train(Laboratory.recipe(), into: "run")
    let names = try Checkpoint.all(in: laboratory.run("run")).map { Path.name(of: $0) }
    #expect(names == ["step-00000010", "step-00000012"])
    #expect(
      try String(contentsOfFile: laboratory.run("run") + "/latest", encoding: .utf8) == "step-00000012\n")
  }

  @Test func aRunIsNotResumedWithOtherSettings() throws {
    let laboratory = try Laboratory()
    let recipe = Laboratory.recipe()
    try laboratory.train(recipe, into: "run")
    #expect(throws: Failure.self) { try laboratory.train(recipe, into: "run") }
    var other = recipe
    other.train.lr *= 2
    let refusal = #expect(throws: Failure.self) { try laboratory.train(other, into: "run", resume: true) }
    #expect(refusal?.message.hasSuffix(": train.lr was 0.003, is 0.006") == true)
    other = recipe
    other.model.memory = nil
    #expect(throws: Failure.self) { try laboratory.train(other, into: "run", resume: true) }
    // A finished run has nothing left to do.
    let before = try laboratory.bytes("run")
    try laboratory.train(recipe, into: "run", resume: true)
    #expect(try laboratory.bytes("run") == before)
  }

  /// The content of the dataset and the split decide, not the place.
  @Test func aRunIsNotResumedOnOtherData() throws {
    let bench = try Workbench(seed: 3), other = try Workbench(seed: 4), directory = bench.scratch.path("run")
    var recipe = TrainingArithmeticTests.recipe()
    let device = try CPUOperations<Float>(pool: TrainingArithmeticTests.pool)
    func train(_ data: String, split: String = "train", resume: Bool = true) throws {
      _ = try Trainer(
        recipe: recipe, dataset: data, split: split, evaluationSplit: "valid", directory: directory,
        resume: resume, on: device, isQuiet: true
      ).run()
    }
    try train(bench.data, resume: false)
    recipe.train.steps += 1
    let refusal = #expect(throws: Failure.self) { try train(other.data) }
    #expect(refusal?.kind == .usage && refusal?.message.hasPrefix("the dataset differs") == true)
    #expect(refusal?.remedy?.contains(bench.data) == true)
    let split = #expect(throws: Failure.self) { try train(bench.data, split: "valid") }
    #expect(split?.kind == .usage && split?.message == "the run was started on the split train, not valid")
    #expect(try Checkpoint(directory).state.step == 4)
    let elsewhere = bench.scratch.path("elsewhere")
    try FileManager.default.moveItem(atPath: bench.data, toPath: elsewhere)
    try train(elsewhere)
    #expect(try Checkpoint(directory).state.step == 5)
  }

  /// A run without a checkpoint begins with the parameters that the seed gives.
  @Test func aFreshRunBeginsWithTheParametersOfItsSeed() throws {
    let bench = try Workbench(), recipe = TrainingArithmeticTests.recipe(),
      directory = bench.scratch.path("run")
    let device = try CPUOperations<Float>(pool: TrainingArithmeticTests.pool)
    var model = recipe.model
    model.vocabularySize = Workbench.vocabularySize
    func start(seed: UInt64) throws -> PlainModel {
      let drawn = try Transformer(
        model, device: device, batch: (1, model.context), training: false, seed: seed)
      return PlainModel(
        configuration: model,
        tensors: Dictionary(
          uniqueKeysWithValues: (drawn.parameters + drawn.buffers).map {
            ($0.name, device.download($0.value).map(Double.init))
          }))
    }
    try bench.trainer(recipe, in: directory, resume: false, on: device)
    let found = try bench.record(of: directory)
    var right = try bench.plainRun(recipe, from: start(seed: recipe.train.seed))
    right.checkpoints.removeAll { $0 == "step-00000000" }
    #expect(found.differences(from: right, tolerance: 1e-3) == [])
    #expect(
      try found.differences(from: bench.plainRun(recipe, from: start(seed: 1)), tolerance: 1e-3).count > 9)
  }

  /// A run that was killed at its end: `latest` does not name the last checkpoint yet, an old one is still there, another is
  /// half removed, and the last evaluation is missing.
  @Test func aResumedRunFinishesWhatAKilledOneLeft() throws {
    let laboratory = try Laboratory()
    let recipe = Laboratory.recipe()
    try laboratory.train(recipe, into: "run")
    let (run, files) = (laboratory.run("run"), FileManager.default)
    let (names, metrics) = (try files.contentsOfDirectory(atPath: run), try laboratory.metrics("run"))
    func file(_ name: String) -> URL { URL(fileURLWithPath: run + "/" + name) }

    try files.copyItem(at: file("step-00000010"), to: file("step-00000005"))
    try files.copyItem(
      at: file("step-00000010"), to: file(".step-00000001.pkm-00000000-1-1-00000000.tmp-removed"))
    try files.removeItem(at: file(".step-00000001.pkm-00000000-1-1-00000000.tmp-removed/trainer.json"))
    try Data("step-00000010\n".utf8).write(to: file("latest"))
    let lines = try String(contentsOf: file("metrics.jsonl"), encoding: .utf8).split(separator: "\n")
    try Data(lines.dropLast().map { $0 + "\n" }.joined().utf8).write(to: file("metrics.jsonl"))
    let before = try laboratory.bytes("run")

    try laboratory.train(recipe, into: "run", resume: true)
    #expect(try laboratory.bytes("run") == before)
    #expect(try String(contentsOf: file("latest"), encoding: .utf8) == "step-00000012\n")
    let now = try files.contentsOfDirectory(atPath: run)
    func steady(_ names: [String]) -> [String] { names.filter { !$0.hasPrefix("events") }.sorted() }
    #expect(steady(now) == steady(names))
    #expect(try laboratory.metrics("run").count == metrics.count)
    #expect(
      try laboratory.metrics("run").last?["perplexity"] as? Double == metrics.last?["perplexity"] as? Double)
  }

  /// A directory that the user has named after a checkpoint is neither one to go on from nor one to remove.
  @Test func aNameThatLooksLikeACheckpointIsNone() throws {
    let laboratory = try Laboratory()
    let recipe = Laboratory.recipe()
    try laboratory.train(recipe, into: "run")
    let (run, files) = (laboratory.run("run"), FileManager.default)
    let others = [
      "step-00000012-best", "step-00000013.bak", "step-13", "step-000000014", "step-", "step-+0000015",
    ]
    for name in others { try files.copyItem(atPath: run + "/step-00000010", toPath: "\(run)/\(name)") }
    try files.createSymbolicLink(atPath: run + "/step-00000016", withDestinationPath: "step-00000010")
    #expect(try Checkpoint.all(in: run).map { Path.name(of: $0) } == ["step-00000010", "step-00000012"])
    #expect(try Checkpoint(run).state.step == 12)
    try Checkpoint.settle(in: run, keep: 1)
    let left = Set(try files.contentsOfDirectory(atPath: run))
    #expect(
      left.isSuperset(of: others + ["step-00000016", "step-00000012"]) && !left.contains("step-00000010"))
    // Names are sorted as numbers: this one has a digit more.
    try files.copyItem(atPath: run + "/step-00000012", toPath: run + "/step-100000000")
    #expect(try Checkpoint.all(in: run).map { Path.name(of: $0) } == ["step-00000012", "step-100000000"])
  }

  /// A run that is interrupted right after a checkpoint has that checkpoint already; to write it again would remove the only
  /// one for a while.
  @Test func aCheckpointIsNotWrittenTwice() throws {
    let laboratory = try Laboratory()
    try laboratory.train(Laboratory.recipe(), into: "run")
    let checkpoint = try Checkpoint(laboratory.run("run"))
    let model = try Transformer(
      checkpoint.recipe.model,
      device: CPUOperations<Float>(
        pool: WorkerPool(threads: 1), settings: EngineSettings(precision: .fp32, library: nil)),
      batch: (1, 16), training: true, microBatches: 1, recomputes: false, seed: 9)
    let before = try laboratory.bytes("run")
    try Checkpoint.write(
      run: laboratory.run("run"), model: model, optimizer: Optimizer(model), recipe: checkpoint.recipe,
      state: checkpoint.state, tokenizerJSON: [], keep: 2)
    #expect(try laboratory.bytes("run") == before)
  }

  @Test func aRunDirectoryWithEmptyMetricsIsUnused() throws {
    let laboratory = try Laboratory()
    try SystemCall.makeDirectories(laboratory.run("run"))
    try Data().write(to: URL(fileURLWithPath: laboratory.run("run") + "/" + MetricsLog.name))
    try laboratory.train(Laboratory.recipe(), into: "run")
  }

  @Test func microBatchesSumToTheBatch() throws {
    let laboratory = try Laboratory()
    var recipe = Laboratory.recipe(memory: false, dropout: 0)
    try laboratory.train(recipe, into: "whole")
    recipe.train.microBatch = 2
    try laboratory.train(recipe, into: "halves")
    let whole = try laboratory.metrics("whole"), halves = try laboratory.metrics("halves")
    #expect(whole.count == halves.count)
    for (a, b) in zip(whole, halves) {
      // The sums are formed in another order; nothing else differs.
      #expect(abs((a["nll"] as! Double) - (b["nll"] as! Double)) < 1e-4)
    }
  }

  @Test func damagedCheckpointIsNamed() throws {
    let laboratory = try Laboratory()
    try laboratory.train(Laboratory.recipe(), into: "run")
    let file = try Checkpoint(laboratory.run("run")).path(of: .model)
    let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: file))
    try handle.truncate(atOffset: 2000)
    try handle.close()
    #expect { try laboratory.train(Laboratory.recipe(), into: "run", resume: true) } throws: {
      ($0 as? Failure)?.file == file
    }
  }

  /// One bit of any file.
  @Test(arguments: Checkpoint.File.allCases) func aDamagedBitIsNoticed(damaged: Checkpoint.File) throws {
    let laboratory = try Laboratory()
    var recipe = Laboratory.recipe()
    recipe.train.steps = 2
    try laboratory.train(recipe, into: "run")
    let checkpoint = try Checkpoint(laboratory.run("run")), path = checkpoint.path(of: damaged)
    for file in Checkpoint.File.allCases { #expect(try checkpoint.checkedPath(of: file).isEmpty == false) }
    var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    // In the configuration a digit that becomes another one.
    bytes[damaged == .configuration ? bytes.lastIndex(of: UInt8(ascii: "1"))! : bytes.count / 2] ^= 2
    try bytes.write(to: URL(fileURLWithPath: path))
    #expect { try checkpoint.checkedPath(of: damaged) } throws: { ($0 as? Failure)?.file == path }
    // The tokenizer is that of the dataset: training does not read it.
    if damaged == .tokenizer { return }
    recipe.train.steps = 3
    #expect { try laboratory.train(recipe, into: "run", resume: true) } throws: {
      ($0 as? Failure)?.file == path && ($0 as? Failure)?.kind == .badInput
    }
  }
}
