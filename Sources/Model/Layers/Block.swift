import Support

/// One layer of the transformer: attention, then a feed-forward or a memory, each a branch that adds into the stream.
///
///     post-norm: x ← LN(x + branch(x))          pre-norm: x ← x + branch(LN(x))
struct Block<Device: Operations> {
  typealias Scalar = Device.Scalar

  private enum Sublayer {
    case feedForward(FeedForward<Device>)
    case memory(ProductKeyMemory<Device>)
  }

  private let isPostNorm: Bool
  private let attention: Attention<Device>
  private let sublayer: Sublayer
  private let norm1, norm2: LayerNorm<Device>
  /// Results of the two sums, tokens × d.
  private let sum1, sum2: Matrix<Scalar>
  /// Results of the two norms, in memory that all blocks share: they are not kept but made again.
  private let normOutput1, normOutput2: NormOutput

  /// The result of a norm, tokens × d.
  struct NormOutput {
    let operand: Operand<Scalar>
    /// The stream itself, with post-norm; with pre-norm it is only multiplied.
    let real: Matrix<Scalar>?

    init(_ configuration: ModelConfiguration, rows: Int, isBF16: Bool, _ plan: inout ArenaPlan) {
      operand = plan.operand(rows, configuration.dim, isBF16: isBF16)
      switch configuration.norm {
      case .pre: real = nil
      case .post where isBF16: real = plan.matrix(rows, configuration.dim)
      case .post: real = operand.reals
      }
    }

    func rows(_ rows: Range<Int>) -> MixedMatrix<Scalar> {
      MixedMatrix(real: real!, operand: operand).rows(rows)
    }
  }

  /// What the forward passes of all blocks share.
  struct Scratch {
    /// The result of a memory, tokens × d.
    let branch: Matrix<Scalar>
    /// The activations of a feed-forward, tokens × 4d.
    let active: Operand<Scalar>
    /// Of memories.
    let queries: MixedMatrix<Scalar>?
    /// Tokens × 4d, which only generation needs.
    let space: Matrix<Scalar>?
  }

  /// What the backward passes share; the first two may be those of the forward passes.
  struct Workspace {
    /// Tokens × 4d: the activations of a feed-forward, then the gradients of an attention.
    let active: Operand<Scalar>
    /// Tokens × d: the gradients of a branch's input and, with dropout, of its result.
    let input: Matrix<Scalar>
    let branch: MixedMatrix<Scalar>
    let memory: ProductKeyMemory<Device>.Workspace?
  }

  /// The micro-batch at hand.
  struct Batch {
    let sequences, length: Int
    let training: Bool
    let masks: (DropoutMask, DropoutMask)
    /// While generating: what is cached of the sequences that the tokens belong to.
    var pieces: [CacheSpan<Scalar>]?
  }

  /// - Parameters:
  ///   - normed: for the results of the two norms, which are the same memory with pre-norm.
  ///   - scratch: that ``forward(_:_:_:on:)`` will be given.
  init(
    _ layer: Int, _ configuration: ModelConfiguration, in store: ParameterStore<Scalar>, rows: Int,
    normOutput: (NormOutput, NormOutput), scratch: Scratch, microBatches: Int?, isBF16: Bool,
    _ plan: inout ArenaPlan
  ) {
    let name = "blocks.\(layer)"
    isPostNorm = configuration.norm == .post
    // First, so that they lie alike in all blocks: where blocks share memory, x is the former content of the result,
    // which is written last.
    sum1 = plan.matrix(rows, configuration.dim)
    sum2 = plan.matrix(rows, configuration.dim)
    (normOutput1, normOutput2) = normOutput
    attention = Attention(name + ".attention", configuration, in: store, rows: rows, isBF16: isBF16, &plan)
    sublayer =
      if configuration.hasMemory(at: layer), let memory = configuration.memory {
        .memory(
          ProductKeyMemory(
            name + ".memory", memory, in: store, rows: rows, queries: scratch.queries!,
            microBatches: microBatches, &plan))
      } else {
        .feedForward(
          FeedForward(name + ".feed_forward", configuration, in: store, rows: rows, isBF16: isBF16, &plan))
      }
    norm1 = LayerNorm(name + ".norm1", in: store, rows: rows, &plan)
    norm2 = LayerNorm(name + ".norm2", in: store, rows: rows, &plan)
  }

  var memory: ProductKeyMemory<Device>? {
    if case .memory(let memory) = sublayer { memory } else { nil }
  }

  /// The stream behind this block; with pre-norm nobody multiplies it as it is, and with post-norm the next block
  /// writes over it.
  var result: MixedMatrix<Scalar> {
    isPostNorm ? normOutput2.rows(0..<sum2.rows) : MixedMatrix(real: sum2, operand: Operand(sum2))
  }

