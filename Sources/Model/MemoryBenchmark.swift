import Support

/// The speed of one product-key memory alone, without a model around it.
package struct MemoryBenchmark {
  package let slots: Int
  /// Tokens per second: queries, choice of slots and weighted sum.
  package let forward: Double
  /// The same with the backward pass and the update of the values; nil unless asked for.
  package let training: Double?
  /// Where the time of the forward passes goes, and their seconds together.
  package let operations: [OperationLog.Entry]
  package let seconds: Double
  /// Bytes of value rows that one token reads.
  package let bytesPerToken: Int

  /// Measures for some seconds.
  ///
  /// - Parameters:
  ///   - tokens: at once. Eight such batches of random inputs take turns, so that no cache holds what the next one reads.
  ///   - isTraining: needs moments, which take twice the memory of the values.
  package static func measure<Base: Operations<Float>>(
    _ memory: ModelConfiguration.Memory, dim: Int, tokens: Int, isTraining: Bool, on base: Base
  ) throws(Failure) -> MemoryBenchmark {
    typealias Device = MeasuredOperations<Base>
    let log = OperationLog()
    let device = Device(base, log: log)
    var configuration = ModelConfiguration()
    (configuration.layers, configuration.dim, configuration.heads) = (1, dim, 1)
    (configuration.context, configuration.vocabularySize) = (1, 1)
    configuration.memory = memory
    configuration.memory?.layers = [1]
    try configuration.validate()
    let isBF16 = device.operandsAreBF16, shape = memory.shape, batches = 8
    let store = try ParameterStore<Float>(configuration, training: isTraining, isBF16: isBF16, on: device)
    for (description, parameter) in zip(configuration.parameterDescriptions, store.parameters) {
      device.initialize(
        parameter.stored, description.distribution, seed: Hashing.xxh3(parameter.name, seed: 1))
      if let operand = parameter.operand { device.round(parameter.matrix, into: operand) }
    }
    let (layout, arena) = try ArenaPlan.build(on: device) { plan in
      let valueGradient: ValueGradient<Float>? =
        isTraining
        ? ValueGradient(slots: shape.slots, dimension: dim, tokens: tokens, reads: shape.reads, in: &plan)
        : nil
      return (
        inputs: plan.mixedMatrix("inputs", batches * tokens, dim, isBF16: isBF16) as MixedMatrix<Float>,
        result: plan.matrix("result", tokens, dim) as Matrix<Float>,
        gradient: plan.matrix("gradient", tokens, dim) as Matrix<Float>,
        layer: ProductKeyMemory<Device>(
          "blocks.0.memory", memory, in: store, rows: tokens,
          queries: ProductKeyMemory<Device>.queries(shape, rows: tokens, isBF16: isBF16, &plan),
          valueGradient: valueGradient, &plan),
        workspace: ProductKeyMemory<Device>.Workspace(
          shape, rows: tokens, isBF16: isBF16, &plan),
        moments: (0..<2).map {
          plan.matrix("moment \($0)", isTraining ? shape.slots : 0, dim) as Matrix<Float>
        }
      )
    }
    device.initialize(Operand(layout.inputs.real), .normal(deviation: 1), seed: 2)
    device.round(layout.inputs.real, into: layout.inputs.operand)
    device.initialize(Operand(layout.gradient), .normal(deviation: 1e-3), seed: 3)

    func forward(_ batch: Int) -> Operand<Float> {
      let x = layout.inputs.operand.rows(batch * tokens..<(batch + 1) * tokens)
      layout.layer.forward(x, training: isTraining, into: layout.result, on: device)
      return x
    }
    func train(_ batch: Int, step: Int) {
      let x = forward(batch)
      layout.layer.backward(
        x, dy: layout.gradient, training: true, workspace: layout.workspace, into: layout.result,
        adding: false,
        on: device)
      let gradient = layout.layer.valueGradient!
      device.lazyAdam(
        store.stored("blocks.0.memory.values"), gradient: gradient, m: layout.moments[0],
        v: layout.moments[1], AdamStep(learningRate: 1e-3, step: step, roundingKey: UInt64(step)))
      gradient.clear()
    }
    /// Once around to touch every page, then timed.
    func rate(_ body: (Int) -> Void) -> Double {
      for batch in 0..<batches { body(batch) }
      log.clear()
      let began = Progress.now()
      for batch in 0..<batches { body(batch) }
      device.synchronize()
      return Double(batches * tokens) / (Progress.now() - began)
    }
    let forwardRate = rate { _ = forward($0) }
    let operations = log.entries
    let result = MemoryBenchmark(
      slots: shape.slots, forward: forwardRate, training: isTraining ? rate { train($0, step: $0 + 1) } : nil,
      operations: operations, seconds: Double(batches * tokens) / forwardRate,
      bytesPerToken: shape.reads * dim * store.stored("blocks.0.memory.values").elementBytes)
    withExtendedLifetime(arena) {}
    return result
  }
}
