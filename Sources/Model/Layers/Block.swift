/// One layer of the transformer: attention, then a feed-forward or a memory, each a branch that adds to the residual
/// stream.
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
  private let sums: Sums
  /// Outputs of the two norms. All blocks share them: the backward pass recomputes them.
  private let normOutput1, normOutput2: NormOutput

  /// The two residual sums, tokens × d: x + attention, and that + the sublayer.
  ///
  /// Blocks may share them if no backward pass needs them. With pre-norm, x is then the earlier content of the second
  /// sum, which is the last that a block writes.
  struct Sums {
    let first, second: Matrix<Scalar>

    init(_ name: String, _ configuration: ModelConfiguration, rows: Int, _ plan: inout ArenaPlan) {
      first = plan.matrix(name + ".first_sum", rows, configuration.dim)
      second = plan.matrix(name + ".second_sum", rows, configuration.dim)
    }
  }

  /// The output of a norm, tokens × d.
  struct NormOutput {
    let operand: Operand<Scalar>
    /// With post-norm it is the residual stream itself; with pre-norm it is only multiplied.
    let real: Matrix<Scalar>?

    init(
      _ name: String, _ configuration: ModelConfiguration, rows: Int, isBF16: Bool, _ plan: inout ArenaPlan
    ) {
      operand = plan.operand(name, rows, configuration.dim, isBF16: isBF16)
      switch configuration.norm {
      case .pre: real = nil
      case .post where isBF16: real = plan.matrix(name + ".real", rows, configuration.dim)
      case .post: real = operand.reals
      }
    }

    func rows(_ rows: Range<Int>) -> MixedMatrix<Scalar> {
      MixedMatrix(real: real!, operand: operand).rows(rows)
    }
  }

  /// Buffers that all blocks share, in the forward and the backward pass.
  struct Scratch {
    let scope: BufferScope
    /// Forward: the output of a memory. Backward: the gradient of a branch's input. Tokens × d.
    let branch: Matrix<Scalar>
    let feedForward: FeedForward<Device>.Scratch
    /// The queries of memories.
    let queries: MixedMatrix<Scalar>?
    /// The output of the first norm.
    let normOutput: NormOutput
    let passes: Passes

    enum Passes {
      case training(Backward)
      case inference(Attention<Device>.CachedScratch)
    }

    struct Backward {
      let attention: Attention<Device>.Gradients
      /// With dropout: the gradient of a branch's result, tokens × d.
      let masked: MixedMatrix<Scalar>
      let memory: ProductKeyMemory<Device>.Workspace?
    }
  }

  /// The micro-batch at hand.
  struct Batch {
    let sequences, length: Int
    let isTraining: Bool
    let masks: (DropoutMask, DropoutMask)
    /// While generating: which rows belong to which cached sequence.
    var spans: [CacheSpan<Scalar>]?
  }

  /// - Parameters:
  ///   - normOutputs: of the two norms; with pre-norm they are one.
  ///   - queries: see ``Scratch/queries``.
  ///   - valueGradient: of the memory, if this layer holds one and is trained.
  init(
    _ layer: Int, _ configuration: ModelConfiguration, in store: ParameterStore<Scalar>, rows: Int,
    sums: Sums, normOutputs: (NormOutput, NormOutput), queries: MixedMatrix<Scalar>?,
    valueGradient: ValueGradient<Scalar>?, isBF16: Bool, _ plan: inout ArenaPlan
  ) {
    let name = "blocks.\(layer)"
    isPostNorm = configuration.norm == .post
    self.sums = sums
    (normOutput1, normOutput2) = normOutputs
    attention = Attention(name + ".attention", configuration, in: store, rows: rows, isBF16: isBF16, &plan)
    sublayer =
      if configuration.hasMemory(at: layer), let memory = configuration.memory {
        .memory(
          ProductKeyMemory(
            name + ".memory", memory, in: store, rows: rows, queries: queries!, valueGradient: valueGradient,
            &plan))
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

  /// The residual stream after this block. With pre-norm it is never multiplied as it is; with post-norm the next block
  /// overwrites it.
  var result: MixedMatrix<Scalar> {
    isPostNorm
      ? normOutput2.rows(0..<sums.second.rows)
      : MixedMatrix(real: sums.second, operand: Operand(sums.second))
  }

  /// Recomputes ``result`` of the last forward pass.
  func recomputeResult(rows: Int, on device: Device) {
    if isPostNorm { norm2.forward(sums.second.rows(0..<rows), into: normOutput2.rows(0..<rows), on: device) }
  }

  /// Leaves its result in ``result``.
  func forward(_ x: MixedMatrix<Scalar>, _ batch: Batch, _ scratch: Scratch, on device: Device) {
    let rows = 0..<x.real.rows
    let (sum1, sum2) = (sums.first.rows(rows), sums.second.rows(rows))

    if !isPostNorm { norm1.forward(x.real, into: normOutput1.operand.rows(rows), on: device) }
    let attended = isPostNorm ? x.operand : normOutput1.operand.rows(rows)
    if let spans = batch.spans, case .inference(let cached) = scratch.passes {
      attention.extend(attended, spans: spans, cached, addingTo: x.real, into: sum1, on: device)
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
        input, saving: batch.isTraining, scratch.feedForward, addingTo: stream, mask: batch.masks.1,
        into: sum2, on: device)
    case .memory(let layer):
      // The paper's memory has neither an output bias nor the model's dropout.
      let branch = scratch.branch.rows(rows)
      layer.forward(input, training: batch.isTraining, into: branch, on: device)
      device.add(stream, branch, into: sum2)
    }
    if isPostNorm { norm2.forward(sum2, into: normOutput2.rows(rows), on: device) }
  }

  /// `d` holds the gradient of ``result`` before and that of x afterwards.
  func backward(
    _ x: MixedMatrix<Scalar>, d: MixedMatrix<Scalar>, _ batch: Batch, _ scratch: Scratch, on device: Device
  ) {
    guard case .training(let buffers) = scratch.passes else { preconditionFailure("made without training") }
    let rows = 0..<x.real.rows
    let (sum1, sum2) = (sums.first.rows(rows), sums.second.rows(rows))
    // Post-norm: a branch reads the stream itself, so the gradient of its input is added to d. Pre-norm: that gradient
    // first passes through the norm. Either way a norm is the last to write d, and it writes d's operand, too.
    let inputGradient = isPostNorm ? d.real : scratch.branch.rows(rows)

    // The norms' outputs are recomputed to the same bits.
    if isPostNorm {
      norm2.backward(sum2, dy: d.real, into: d, on: device)
      norm1.forward(sum1, into: normOutput1.rows(rows), on: device)
    } else {
      norm2.forward(sum1, into: normOutput2.operand.rows(rows), on: device)
    }
    let input = (isPostNorm ? normOutput1 : normOutput2).operand.rows(rows)
    switch sublayer {
    case .feedForward(let layer):
      layer.backward(
        input, dy: masked(d, batch.masks.1, buffers, on: device), scratch.feedForward, into: inputGradient,
        adding: isPostNorm, on: device)
    case .memory(let layer):
      layer.backward(
        input, dy: d.real, training: batch.isTraining, workspace: buffers.memory!, into: inputGradient,
        adding: isPostNorm, on: device)
    }
    if !isPostNorm { norm2.backward(sum1, dy: inputGradient, into: d, adding: true, on: device) }

    if isPostNorm {
      norm1.backward(sum1, dy: d.real, into: d, on: device)
    } else {
      norm1.forward(x.real, into: normOutput1.operand.rows(rows), on: device)
    }
    attention.backward(
      isPostNorm ? x.operand : normOutput1.operand.rows(rows),
      dy: masked(d, batch.masks.0, buffers, on: device), sequences: batch.sequences, length: batch.length,
      buffers.attention, into: inputGradient, adding: isPostNorm, on: device)
    if !isPostNorm { norm1.backward(x.real, dy: inputGradient, into: d, adding: true, on: device) }
  }

  /// The gradient of a branch before dropout: d itself where nothing was dropped.
  private func masked(
    _ d: MixedMatrix<Scalar>, _ mask: DropoutMask, _ buffers: Scratch.Backward, on device: Device
  ) -> Operand<Scalar> {
    guard mask.probability > 0 else { return d.operand }
    let branch = buffers.masked.rows(0..<d.real.rows)
    device.copy(d.real.elements, to: branch.real.elements)
    device.dropout(branch.real, mask)
    device.round(branch.real, into: branch.operand)
    return branch.operand
  }
}