  /// Makes ``result`` again of the last forward pass.
  func recomputeResult(rows: Int, on device: Device) {
    if isPostNorm { norm2.forward(sum2.rows(0..<rows), into: normOutput2.rows(0..<rows), on: device) }
  }

  /// Leaves its result in ``result``.
  func forward(_ x: MixedMatrix<Scalar>, _ batch: Batch, _ scratch: Scratch, on device: Device) {
    let rows = 0..<x.real.rows
    let (sum1, sum2) = (sum1.rows(rows), sum2.rows(rows))

    if !isPostNorm { norm1.forward(x.real, into: normOutput1.operand.rows(rows), on: device) }
    let attended = isPostNorm ? x.operand : normOutput1.operand.rows(rows)
    if let pieces = batch.pieces {
      attention.extend(
        attended, pieces: pieces, space: scratch.space!, addingTo: x.real, into: sum1, on: device)
    } else {
      attention.forward(
        attended, sequences: batch.sequences, length: batch.length, addingTo: x.real, mask: batch.masks.0,
        into: sum1, on: device)
    }
    if isPostNorm { norm1.forward(sum1, into: normOutput1.rows(rows), on: device) }

    let stream = isPostNorm ? normOutput1.rows(rows).real : sum1
    if !isPostNorm { norm2.forward(sum1, into: normOutput2.operand.rows(rows), on: device) }
    let input = (isPostNorm ? normOutput1 : normOutput2).operand.rows(rows)
    switch sublayer {
    case .feedForward(let layer):
      layer.forward(
        input, keeping: batch.training, active: scratch.active, addingTo: stream, mask: batch.masks.1,
        into: sum2, on: device)
    case .memory(let layer):
      // The paper's memory has neither an output bias nor the model's dropout.
      let branch = scratch.branch.rows(rows)
      layer.forward(input, training: batch.training, into: branch, on: device)
      device.add(stream, branch, into: sum2)
    }
    if isPostNorm { norm2.forward(sum2, into: normOutput2.rows(rows), on: device) }
  }

  /// `d` goes in as the gradient of ``result`` and comes out as that of x.
  func backward(
    _ x: MixedMatrix<Scalar>, d: MixedMatrix<Scalar>, _ batch: Batch, _ space: Workspace, on device: Device
  ) {
    let rows = 0..<x.real.rows
    let (sum1, sum2) = (sum1.rows(rows), sum2.rows(rows))
    // Post-norm: a branch reads the stream itself, so its input's gradient is added to d. Pre-norm: it goes through
    // the norm first. Either way the last thing that writes d is a norm, which leaves its operand, too.
    let inputGradient = isPostNorm ? d.real : space.input.rows(rows)

    if isPostNorm { norm2.backward(sum2, dy: d.real, into: d, on: device) }
    // Made again, to the same bits; so is the other norm's result, below.
    if isPostNorm {
      norm1.forward(sum1, into: normOutput1.rows(rows), on: device)
    } else {
      norm2.forward(sum1, into: normOutput2.operand.rows(rows), on: device)
    }
    let input = (isPostNorm ? normOutput1 : normOutput2).operand.rows(rows)
    switch sublayer {
    case .feedForward(let layer):
      layer.backward(
        input, dy: masked(d, batch.masks.1, space, on: device), active: space.active, into: inputGradient,
        adding: isPostNorm, on: device)
    case .memory(let layer):
      layer.backward(
        input, dy: d.real, training: batch.training, workspace: space.memory!, into: inputGradient,
        adding: isPostNorm,
        on: device)
    }
    if !isPostNorm { norm2.backward(sum1, dy: inputGradient, into: d, adding: true, on: device) }

    if isPostNorm {
      norm1.backward(sum1, dy: d.real, into: d, on: device)
    } else {
      norm1.forward(x.real, into: normOutput1.operand.rows(rows), on: device)
    }
    attention.backward(
      isPostNorm ? x.operand : normOutput1.operand.rows(rows),
      dy: masked(d, batch.masks.0, space, on: device), sequences: batch.sequences, length: batch.length,
      space: space.active, into: inputGradient, adding: isPostNorm, on: device)
    if !isPostNorm { norm1.backward(x.real, dy: inputGradient, into: d, adding: true, on: device) }
  }

  /// The gradient of a branch before dropout: d itself where nothing was dropped.
  private func masked(_ d: MixedMatrix<Scalar>, _ mask: DropoutMask, _ space: Workspace, on device: Device)
    -> Operand<Scalar>
  {
    guard mask.probability > 0 else { return d.operand }
    let branch = space.branch.rows(0..<d.real.rows)
    device.copy(d.real.elements, to: branch.real.elements)
    device.dropout(branch.real, mask)
    device.round(branch.real, into: branch.operand)
    return branch.operand
  }
}
