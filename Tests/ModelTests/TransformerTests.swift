import Foundation
import Support
import TestSupport
import Testing

@testable import Model

@Suite(.timeLimit(.minutes(60))) struct TransformerTests {
  /// Every parameter of the whole model against central differences, in Double.
  @Test(
    .long,
    arguments: [
      (ModelConfiguration.Norm.post, 0.0, true), (.pre, 0.0, true), (.post, 0.3, true), (.pre, 0.3, false),
    ])
  func everyGradientMatchesFiniteDifferences(norm: ModelConfiguration.Norm, dropout: Double, batchNorm: Bool)
    throws
  {
    func check(_ device: some Operations<Double>) throws {
      let sample = try Sample(smallConfiguration(norm, dropout: dropout, batchNorm: batchNorm), on: device)
      let model = sample.model
      // Larger weights than at the start, so that no gradient is drowned by rounding.
      for parameter in model.parameters where parameter.distributionIsNormal {
        model.device.scale(parameter.value, by: 8)
      }
      let scale = 1 / Double(sample.loss().count)
      model.zeroGradients()
      _ = sample.loss()
      model.backward(scale: scale)
      for parameter in model.parameters {
        let gradient =
          parameter.gradient.map { device.download($0) } ?? model.valueGradient(ofMemory: 0).dense(on: device)
        let error = gradientError(
          of: parameter.value, gradient, every: max(1, parameter.value.count / 60), on: device
        ) { sample.loss().smoothed * scale }
        #expect(error < 1e-5, "\(parameter.name): \(error)")
      }
    }
    for device in try Devices.all(Double.self) { try check(device) }
  }

  @Test(arguments: [ModelConfiguration.Norm.post, .pre])
  func lossAtTheStartIsThatOfGuessing(norm: ModelConfiguration.Norm) throws {
    func check(_ device: some Operations<Float>) throws {
      var configuration = smallConfiguration(norm)
      configuration.dim = 48
      configuration.vocabularySize = 1000
      let sample = try Sample(configuration, on: device)
      let loss = sample.loss(smoothing: 0)
      #expect(abs(loss.nll / Double(loss.count) - log(1000)) < 0.1)
      #expect(loss.nll == loss.smoothed)
    }
    for device in try Devices.all(Float.self) { try check(device) }
  }

  /// Everything a step leaves behind, for comparisons bit for bit.
  func step<Device: Operations>(_ sample: Sample<Device>, microBatches: Int = 1) -> [Device.Scalar] {
    sample.model.zeroGradients()
    for microBatch in 0..<microBatches {
      _ = sample.loss(.training(step: 3, microBatch: microBatch))
      sample.model.backward(scale: 0.01)
    }
    return sample.model.allGradients
      + sample.model.buffers.flatMap { sample.model.device.download($0.value) }
  }

  func wideConfiguration(dropout: Double = 0.1) -> ModelConfiguration {
    var configuration = smallConfiguration(dropout: dropout)
    configuration.dim = 96
    configuration.context = 160
    configuration.vocabularySize = 777
    configuration.memory?.subkeys = 40
    configuration.memory?.queryDim = 64
    return configuration
  }

  @Test func threadsDoNotChangeABit() throws {
    let results = try [Pools.one, Pools.two, Pools.three].map {
      step(try Sample(wideConfiguration(), on: CPUOperations<Float>(pool: $0), sequences: 3, length: 150))
    }
    #expect(results[0] == results[1])
    #expect(results[0] == results[2])
    #expect(results[0].contains { $0 != 0 } && results[0].allSatisfy { $0.isFinite })
  }

  /// Activations made again are the same, whatever was dropped, and over several micro-batches.
  @Test(arguments: [ModelConfiguration.Norm.pre, .post], EngineSettings.Precision.allCases)
  func recomputingDoesNotChangeABit(norm: ModelConfiguration.Norm, precision: EngineSettings.Precision) throws
  {
    var configuration = wideConfiguration()
    configuration.layers = 4
    configuration.norm = norm
    configuration.memory?.layers = [3]
    func result(_ recomputes: Bool) throws -> [Float] {
      step(
        try Sample(
          configuration,
          on: CPUOperations<Float>(pool: Pools.two, settings: EngineSettings(precision: precision)),
          sequences: 2,
          length: 150, microBatches: 2, recomputes: recomputes), microBatches: 2)
    }
    #expect(try result(true) == result(false))
    func bytes(_ recomputes: Bool) throws -> Int {
      try Transformer<CPUOperations<Float>>.activationBytes(
        configuration, batch: (8, 150), microBatches: 1, recomputes: recomputes, isBF16: precision == .bf16)
    }
    #expect(try bytes(true) < bytes(false) * 5 / 6)
  }

  @Test func seedDecidesEveryWeight() throws {
    func model(_ device: some Operations<Float>, seed: UInt64) throws -> [(name: String, numbers: [Float])] {
      let model = try Sample(wideConfiguration(), on: device, seed: seed).model
      return withExtendedLifetime(model) { model.parameters.map { ($0.name, device.download($0.value)) } }
    }
    let a = try model(CPUOperations<Float>(pool: Pools.one), seed: 5)
    let same = try [
      model(CPUOperations<Float>(pool: Pools.three), seed: 5), model(ReferenceOperations<Float>(), seed: 5),
    ]
    let other = try model(CPUOperations<Float>(pool: Pools.one), seed: 6)
    for (index, parameter) in a.enumerated() {
      for model in same { #expect(model[index].numbers == parameter.numbers) }
      if Parameter<Float>.isNormal(parameter.name) { #expect(other[index].numbers != parameter.numbers) }
    }
    // No two tensors of one shape are alike.
    let inputs = a.filter { $0.name.hasSuffix("attention.input.weight") }.map(\.numbers)
    #expect(inputs.count == 2 && inputs[0] != inputs[1])
  }

  /// Two micro-batches add up to twice one when nothing random differs between them.
  @Test func gradientsAccumulate() throws {
    func check(_ device: some Operations<Double>) throws {
      let sample = try Sample(smallConfiguration(), on: device, microBatches: 2)
      let once = step(sample), twice = step(sample, microBatches: 2)
      let buffers = sample.model.buffers.reduce(0) { $0 + $1.value.count }
      #expect(zip(once, twice).dropLast(buffers).allSatisfy { abs(2 * $0 - $1) < 1e-12 })
      // Dropout differs between micro-batches and steps, and repeats for the same ones.
      let dropping = try Sample(smallConfiguration(dropout: 0.5), on: device)
      let first = dropping.loss(.training(step: 1, microBatch: 0))
      #expect(first == dropping.loss(.training(step: 1, microBatch: 0)))
      #expect(first != dropping.loss(.training(step: 1, microBatch: 1)))
      #expect(first != dropping.loss(.training(step: 2, microBatch: 0)))
    }
    for device in try Devices.all(Double.self) { try check(device) }
  }

  /// In evaluation a later token changes nothing before it, and sequences do not see each other.
  @Test(arguments: [ModelConfiguration.Norm.post, .pre])
  func evaluationIsCausal(norm: ModelConfiguration.Norm) throws {
    func check(_ device: some Operations<Float>) throws {
      let model = try Transformer(
        smallConfiguration(norm, dropout: 0.5), device: device, batch: (2, 9),
        training: false, seed: 3)
      func logits(_ tokens: [Int32]) -> [[Float]] {
        tokens.withUnsafeBufferPointer {
          model.forward(tokens: $0, sequences: 2, length: 9, mode: .evaluation)
        }
        return (0..<18).map { model.logits(row: $0) }
      }
      let tokens = (0..<18).map { Int32($0 * 7 % 29) }
      let before = logits(tokens)
      var changed = tokens
      changed[5] = 28
      let after = logits(changed)
      for row in 0..<18 { #expect((before[row] == after[row]) == !(5..<9).contains(row), "row \(row)") }
    }
    for device in try Devices.all(Float.self) { try check(device) }
  }

  /// The unsmoothed loss; more tokens than are taken at a time count as they do in two calls.
  @Test func anEvaluationIsTheSumOfItsParts() throws {
    // 2048 tokens at a time are 227 sequences.
    let sample = try Sample(
      smallConfiguration(), on: CPUOperations<Float>(pool: Pools.two), sequences: 240, length: 9,
      training: false)
    func loss(_ sequences: Range<Int>) -> Loss {
      let rows = 9 * sequences.lowerBound..<9 * sequences.upperBound
      return sample.tokens[rows].withUnsafeBufferPointer { tokens in
        sample.targets[rows].withUnsafeBufferPointer {
          sample.model.evaluate(tokens: tokens, targets: $0, sequences: sequences.count, length: 9)
        }
      }
    }
    let whole = loss(0..<240), parts = [loss(0..<100), loss(100..<240)]
    #expect(whole.smoothed == whole.nll && whole.count == 1728)
    #expect(whole.count == parts[0].count + parts[1].count)
    #expect(abs(whole.nll - parts[0].nll - parts[1].nll) < 1e-6 * whole.nll)
  }

  @Test func onlyEvaluationsCountReads() throws {
    func check(_ device: some Operations<Float>) throws {
      let sample = try Sample(smallConfiguration(), on: device, training: false)
      try sample.model.collectStatistics(true)
      sample.forward(.training(step: 1, microBatch: 0))
      #expect(try #require(sample.model.statistics)[0].use.usage == 0)
      sample.forward(.evaluation)
      #expect(try #require(sample.model.statistics)[0].use.usage > 0)
    }
    for device in try Devices.all(Float.self) { try check(device) }
  }

  /// A model made without training shares activations among its blocks and still computes the same.
  @Test(arguments: [ModelConfiguration.Norm.post, .pre])
  func inferenceModelEqualsTrainingModel(norm: ModelConfiguration.Norm) throws {
    func check(_ device: some Operations<Float>) throws {
      var configuration = smallConfiguration(norm, dropout: 0.5)
      configuration.layers = 4
      configuration.memory?.layers = [2, 3]
      let training = try Sample(configuration, on: device),
        inference = try Sample(configuration, on: device, training: false)
      #expect(training.loss(.evaluation) == inference.loss(.evaluation))
      // More tokens than one block of logits.
      let many = try Sample(configuration, on: device, sequences: 60, length: 9)
      let few = try Sample(configuration, on: device, sequences: 60, length: 9, training: false)
      #expect(many.loss(.evaluation) == few.loss(.evaluation))
    }
    for device in try Devices.all(Float.self) { try check(device) }
  }

  /// Sequences of different lengths side by side: the same as each alone, up to rounding.
  @Test func batchedGenerationEqualsSingle() throws {
    func check(_ device: some Operations<Float>) throws {
      var configuration = smallConfiguration(.pre)
      configuration.layers = 3
      let model = try Transformer(
        configuration, device: device, batch: (1, 11), training: false, seed: 3)
      let texts: [[Int32]] = [[3], [7, 1, 28, 4], [0, 9], [5, 5, 5], [11, 12, 13, 14, 15]]
      let next: [Int32] = [8, 2, 27, 9, 1]
      func fill(_ text: [Int32]) throws -> KeyValueCache<Float> {
        let cache = try model.makeCache()
        text.withUnsafeBufferPointer { model.extend(cache, tokens: $0) }
        return cache
      }
      var alone: [[Float]] = []
      for (text, token) in zip(texts, next) {
        let cache = try fill(text)
        [token].withUnsafeBufferPointer { model.extend(cache, tokens: $0) }
        alone.append(model.logits(row: 0))
      }
      let bed = TestBed(device), together = bed.matrix(5, 29)
      func expectTheSame() {
        for row in 0..<5 {
          #expect(
            zip(device.download(together.rows(row..<row + 1).elements), alone[row]).allSatisfy {
              abs($0 - $1) < 1e-6
            })
        }
      }
      var caches = try texts.map(fill)
      next.withUnsafeBufferPointer { model.extend(caches, counts: [1, 1, 1, 1, 1], tokens: $0) }
      model.logits(into: together)
      expectTheSame()
      #expect(caches.map(\.count) == texts.map { $0.count + 1 })

      // Some of them whole, beside single tokens of others.
      caches = [
        try model.makeCache(), try fill(texts[1]), try model.makeCache(), try model.makeCache(),
        try fill(texts[4]),
      ]
      let counts = [2, 1, 3, 4, 1]
      let tokens = zip(zip(texts, next), counts).flatMap { ($0.0 + [$0.1]).suffix($1) }
      tokens.withUnsafeBufferPointer { model.extend(caches, counts: counts, tokens: $0) }
      model.logits(rows: [1, 2, 5, 9, 10], into: together)
      expectTheSame()
      #expect(caches.map(\.count) == texts.map { $0.count + 1 })
    }
    for device in try Devices.all(Float.self) { try check(device) }
  }

  /// Token by token, in pieces and all at once: the same logits up to rounding.
  @Test(arguments: [ModelConfiguration.Norm.post, .pre])
  func cachedGenerationEqualsTheWholePass(norm: ModelConfiguration.Norm) throws {
    func check(_ device: some Operations<Double>) throws {
      var configuration = smallConfiguration(norm)
      configuration.layers = 3
      configuration.memory?.layers = [2, 3]
      let model = try Transformer(
        configuration, device: device, batch: (1, 9), training: false, seed: 3)
      let tokens = (0..<9).map { Int32($0 * 11 % 29) }
      func lastLogits(_ row: Int) -> [Double] {
        return model.logits(row: row)
      }
      tokens.withUnsafeBufferPointer { model.forward(tokens: $0, sequences: 1, length: 9, mode: .evaluation) }
      let whole = (0..<9).map(lastLogits)
      let cache = try model.makeCache()
      for pieces in [[1, 1, 1, 1, 1, 1, 1, 1, 1], [4, 1, 3, 1], [9]] {
        cache.clear()
        for piece in pieces {
          let first = cache.count
          tokens[first..<first + piece].withUnsafeBufferPointer { model.extend(cache, tokens: $0) }
          for row in 0..<piece {
            let error = zip(lastLogits(row), whole[first + row]).map { abs($0 - $1) }.max()!
            #expect(error < 1e-12, "position \(first + row) in pieces \(pieces)")
          }
        }
        #expect(cache.count == 9 && cache.remainingCapacity == 0)
      }
    }
    for device in try Devices.all(Double.self) { try check(device) }
  }

  /// A number that is lost is seen in the loss, and crashes nothing.
  @Test(arguments: ["blocks.1.memory.subkeys", "blocks.1.memory.values", "blocks.0.attention.input.weight"])
  func notANumberReachesTheLoss(name: String) throws {
    func check(_ device: some Operations<Float>) throws {
      let sample = try Sample(smallConfiguration(), on: device)
      let parameter = try #require(sample.model.parameters.first { $0.name == name })
      sample.model.device.fill(parameter.value, .nan)
      #expect(sample.loss().nll.isNaN)
      sample.model.backward(scale: 1)
      let bias = try #require(sample.model.parameters.last?.gradient)
      #expect(device.download(bias).contains { $0.isNaN })
    }
    for device in try Devices.all(Float.self) { try check(device) }
  }

  /// With values of zero the memory's layer adds nothing: its block is attention and norms alone.
  @Test func zeroValuesMakeTheMemorySilent() throws {
    func check(_ device: some Operations<Float>) throws {
      let sample = try Sample(smallConfiguration(), on: device)
      let plain = try Sample(smallConfiguration(memory: false), on: device)
      let named = Dictionary(uniqueKeysWithValues: sample.model.parameters.map { ($0.name, $0.value) })
      for parameter in plain.model.parameters {
        if let same = named[parameter.name] {
          #expect(device.download(same) == device.download(parameter.value))
        }
        if parameter.name.hasPrefix("blocks.1.feed_forward.output") {
          plain.model.device.fill(parameter.value, 0)
        }
      }
      #expect(sample.loss(.evaluation) != plain.loss(.evaluation))
      sample.model.device.fill(try #require(named["blocks.1.memory.values"]), 0)
      #expect(sample.loss(.evaluation) == plain.loss(.evaluation))
    }
    for device in try Devices.all(Float.self) { try check(device) }
  }
}

extension Parameter {
  var distributionIsNormal: Bool { Self.isNormal(name) }

  static func isNormal(_ name: String) -> Bool {
    name.hasSuffix(".weight") || name.hasPrefix("embedding.tokens")
  }
}

extension Transformer {
  /// The next tokens of one sequence.
  fileprivate func extend(_ cache: KeyValueCache<Scalar>, tokens: UnsafeBufferPointer<Int32>) {
    extend([cache], counts: [tokens.count], tokens: tokens)
  }
}
