import Support
import Testing

@testable import Model

/// Whole models on the CPU in Double beside the reference device, whose memory is closed between operations: training,
/// evaluation and generation reach it through operations alone.
@Suite(.timeLimit(.minutes(60))) struct ModelAgreementTests {
  struct Variant: Sendable, CustomTestStringConvertible {
    var norm = ModelConfiguration.Norm.post
    var dropout = 0.0
    var batchNorm = true
    var recomputes = false

    var testDescription: String { "\(self)" }
  }

  struct Results {
    var losses: [Double] = [], norms: [Double] = [], parameters: [Double] = [], logits: [Double] = []
  }

  @Test(arguments: [
    Variant(), Variant(norm: .pre, dropout: 0.2), Variant(dropout: 0.2, recomputes: true),
    Variant(norm: .pre, batchNorm: false, recomputes: true),
  ])
  func aModelTrainsAlikeOnEveryDevice(variant: Variant) throws {
    let found = try train(on: CPUOperations<Double>(pool: Pools.two), variant)
    let right = try train(on: ReferenceOperations<Double>(), variant)
    for (name, part) in [
      ("losses", \Results.losses), ("norms", \.norms), ("parameters", \.parameters), ("logits", \.logits),
    ] {
      let (a, b) = (found[keyPath: part], right[keyPath: part])
      #expect(a.count == b.count && a.contains { $0 != 0 })
      let error = zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
      #expect(error < 1e-9, "\(name) differ by \(error)")
    }
  }

  /// Four steps of two micro-batches, each followed by an evaluation, then a prompt that is continued.
  private func train(on device: some Operations<Double>, _ variant: Variant) throws -> Results {
    var configuration = smallConfiguration(
      variant.norm, dropout: variant.dropout, batchNorm: variant.batchNorm)
    configuration.layers = 3
    let sample = try Sample(configuration, on: device, microBatches: 2, recomputes: variant.recomputes)
    let model = sample.model
    let (moments, arena) = try ArenaPlan.build(on: device) { plan in
      model.parameters.map {
        (plan.vector("m", $0.count), plan.vector("v", $0.count)) as (Vector<Double>, Vector<Double>)
      }
    }
    var results = Results()
    for step in 1...4 {
      model.zeroGradients()
      for microBatch in 0..<2 {
        let loss = sample.loss(.training(step: UInt64(step), microBatch: microBatch))
        results.losses += [loss.nll, loss.smoothed]
        model.backward(scale: 0.05)
      }
      model.addSquaredNorms()
      results.norms.append(model.readStep().squaredNorm)
      let adam = AdamStep(learningRate: 1e-2, step: step, clipping: model.clipping(limit: 0.5))
      for (parameter, (m, v)) in zip(model.parameters, moments) {
        switch parameter.role {
        case .dense:
          device.adam(parameter.value, parameter.operand, gradient: parameter.gradient!, m: m, v: v, adam)
        case .memoryValues(let memory):
          let (rows, columns) = (parameter.stored.rows, parameter.stored.columns)
          device.lazyAdam(
            parameter.stored, gradient: model.valueGradient(ofMemory: memory),
            m: m.matrix(rows: rows, columns: columns),
            v: v.matrix(rows: rows, columns: columns), adam)
        }
      }
      results.losses.append(sample.loss(.evaluation).nll)
    }
    for tensor in model.parameters + model.buffers { results.parameters += device.download(tensor.value) }

    let writer = try Transformer(configuration, device: device, batch: (1, 9), training: false, seed: 5)
    let cache = try writer.makeCache()
    for tokens: [Int32] in [[3, 1, 4], [1], [5]] {
      tokens.withUnsafeBufferPointer { writer.extend([cache], counts: [tokens.count], tokens: $0) }
      results.logits += writer.logits(row: tokens.count - 1)
    }
    withExtendedLifetime(arena) {}
    return results
  }
}
