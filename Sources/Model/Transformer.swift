import Support

/// A causal language model whose chosen feed-forward layers are product-key memories, with its backward pass.
///
/// For each micro-batch call `forward`, `loss` and `backward`; then the optimizer updates ``parameters`` from their
/// gradients and ``valueGradient(ofMemory:)``; then call `zeroGradients`. A model made without training has no gradients.
package final class Transformer<Device: Operations> {
  package typealias Scalar = Device.Scalar

  /// What the forward pass is for.
  package enum Mode: Sendable, Equatable {
    /// The step and the micro-batch decide the dropout masks; batch norm uses the statistics of the micro-batch.
    case training(step: UInt64, microBatch: Int)
    case evaluation
  }

  package let configuration: ModelConfiguration
  package let device: Device
  /// The most tokens of one pass.
  package let maximumTokens: Int
  /// One for each memory: evaluation passes add to them while they are not nil.
  package var statistics: [MemoryStatistics<Device>]?

  let store: ParameterStore<Scalar>
  let activations: ActivationPlan
  private let arena: Arena
  let seed: UInt64
  private let isTrainable: Bool

  /// Of the last forward pass.
  private var mode = Mode.evaluation
  private(set) var sequences = 0
  private(set) var length = 0
  /// The tokens of each sequence before its padding; nil without padding.
  private(set) var textLengths: [Int]?
  private var hasGradient = false

  // MARK: Forward

  /// Final hidden states of `sequences` × `length` tokens, sequence by sequence.
  ///
  /// Ids must be below the vocabulary size.
  package func forward(tokens: UnsafeBufferPointer<Int32>, sequences: Int, length: Int, mode: Mode) {
    precondition(sequences >= 1 && length >= 1 && tokens.count == sequences * length)
    precondition(length <= configuration.context)
    run(tokens, sequences: sequences, length: length, mode: mode, spans: nil)
  }

  /// - Parameter spans: for each block, which tokens belong to which cached sequence; nil without caches.
  func run(
    _ tokens: UnsafeBufferPointer<Int32>, sequences: Int, length: Int, mode: Mode,
    spans: [[CacheSpan<Scalar>]]?
  ) {
    precondition(tokens.count <= maximumTokens)
    precondition(tokens.allSatisfy { $0 >= 0 && $0 < configuration.vocabularySize }, "token id out of range")
    arena.ledger?.endAll()
    (self.mode, self.sequences, self.length, hasGradient) = (mode, sequences, length, false)
    device.upload(tokens, to: activations.tokens)

    activations.embedding.forward(
      savedTokens, length: length, spans: spans?[0], mask: mask(site: 0), on: device)
    var x = view(activations.embedding.result)
    activations.scratch.scope.begin()
    for index in 0..<configuration.layers {
      x = forward(block: index, x, spans: spans?[index])
    }
    activations.scratch.scope.end()
    activations.finalNorm?.forward(x.real, into: hidden, on: device)
  }

  /// Returns the residual stream after a block.
  private func forward(block index: Int, _ x: MixedMatrix<Scalar>, spans: [CacheSpan<Scalar>]?)
    -> MixedMatrix<Scalar>
  {
    let isTraining = mode != .evaluation
    // A model made without training can compute a training pass, but no backward pass will follow.
    let isSaved = isTraining && isTrainable
    let layer = (isTraining ? activations.training : activations.inference)[index], block = layer.block
    let checkpoint = isTraining ? activations.checkpoints[index].map(view) : nil
    if !isSaved || checkpoint != nil { activations.inferenceSums.begin() }
    layer.scope.begin()
    block.forward(x, batch(at: index, spans: spans), activations.scratch, on: device)
    if isSaved {
      guard let checkpoint else { return view(block.result) }
      device.copy(block.result.real.rows(0..<tokenCount).elements, to: checkpoint.real.elements)
      device.round(checkpoint.real, into: checkpoint.operand)
      if index != activations.lastCheckpoint { layer.scope.end() }
      return checkpoint
    }
    // Before the next block overwrites the reads.
    if !isTraining, spans == nil, let memory = block.memory { collect(memory, ofLayer: index) }
    layer.scope.end()
    return view(block.result)
  }

  /// Adds the losses over the tokens of the last forward pass to sums on the device: after a training pass to those of the
  /// step, see ``readStep()``, and prepares ``backward(scale:)``.
  ///
  /// Targets below 0 count nothing.
  package func addLoss(targets: UnsafeBufferPointer<Int32>, labelSmoothing: Double) {
    precondition(targets.count == tokenCount, "one target for each token of the last forward pass")
    precondition(targets.allSatisfy { $0 < configuration.vocabularySize }, "target out of range")
    hasGradient = isTrainable && mode != .evaluation
    device.upload(targets, to: activations.targets)
    activations.head.addLoss(
      hidden, targets: activations.targets[0..<tokenCount], smoothing: labelSmoothing,
      gradient: hasGradient,
      addingTo: mode == .evaluation ? activations.evaluationLoss : activations.trainingLoss, on: device)
  }

  /// The losses and the squared norm of the gradients since the last ``zeroGradients()``. Waits for the device.
  package func readStep() -> (loss: Loss, squaredNorm: Double) {
    let losses = activations.trainingLoss.numbers, count = losses.count + activations.squaredNorm.count
    return withUnsafeTemporaryAllocation(of: Double.self, capacity: count) { numbers in
      device.download(losses.address, into: UnsafeMutableRawBufferPointer(numbers))
      return (
        Loss(nll: numbers[0], smoothed: numbers[1], count: Int(numbers[2])), numbers[losses.count]
      )
    }
  }

  private func clear(_ numbers: DeviceArray<Double>) {
    device.setBytes(numbers.address, count: numbers.byteCount, to: 0)
  }

  /// The unsmoothed loss of `sequences` × `length` tokens.
  ///
  /// Takes about 2048 tokens at a time: with fewer, packing the weights costs more; with more, the activations no longer
  /// fit in the caches. Afterwards neither ``backward(scale:)`` nor ``logits(into:)`` can be called.
  ///
  /// - Parameter counts: the tokens of each sequence that are followed by padding alone; nil without padding. Reads of padding
  ///   do not enter ``statistics``.
  package func evaluate(
    tokens: UnsafeBufferPointer<Int32>, targets: UnsafeBufferPointer<Int32>, sequences: Int, length: Int,
    counts: [Int]? = nil
  ) -> Loss {
    precondition(tokens.count == sequences * length && targets.count == tokens.count)
    precondition(counts.map { $0.count == sequences && $0.allSatisfy((0...length).contains) } ?? true)
    defer { textLengths = nil }
    let together = max(1, 2048 / length)
    clear(activations.evaluationLoss.numbers)
    for first in stride(from: 0, to: sequences, by: together) {
      let count = min(together, sequences - first), rows = first * length..<(first + count) * length
      textLengths = counts.map { Array($0[first..<first + count]) }
      forward(
        tokens: UnsafeBufferPointer(rebasing: tokens[rows]), sequences: count, length: length,
        mode: .evaluation)
      addLoss(targets: UnsafeBufferPointer(rebasing: targets[rows]), labelSmoothing: 0)
    }
    return Loss(device.download(activations.evaluationLoss.numbers))
  }

  // MARK: Backward

  /// Adds scale · the gradient of the summed smoothed loss to all gradients; scale is 1 / scored tokens of the batch.
  package func backward(scale: Double) {
    precondition(hasGradient, "backward follows forward in training mode and loss")
    hasGradient = false
    let d = view(activations.gradient!)
    activations.head.backward(hidden, scale: scale, into: d.real, on: device)
    if let norm = activations.finalNorm {
      let last = activations.training[configuration.layers - 1].block
      norm.backward(view(last.result).real, dy: d.real, into: d, on: device)
    }
    activations.scratch.scope.begin()
    for index in (0..<configuration.layers).reversed() { backward(block: index, d) }
    activations.scratch.scope.end()
    activations.embedding.backward(savedTokens, d: d, length: length, mask: mask(site: 0), on: device)
  }

  /// `d` holds the gradient of the block's result before and that of its input afterwards.
  private func backward(block index: Int, _ d: MixedMatrix<Scalar>) {
    let layer = activations.training[index], batch = batch(at: index)
    if activations.checkpoints[index] != nil && index != activations.lastCheckpoint {
      layer.scope.begin()
      layer.block.forward(stream(before: index), batch, activations.scratch, on: device)
    }
    layer.block.backward(stream(before: index), d: d, batch, activations.scratch, on: device)
    layer.scope.end()
  }

  /// The residual stream before a block, recomputed unless it was saved.
  private func stream(before index: Int) -> MixedMatrix<Scalar> {
    guard index > 0 else { return view(activations.embedding.result) }
    if let checkpoint = activations.checkpoints[index - 1] { return view(checkpoint) }
    let block = activations.training[index - 1].block
    block.recomputeResult(rows: tokenCount, on: device)
    return view(block.result)
  }

  /// Clears all gradients, and the sums of ``readStep()``.
  package func zeroGradients() {
    if let gradients = store.gradients { device.fill(gradients, 0) }
    clear(activations.trainingLoss.numbers)
    clear(activations.squaredNorm)
    for memory in memories { memory.valueGradient?.clear() }
  }

  // MARK: The micro-batch at hand

  private var tokenCount: Int { sequences * length }

  private var savedTokens: DeviceArray<Int32> { activations.tokens[0..<tokenCount] }

  /// The final hidden states.
  var hidden: Operand<Scalar> { activations.final.rows(0..<tokenCount) }

  private func view(_ matrix: MixedMatrix<Scalar>) -> MixedMatrix<Scalar> { matrix.rows(0..<tokenCount) }

  private func batch(at layer: Int, spans: [CacheSpan<Scalar>]? = nil) -> Block<Device>.Batch {
    Block.Batch(
      sequences: sequences, length: length, isTraining: mode != .evaluation,
      masks: (mask(site: 2 * layer + 1), mask(site: 2 * layer + 2)), spans: spans)
  }

  /// The dropout mask of one site in the model: 0 is the embedding, and each block has two.
  private func mask(site: Int) -> DropoutMask {
    guard configuration.dropout > 0, case .training(let step, let microBatch) = mode else { return .none }
    var key = RandomGenerator.mix(seed)
    for part in [step, UInt64(microBatch), UInt64(site)] { key = RandomGenerator.mix(key &+ part &+ 1) }
    return DropoutMask(key: key, probability: configuration.dropout)
  }

  // MARK: Making a model

  /// - Parameters:
  ///   - batch: the largest micro-batch; any other may be used that has no more tokens.
  ///   - microBatches: the most of one step: decides how many reads of memories can be gathered.
  ///   - recomputes: saves only the results of blocks without a memory; the backward pass recomputes their activations to
  ///     the same bits.
  ///   - isInitialized: draws the parameters; otherwise they are zeros until something is read into them.
  ///   - checksMemory: stops the program if two live buffers overlap, and overwrites dead ones with NaN.
  package init(
    _ configuration: ModelConfiguration, device: Device, batch: (sequences: Int, length: Int), training: Bool,
    microBatches: Int = 1, recomputes: Bool = false, isInitialized: Bool = true, seed: UInt64,
    checksMemory: Bool = BufferLedger.isOnByDefault
  ) throws(Failure) {
    try configuration.validate()
    self.configuration = configuration
    self.device = device
    self.seed = seed
    isTrainable = training
    let rows = batch.sequences * batch.length
    maximumTokens = rows
    let isBF16 = device.operandsAreBF16
    let store = try ParameterStore<Scalar>(
      configuration, training: training, isBF16: device.wantsWeightCopies(isTraining: training), on: device)
    self.store = store
    (activations, arena) = try ArenaPlan.build(on: device, isChecked: checksMemory) {
      ActivationPlan(
        configuration, store, rows: rows, isBF16: isBF16, microBatches: training ? microBatches : nil,
        recomputes: recomputes, &$0)
    }
    // oneDNN crashes where its kernels find no memory, with all signals blocked.
    if !MemoryExhaustion.hasRoom(Self.kernelBytes) {
      throw .noMemory("for the kernels of the matrix products")
    }
    if isInitialized { initialize() }
  }

  /// Some dozens of kernels, each of up to 320 KiB, and what is needed to make them.
  private static var kernelBytes: Int { 32 << 20 }

  /// Bytes of activations and scratch, the reads of memories included, of such a model, without making it.
  package static func activationBytes(
    _ configuration: ModelConfiguration, batch: (sequences: Int, length: Int), microBatches: Int?,
    recomputes: Bool = false, isBF16: Bool
  ) throws(Failure) -> Int {
    let store = try ParameterStore<Scalar>(
      configuration, training: microBatches != nil, isBF16: isBF16, on: nil as Device?)
    return ArenaPlan.measure {
      ActivationPlan(
        configuration, store, rows: batch.sequences * batch.length, isBF16: isBF16,
        microBatches: microBatches, recomputes: recomputes, &$0)
    }
  }
}
