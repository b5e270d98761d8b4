import Support

/// One layer of the transformer: attention, then a feed-forward or a memory, each a branch that adds into the stream.
///
///     post-norm: x ← LN(x + branch(x))          pre-norm: x ← x + branch(LN(x))
struct Block<Device: Operations> {
  typealias Scalar = Device.Scalar

  private enum Second {
    case feedForward(FeedForward<Device>)
    case memory(ProductKeyMemory<Device>)
  }

  private let isPostNorm: Bool
  private let attention: Attention<Device>
  private let second: Second
  private let norm1, norm2: LayerNorm<Device>
  /// Results of the two sums and of the two norms, tokens × d.
  private let sum1, sum2, normed1, normed2: Matrix<Scalar>

  /// What the backward passes of all blocks share, tokens × d and tokens × 4d.
  struct Workspace {
    let branch, input, wide: Matrix<Scalar>
    let memory: ProductKeyMemory<Device>.Workspace?
  }

  /// The micro-batch at hand.
  struct Batch {
    let sequences, length: Int
    let training: Bool
    let masks: (DropoutMask, DropoutMask)
    /// Keys and values of the tokens before this piece of one sequence, and how many they are.
    var cache: (rows: Matrix<Scalar>, position: Int)?
  }

  init(
    _ layer: Int, _ configuration: ModelConfiguration, in store: ParameterStore<Scalar>, rows: Int,
    microBatches: Int?, _ plan: inout ArenaPlan
  ) {
    let name = "blocks.\(layer)"
    isPostNorm = configuration.norm == .post
    // First, so that they lie alike in all blocks: where blocks share memory, x is the former content of the result,
    // which is written last.
    let d = configuration.dim
    (sum1, normed1) = (plan.matrix(rows, d), plan.matrix(rows, d))
    (sum2, normed2) = (plan.matrix(rows, d), plan.matrix(rows, d))
    attention = Attention(name + ".attention", configuration, in: store, rows: rows, &plan)
    second =
      if configuration.hasMemory(at: layer), let memory = configuration.memory {
        .memory(
          ProductKeyMemory(name + ".memory", memory, in: store, rows: rows, microBatches: microBatches, &plan)
        )
      } else {
        .feedForward(FeedForward(name + ".feed_forward", configuration, in: store, rows: rows, &plan))
      }
    norm1 = LayerNorm(name + ".norm1", in: store, rows: rows, &plan)
    norm2 = LayerNorm(name + ".norm2", in: store, rows: rows, &plan)
  }

  var memory: ProductKeyMemory<Device>? {
    if case .memory(let memory) = second { memory } else { nil }
  }

  var result: Matrix<Scalar> { isPostNorm ? normed2 : sum2 }

  /// Leaves its result in ``result``; `branch` is scratch, tokens × d.
  func forward(_ x: Matrix<Scalar>, _ batch: Batch, branch: Matrix<Scalar>, on device: Device) {
    let rows = 0..<x.rows
    let (sum1, sum2) = (sum1.rows(rows), sum2.rows(rows))
    let (normed1, normed2) = (normed1.rows(rows), normed2.rows(rows))

    if !isPostNorm { norm1.forward(x, into: normed1, on: device) }
    let attended = isPostNorm ? x : normed1
    if let cache = batch.cache {
      attention.extend(attended, cache: cache.rows, at: cache.position, into: branch, on: device)
    } else {
      attention.forward(attended, sequences: batch.sequences, length: batch.length, into: branch, on: device)
    }
    device.residual(x, branch: branch, bias: attention.output.bias, mask: batch.masks.0, into: sum1)
    if isPostNorm { norm1.forward(sum1, into: normed1, on: device) }

    let stream = isPostNorm ? normed1 : sum1
    if !isPostNorm { norm2.forward(sum1, into: normed2, on: device) }
    let input = isPostNorm ? normed1 : normed2
    switch second {
    case .feedForward(let layer):
      layer.forward(input, into: branch, on: device)
      device.residual(stream, branch: branch, bias: layer.output.bias, mask: batch.masks.1, into: sum2)
    case .memory(let layer):
      // The paper's memory has neither an output bias nor the model's dropout.
      layer.forward(input, training: batch.training, into: branch, on: device)
      device.residual(stream, branch: branch, bias: nil, mask: .none, into: sum2)
    }
    if isPostNorm { norm2.forward(sum2, into: normed2, on: device) }
  }

  /// `d` goes in as the gradient of ``result`` and comes out as that of x.
  func backward(_ x: Matrix<Scalar>, d: Matrix<Scalar>, _ batch: Batch, _ space: Workspace, on device: Device)
  {
    let rows = 0..<x.rows
    let (sum1, sum2) = (sum1.rows(rows), sum2.rows(rows))
    let (normed1, normed2) = (normed1.rows(rows), normed2.rows(rows))
    // Post-norm: a branch reads the stream itself, so its input's gradient is added to d. Pre-norm: it goes through
    // the norm first.
    let inputGradient = isPostNorm ? d : space.input.rows(rows)

    if isPostNorm { norm2.backward(sum2, dy: d, into: d, on: device) }
    let input = isPostNorm ? normed1 : normed2
    switch second {
    case .feedForward(let layer):
      layer.backward(
        input, dy: masked(d, batch.masks.1, space, on: device), workspace: space.wide, into: inputGradient,
        adding: isPostNorm, on: device)
    case .memory(let layer):
      layer.backward(
        input, dy: d, training: batch.training, workspace: space.memory!, into: inputGradient,
        adding: isPostNorm,
        on: device)
    }
    if !isPostNorm { norm2.backward(sum1, dy: inputGradient, into: d, adding: true, on: device) }

    if isPostNorm { norm1.backward(sum1, dy: d, into: d, on: device) }
    attention.backward(
      isPostNorm ? x : normed1, dy: masked(d, batch.masks.0, space, on: device), sequences: batch.sequences,
      length: batch.length, workspace: space.wide, into: inputGradient, adding: isPostNorm, on: device)
    if !isPostNorm { norm1.backward(x, dy: inputGradient, into: d, adding: true, on: device) }
  }

  /// The gradient of a branch before dropout: d itself where nothing was dropped.
  private func masked(_ d: Matrix<Scalar>, _ mask: DropoutMask, _ space: Workspace, on device: Device)
    -> Matrix<Scalar>
  {
    guard mask.probability > 0 else { return d }
    let branch = space.branch.rows(0..<d.rows)
    device.copy(d.elements, to: branch.elements)
    device.dropout(branch, mask)
    return branch
  }
}
