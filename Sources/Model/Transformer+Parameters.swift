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

  /// All gradients but those of values; see ``ParameterStore/gradients``.
  package var gradients: Vector<Scalar>? { store.gradients }

  /// Starts to collect ``statistics`` from zero, or stops.
  package func collectStatistics(_ isOn: Bool) throws(Failure) {
    guard isOn else {
      statistics = nil
      return
    }
    var started: [MemoryStatistics<Device>] = []
    for memory in memories { started.append(try MemoryStatistics(slots: memory.shape.slots, on: device)) }
    statistics = started
  }

  /// Adds the reads of the last forward pass to ``statistics``, if they are being collected.
  func collect(_ memory: ProductKeyMemory<Device>, ofLayer layer: Int) {
    guard let statistics else { return }
    let index = (0..<layer).count(where: configuration.hasMemory)
    guard let textLengths else { return statistics[index].add(memory.reads(of: 0..<hidden.rows)) }
    for (sequence, count) in textLengths.enumerated() where count > 0 {
      let first = sequence * length
      statistics[index].add(memory.reads(of: first..<first + count))
    }
  }

  /// How the reads gathered since the last `zeroGradients` are distributed over the slots of each memory.
  package func gatheredStatistics() throws(Failure) -> [MemoryStatistics<Device>] {
    var all: [MemoryStatistics<Device>] = []
    for memory in memories {
      let statistics = try MemoryStatistics(slots: memory.shape.slots, on: device)
      if let reads = memory.valueGradient?.gathered { statistics.add(reads.slots, reads.weights) }
      all.append(statistics)
    }
    return all
  }

  /// Adds the squared norm of the gradients of the step to the sum that ``readStep()`` reads and ``clipping(limit:)``
  /// clips by: of all parameters, or of those whose index is included.
  package func addSquaredNorms(where isIncluded: (Int) -> Bool = { _ in true }) {
    let parameters = parameters
    for index in 0..<parameters.count where isIncluded(index) {
      if let gradient = parameters[index].gradient {
        device.addSquaredNorm(of: gradient, to: activations.squaredNorm)
      }
    }
    for index in 0..<parameters.count {
      guard case .memoryValues(let memory) = parameters[index].role, isIncluded(index),
        let gradient = memories[memory].valueGradient
      else { continue }
      device.addSquaredNorm(of: gradient, to: activations.squaredNorm)
    }
  }

  /// Clips by the norm of all gradients of the step, see ``addSquaredNorms()``.
  package func clipping(limit: Double) -> GradientClipping {
    GradientClipping(limit: limit, squaredNorm: activations.squaredNorm)
  }
}
