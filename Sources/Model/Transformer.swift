import Support

/// A causal language model whose chosen feed-forward layers are product-key memories, with its backward pass.
///
/// Use: `forward`, `loss`, `backward` for each micro-batch, then the optimizer over ``parameters`` and
/// ``valueGradient(ofMemory:)``, then `zeroGradients`. A model made without training has no gradients.
package final class Transformer<Device: Operations> {
  package typealias Scalar = Device.Scalar

  /// What the forward pass is for.
  package enum Mode: Sendable, Equatable {
    /// Dropout by the step and micro-batch, batch norm by the statistics of the micro-batch.
    case training(step: UInt64, microBatch: Int)
    case evaluation
  }

  package let configuration: ModelConfiguration
  package let device: Device
  /// Of one pass.
  package let maximumTokens: Int
  /// Trained tensors in the order of the forward pass.
  package var parameters: [Parameter<Scalar>] { store.parameters }
  /// Untrained state: running statistics of batch norms.
  package var buffers: [Parameter<Scalar>] { store.buffers }
  /// Filled by evaluation passes while not nil, one for each memory.
  package var statistics: [MemoryStatistics]?

  private let store: ParameterStore<Scalar>
  private let layout: Layout
  private let arena: Arena
  private let seed: UInt64
  private let isTrainable: Bool

  /// The micro-batch of the last forward pass.
  private var mode = Mode.evaluation
  private var sequences = 0
  private var length = 0
  private var hasGradient = false

  /// All activations, and the layers that hold views of them.
  private struct Layout {
    let tokens: UnsafeMutablePointer<Int32>
    let embedding: Embedding<Device>
    /// Those that a backward pass follows, and those that none does.
    let blocks, inference: [Block<Device>]
    let memories: [ProductKeyMemory<Device>]
    /// Results of the blocks whose activations are made again for the backward pass; nil for the others.
    let checkpoints: [MixedMatrix<Scalar>?]
    /// The last of them: what the forward pass computed last still stands where it was written.
    let lastCheckpoint: Int?
    let finalNorm: LayerNorm<Device>?
    /// The final hidden states, in what holds the results of the blocks' norms before.
    let final: Operand<Scalar>
    let head: OutputHead<Device>
    let scratch: Block<Device>.Scratch
    let gradient: MixedMatrix<Scalar>?
    let workspace: Block<Device>.Workspace?

    /// - Parameter microBatches: of one step at most; nil without training.
    init(
      _ configuration: ModelConfiguration, _ store: ParameterStore<Scalar>, rows: Int, isBF16: Bool,
      microBatches: Int?, recomputes: Bool, _ plan: inout ArenaPlan
    ) {
      let d = configuration.dim, isTraining = microBatches != nil, isPre = configuration.norm == .pre
      tokens = plan.take(Int32.self, rows)
      embedding = Embedding(configuration, in: store, rows: rows, isBF16: isBF16, &plan)
      let normOutput = Block<Device>.NormOutput(configuration, rows: rows, isBF16: isBF16, &plan)
      final = normOutput.operand
      gradient = isTraining ? plan.mixedMatrix(rows, d, isBF16: isBF16) : nil
      // The gradients of the logits lie over what the blocks share: they are made when the last block is through, and
      // used before one goes backward.
      let start = plan.position
      head = OutputHead(embedding, in: store, rows: rows, training: isTraining, isBF16: isBF16, &plan)
      let end = plan.position
      plan.position = start
      scratch = Block.Scratch(
        branch: plan.matrix(rows, d), active: plan.operand(rows, 4 * d, isBF16: isBF16),
        queries: configuration.memory.map {
          ProductKeyMemory<Device>.queries($0.shape, rows: rows, isBF16: isBF16 && isTraining, &plan)
        }, space: isTraining ? nil : plan.matrix(rows, 4 * d))
      workspace =
        isTraining
        ? Block.Workspace(
          active: scratch.active, input: scratch.branch, branch: plan.mixedMatrix(rows, d, isBF16: isBF16),
          memory: configuration.memory.map {
            ProductKeyMemory.Workspace($0.shape, rows: rows, isBF16: isBF16, &plan)
          })
        : nil
      let between =
        isPre ? normOutput : Block<Device>.NormOutput(configuration, rows: rows, isBF16: isBF16, &plan)
      plan.position = max(plan.position, end)
      (blocks, inference) = Transformer.blocks(
        configuration, store, rows: rows, normOutput: (between, normOutput), scratch: scratch,
        microBatches: microBatches, recomputes: recomputes, isBF16: isBF16, &plan)
      memories = blocks.compactMap(\.memory)
      checkpoints = (0..<configuration.layers).map { layer in
        guard isTraining && recomputes && !configuration.hasMemory(at: layer) else { return nil }
        let result: Matrix<Scalar> = plan.matrix(rows, d)
        return isPre
          ? MixedMatrix(real: result, operand: Operand(result)) : plan.mixedMatrix(result, isBF16: isBF16)
      }
      lastCheckpoint = checkpoints.lastIndex { $0 != nil }
      finalNorm = isPre ? LayerNorm("output.norm", in: store, rows: rows, &plan) : nil
    }
  }

  /// - Parameters:
  ///   - batch: the largest micro-batch; any other may be used that has no more tokens.
  ///   - microBatches: of one step at most, for the room that the reads of memories need.
  ///   - recomputes: keeps only the results of blocks without a memory and makes their activations again, to the same
  ///     bits, when the backward pass needs them.
  ///   - isInitialized: parameters are drawn; else they are zeros until they are read from somewhere.
  package init(
    _ configuration: ModelConfiguration, device: Device, batch: (sequences: Int, length: Int), training: Bool,
    microBatches: Int = 1, recomputes: Bool = false, isInitialized: Bool = true, seed: UInt64
  ) throws(Failure) {
    try configuration.validate()
    self.configuration = configuration
    self.device = device
    self.seed = seed
    isTrainable = training
    let rows = batch.sequences * batch.length
    maximumTokens = rows
    let isBF16 = device.operandsAreBF16
    // Training reads the parameters twice a step, in products of many rows. Generation reads them for each token.
    let store = try ParameterStore<Scalar>(
      configuration, training: training, isBF16: isBF16 && !(training && device.roundsRightOperands))
    self.store = store
    (layout, arena) = try ArenaPlan.build {
      Layout(
        configuration, store, rows: rows, isBF16: isBF16, microBatches: training ? microBatches : nil,
        recomputes: recomputes, &$0)
    }
    if isInitialized { initialize() }
  }

  private func initialize() {
    for (description, parameter) in zip(
      configuration.parameterDescriptions + configuration.bufferDescriptions, parameters + buffers)
    {
      device.initialize(
        parameter.stored, description.distribution, seed: Hashing.xxh3(parameter.name, seed: seed))
    }
    parametersChanged()
  }

  /// To be called when others than the optimizer's update have written parameters: in half precision, products multiply
  /// rounded copies.
  package func parametersChanged() {
    guard device.operandsAreBF16 else { return }
    for parameter in parameters {
      if let operand = parameter.operand { device.round(parameter.matrix, into: operand) }
    }
  }

  /// Bytes of activations and scratch, the reads of memories included, of a model like this, without making one.
  package static func activationBytes(
    _ configuration: ModelConfiguration, batch: (sequences: Int, length: Int), microBatches: Int?,
    recomputes: Bool = false, isBF16: Bool
  ) throws(Failure) -> Int {
    // Never touched, so it takes no memory.
    let store = try ParameterStore<Scalar>(configuration, training: microBatches != nil, isBF16: isBF16)
    return ArenaPlan.measure {
      Layout(
        configuration, store, rows: batch.sequences * batch.length, isBF16: isBF16,
        microBatches: microBatches, recomputes: recomputes, &$0)
    }
  }

  /// Without a backward pass nothing outlives a block but its result, so all blocks share one set of activations.
  ///
  /// With a backward pass that makes activations again, those without a memory do. The others lie over the same memory,
  /// but for blocks with a memory: the reads that it gathers outlive an evaluation.
  private static func blocks(
    _ configuration: ModelConfiguration, _ store: ParameterStore<Scalar>, rows: Int,
    normOutput: (Block<Device>.NormOutput, Block<Device>.NormOutput), scratch: Block<Device>.Scratch,
    microBatches: Int?,
    recomputes: Bool, isBF16: Bool, _ plan: inout ArenaPlan
  ) -> (training: [Block<Device>], inference: [Block<Device>]) {
    let layers = 0..<configuration.layers, start = plan.position
    var end = start
    let inference = layers.map { layer in
      plan.position = start
      defer { end = max(end, plan.position) }
      return Block<Device>(
        layer, configuration, in: store, rows: rows, normOutput: normOutput, scratch: scratch,
        microBatches: nil,
        isBF16: isBF16, &plan)
    }
    var training = inference
    func addTrainingBlock(_ layer: Int) {
      training[layer] = Block(
        layer, configuration, in: store, rows: rows, normOutput: normOutput, scratch: scratch,
        microBatches: microBatches, isBF16: isBF16, &plan)
    }
    plan.position = start
    if microBatches != nil && !recomputes {
      for layer in layers where !configuration.hasMemory(at: layer) { addTrainingBlock(layer) }
    }
    plan.position = max(plan.position, end)
    if microBatches != nil {
      for layer in layers where configuration.hasMemory(at: layer) { addTrainingBlock(layer) }
    }
    return (training, inference)
  }

  // MARK: Forward

  /// Final hidden states of `sequences` × `length` tokens, sequence by sequence.
  ///
  /// Ids must be below the vocabulary size.
  package func forward(
    tokens: UnsafeBufferPointer<Int32>, sequences: Int, length: Int, mode: Mode
  ) {
    precondition(sequences >= 1 && length >= 1 && tokens.count == sequences * length)
    precondition(tokens.count <= maximumTokens && length <= configuration.context)
    precondition(tokens.allSatisfy { $0 >= 0 && $0 < configuration.vocabularySize }, "token id out of range")
    run(tokens, sequences: sequences, length: length, mode: mode, caches: [], counts: [])
  }

  /// Room for one sequence to generate.
  package func makeCache() throws(Failure) -> KeyValueCache<Scalar> {
    try KeyValueCache(configuration, isBF16: device.operandsAreBF16)
  }

  /// Final hidden states of the next tokens of some sequences, one sequence after another, in evaluation mode: `counts` of the
  /// tokens belong to each.
  ///
  /// Of a model made without training. The first call takes a prompt, later ones a token each; rows of logits are counted
  /// from the first of these tokens.
  package func extend(
    _ caches: [KeyValueCache<Scalar>], counts: [Int], tokens: UnsafeBufferPointer<Int32>
  ) {
    precondition(!tokens.isEmpty && tokens.count <= maximumTokens && counts.count == caches.count)
    precondition(counts.reduce(0, +) == tokens.count)
    precondition(zip(caches, counts).allSatisfy { $1 >= 1 && $1 <= $0.room })
    precondition(tokens.allSatisfy { $0 >= 0 && $0 < configuration.vocabularySize }, "token id out of range")
    run(tokens, sequences: tokens.count, length: 1, mode: .evaluation, caches: caches, counts: counts)
    for (cache, count) in zip(caches, counts) { cache.count += count }
  }

  private func run(
    _ tokens: UnsafeBufferPointer<Int32>, sequences: Int, length: Int, mode: Mode,
    caches: [KeyValueCache<Scalar>], counts: [Int]
  ) {
    (self.mode, self.sequences, self.length, hasGradient) = (mode, sequences, length, false)
    layout.tokens.update(from: tokens.baseAddress!, count: tokens.count)
    func pieces(of block: Int) -> [CacheSpan<Scalar>]? {
      guard !caches.isEmpty else { return nil }
      var first = 0
      return (0..<caches.count).map { index in
        defer { first += counts[index] }
        return CacheSpan(
          cache: caches[index].blocks[block], position: caches[index].count,
          rows: first..<first + counts[index])
      }
    }
    layout.embedding.forward(
      savedTokens, length: length, pieces: pieces(of: 0), mask: mask(site: 0), on: device)
    var x = view(layout.embedding.result)
    var collected = (mode == .evaluation && caches.isEmpty ? statistics : nil)?.makeIterator()
    let blocks = mode == .evaluation ? layout.inference : layout.blocks
    for index in 0..<blocks.count {
      let block = blocks[index]
      var batch = batch(at: index)
      batch.pieces = pieces(of: index)
      block.forward(x, batch, layout.scratch, on: device)
      // At once: without a backward pass the next block writes over the reads.
      if let memory = block.memory, let statistic = collected?.next() {
        let (slots, weights) = memory.reads(rows: sequences * length)
        statistic.add(slots, weights, on: device)
      }
      x = view(block.result)
      if mode != .evaluation, let checkpoint = layout.checkpoints[index].map(view) {
        device.copy(x.real.elements, to: checkpoint.real.elements)
        device.round(checkpoint.real, into: checkpoint.operand)
        x = checkpoint
      }
    }
    layout.finalNorm?.forward(x.real, into: hidden, on: device)
  }

  /// Sums of losses over the tokens of the last forward pass.
  ///
  /// Targets below 0 count nothing. After a training pass
  /// this also prepares ``backward(scale:)``.
  package func loss(targets: UnsafeBufferPointer<Int32>, labelSmoothing: Double) -> Loss {
    precondition(targets.count == sequences * length, "one target for each token of the last forward pass")
    precondition(targets.allSatisfy { $0 < configuration.vocabularySize }, "target out of range")
    hasGradient = isTrainable && mode != .evaluation
    return layout.head.loss(
      hidden, targets: targets, smoothing: labelSmoothing, gradient: hasGradient, on: device)
  }

  /// The unsmoothed loss of `sequences` × `length` tokens.
  ///
  /// About 2048 tokens are taken at a time: for fewer, packing the weights weighs more, and what is computed of more stays
  /// in no cache. Nothing is left for ``backward(scale:)`` or ``logits(into:)``.
  package func evaluate(
    tokens: UnsafeBufferPointer<Int32>, targets: UnsafeBufferPointer<Int32>, sequences: Int, length: Int
  ) -> Loss {
    precondition(tokens.count == sequences * length && targets.count == tokens.count)
    let together = max(1, 2048 / length)
    var loss = Loss()
    for first in stride(from: 0, to: sequences, by: together) {
      let count = min(together, sequences - first), rows = first * length..<(first + count) * length
      forward(
        tokens: UnsafeBufferPointer(rebasing: tokens[rows]), sequences: count, length: length,
        mode: .evaluation)
      loss += self.loss(targets: UnsafeBufferPointer(rebasing: targets[rows]), labelSmoothing: 0)
    }
    return loss
  }

  /// Logits of the first tokens of the last forward pass, one row each of `logits`.
  package func logits(into logits: Matrix<Scalar>) {
    precondition(logits.columns == configuration.vocabularySize && logits.rows <= sequences * length)
    layout.head.logits(hidden.rows(0..<logits.rows), into: logits, on: device)
  }

  /// Logits of one token of the last forward pass, rows counted sequence by sequence.
  package func logits(row: Int, into logits: UnsafeMutableBufferPointer<Scalar>) {
    precondition(logits.count == configuration.vocabularySize && row < sequences * length)
    layout.head.logits(
      hidden.rows(row..<row + 1), into: Matrix(logits.baseAddress!, rows: 1, columns: logits.count),
      on: device)
  }

  /// Logits of some tokens of the last forward pass, one row each of `logits`; `rows` ascend.
  ///
  /// Their final states move to the front for that, over those of others.
  package func logits(rows: [Int], into logits: Matrix<Scalar>) {
    let size = hidden.columns * hidden.elementBytes
    for (row, from) in rows.enumerated() where row != from {
      precondition(from > row && from < hidden.rows)
      hidden.rows(row..<row + 1).pointer.copyMemory(
        from: hidden.rows(from..<from + 1).pointer, byteCount: size)
    }
    self.logits(into: logits)
  }

  // MARK: Backward

  /// Adds scale · the gradient of the smoothed loss sum to all gradients; scale is 1 / scored tokens of the batch.
  package func backward(scale: Double) {
    precondition(hasGradient, "backward follows forward in training mode and loss")
    hasGradient = false
    let d = view(layout.gradient!)
    layout.head.backward(hidden, scale: scale, into: d.real, on: device)
    if let norm = layout.finalNorm {
      norm.backward(view(layout.blocks[layout.blocks.count - 1].result).real, dy: d.real, into: d, on: device)
    }
    for index in (0..<layout.blocks.count).reversed() {
      let block = layout.blocks[index]
      let before: MixedMatrix<Scalar>? = index == 0 ? layout.embedding.result : layout.checkpoints[index - 1]
      /// The stream in front of the block, made again where it was not saved.
      func stream() -> MixedMatrix<Scalar> {
        if let before { return view(before) }
        layout.blocks[index - 1].recomputeResult(rows: sequences * length, on: device)
        return view(layout.blocks[index - 1].result)
      }
      if layout.checkpoints[index] != nil && index != layout.lastCheckpoint {
        block.forward(stream(), batch(at: index), layout.scratch, on: device)
      }
      let x = stream()
      block.backward(x, d: d, batch(at: index), layout.workspace!, on: device)
    }
    layout.embedding.backward(savedTokens, d: d, length: length, mask: mask(site: 0), on: device)
  }

  /// Clears all gradients.
  package func zeroGradients() {
    for parameter in parameters {
      if let gradient = parameter.gradient { device.fill(Vector(gradient), 0) }
    }
    for memory in memories { memory.valueGradient?.clear() }
  }

  /// The gradient of the value table with role `.memoryValues(index)`, gathered since the last `zeroGradients`.
  package func valueGradient(ofMemory index: Int) -> ValueGradient<Scalar> {
    memories[index].valueGradient!
  }

  package var memoryCount: Int { memories.count }

  /// Starts collecting ``statistics`` afresh, or ends it.
  package func collectStatistics(_ isOn: Bool) {
    statistics = isOn ? memories.map { MemoryStatistics(slots: $0.shape.slots) } : nil
  }

  /// How the reads gathered since the last `zeroGradients` fall on the slots of each memory.
  package func gatheredStatistics() -> [MemoryStatistics] {
    memories.map { memory in
      let statistics = MemoryStatistics(slots: memory.shape.slots)
      if let reads = memory.valueGradient?.gathered { statistics.add(reads.slots, reads.weights, on: device) }
      return statistics
    }
  }

  // MARK: Parts

  private var memories: [ProductKeyMemory<Device>] { layout.memories }

  private var savedTokens: UnsafeBufferPointer<Int32> {
    .init(start: layout.tokens, count: sequences * length)
  }

  private var hidden: Operand<Scalar> { layout.final.rows(0..<sequences * length) }

  /// The rows of the micro-batch at hand.
  private func view(_ matrix: Matrix<Scalar>) -> Matrix<Scalar> { matrix.rows(0..<sequences * length) }
  private func view(_ mixedMatrix: MixedMatrix<Scalar>) -> MixedMatrix<Scalar> {
    mixedMatrix.rows(0..<sequences * length)
  }

  private func batch(at layer: Int) -> Block<Device>.Batch {
    Block.Batch(
      sequences: sequences, length: length, training: mode != .evaluation,
      masks: (mask(site: 2 * layer + 1), mask(site: 2 * layer + 2)))
  }

  /// The dropout mask of one place in the model: 0 the embedding, then two a block.
  private func mask(site: Int) -> DropoutMask {
    guard configuration.dropout > 0, case .training(let step, let microBatch) = mode else { return .none }
    var key = RandomGenerator.mix(seed)
    for part in [step, UInt64(microBatch), UInt64(site)] { key = RandomGenerator.mix(key &+ part &+ 1) }
    return DropoutMask(key: key, probability: configuration.dropout)
  }
}
