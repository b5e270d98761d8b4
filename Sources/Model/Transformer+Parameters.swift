import Support

extension Transformer {
  /// Trained tensors in the order of the forward pass.
  package var parameters: [Parameter<Scalar>] { store.parameters }
  /// Untrained state: running statistics of batch norms.
  package var buffers: [Parameter<Scalar>] { store.buffers }

  /// Draws all parameters.
  func initialize() {
    for (description, parameter) in zip(
      configuration.parameterDescriptions + configuration.bufferDescriptions, parameters + buffers)
    {
      device.initialize(
        parameter.stored, description.distribution, seed: Hashing.xxh3(parameter.name, seed: seed))
    }
    parametersChanged()
  }

  /// Call this after anything but the optimizer has written parameters: in bf16, matmuls read rounded copies.
  package func parametersChanged() {
    guard device.operandsAreBF16 else { return }
    for parameter in parameters {
      if let operand = parameter.operand { device.round(parameter.matrix, into: operand) }
    }
  }

  // MARK: Memories

  var memories: [ProductKeyMemory<Device>] { activations.memories }

  package var memoryCount: Int { memories.count }

  /// The gradient of the value table with role `.memoryValues(index)`, gathered since the last `zeroGradients`.
  package func valueGradient(ofMemory index: Int) -> ValueGradient<Scalar> {
    memories[index].valueGradient!
  }

  /// Starts to collect ``statistics`` from zero, or stops.
  package func collectStatistics(_ isOn: Bool) {
    statistics = isOn ? memories.map { MemoryStatistics(slots: $0.shape.slots) } : nil
  }

  /// Adds the reads of the last forward pass to ``statistics``, if they are being collected.
  func collect(_ memory: ProductKeyMemory<Device>, ofLayer layer: Int) {
    guard let statistics else { return }
    let index = (0..<layer).count(where: configuration.hasMemory)
    let (slots, weights) = memory.reads(rows: hidden.rows)
    statistics[index].add(slots, weights, on: device)
  }

  /// How the reads gathered since the last `zeroGradients` are distributed over the slots of each memory.
  package func gatheredStatistics() -> [MemoryStatistics] {
    memories.map { memory in
      let statistics = MemoryStatistics(slots: memory.shape.slots)
      if let reads = memory.valueGradient?.gathered { statistics.add(reads.slots, reads.weights, on: device) }
      return statistics
    }
  }
}
