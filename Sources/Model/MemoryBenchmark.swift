import Support

/// The speed of one product-key memory alone, without a model around it.
package struct MemoryBenchmark {
  package let slots: Int
  /// Tokens a second: queries, choice of slots and weighted sum.
  package let forward: Double
  /// The same and the backward pass and the update of the values; nil where it was not asked for.
  package let training: Double?
  /// Where the time of the forward passes goes, and seconds of them all.
  package let operations: [OperationLog.Entry]
  package let seconds: Double
  /// Bytes of value rows that one token reads.
  package let bytesPerToken: Int

  /// - Parameters:
  ///   - tokens: at once. Eight such batches of random inputs go round, so that no cache keeps what the next one reads.
  ///   - isTraining: takes room for moments, twice that of the values.
  package init(
    _ memory: ModelConfiguration.Memory, dim: Int, tokens: Int, isTraining: Bool, pool: WorkerPool,
    settings: EngineSettings
  ) throws(Failure) {
    typealias Device = MeasuredOperations<CPUOperations<Float>>
    let log = OperationLog()
    let device = Device(try CPUOperations(pool: pool, settings: settings), log: log)
    var configuration = ModelConfiguration()
    (configuration.layers, configuration.dim, configuration.heads) = (1, dim, 1)
    (configuration.context, configuration.vocabularySize) = (1, 1)
    configuration.memory = memory
    configuration.memory?.layers = [1]
    try configuration.validate()
    let isBF16 = device.operandsAreBF16, shape = memory.shape, batches = 8
    let store = try ParameterStore<Float>(configuration, training: isTraining, isBF16: isBF16)
    for (description, parameter) in zip(configuration.parameterDescriptions, store.parameters) {
      device.initialize(
        parameter.stored, description.distribution, seed: Hashing.xxh3(parameter.name, seed: 1))
      if let operand = parameter.operand { device.round(parameter.matrix, into: operand) }
    }
    let (layout, arena) = try ArenaPlan.build { plan in
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
      return Double(batches * tokens) / (Progress.now() - began)
    }
    slots = shape.slots
    bytesPerToken = shape.reads * dim * store.stored("blocks.0.memory.values").elementBytes
    self.forward = rate { _ = forward($0) }
    (operations, seconds) = (log.entries, Double(batches * tokens) / self.forward)
    training = isTraining ? rate { train($0, step: $0 + 1) } : nil
    withExtendedLifetime(arena) {}
  }
}
