/// Causal multi-head self-attention (Vaswani et al., 2017).
///
/// The scores are never stored: the backward pass recomputes them.
struct Attention<Device: Operations> {
  typealias Scalar = Device.Scalar
  private let input: Linear<Device>
  private let output: Linear<Device>
  private let heads: Int

  /// Queries, keys and values side by side, tokens × 3d.
  private let qkv: Operand<Scalar>
  /// The heads' results side by side, tokens × d.
  private let mixed: Operand<Scalar>
  private let logSumExp: Vector<Scalar>

  /// Gradients of ``qkv`` and ``mixed``, which all backward passes share.
  struct Gradients {
    let scope: BufferScope
    let qkv, mixed: Operand<Scalar>

    init(_ configuration: ModelConfiguration, rows: Int, isBF16: Bool, _ plan: inout ArenaPlan) {
      let d = configuration.dim
      let ((mixed, qkv), scope) = plan.scope("attention gradients", .scratch) { plan in
        (
          plan.operand("mixed gradient", rows, d, isBF16: isBF16) as Operand<Scalar>,
          plan.operand("qkv gradient", rows, 3 * d, isBF16: isBF16) as Operand<Scalar>
        )
      }
      (self.scope, self.mixed, self.qkv) = (scope, mixed, qkv)
    }
  }

  /// What ``extend(_:spans:_:addingTo:into:on:)`` computes with: reals, whatever the precision.
  struct CachedScratch {
    let scope: BufferScope
    let qkv, mixed: Matrix<Scalar>

    init(_ configuration: ModelConfiguration, rows: Int, _ plan: inout ArenaPlan) {
      let d = configuration.dim
      let ((qkv, mixed), scope) = plan.scope("cached attention", .scratch) { plan in
        (
          plan.matrix("new qkv", rows, 3 * d) as Matrix<Scalar>,
          plan.matrix("new mixed", rows, d) as Matrix<Scalar>
        )
      }
      (self.scope, self.qkv, self.mixed) = (scope, qkv, mixed)
    }
  }

  init(
    _ name: String, _ configuration: ModelConfiguration, in store: ParameterStore<Scalar>, rows: Int,
    isBF16: Bool, _ plan: inout ArenaPlan
  ) {
    input = Linear(name + ".input", in: store)
    output = Linear(name + ".output", in: store)
    heads = configuration.heads
    qkv = plan.operand(name + ".qkv", rows, 3 * configuration.dim, isBF16: isBF16)
    mixed = plan.operand(name + ".mixed", rows, configuration.dim, isBF16: isBF16)
    logSumExp = plan.vector(name + ".log_sum_exp", rows * heads)
  }

  private func shape(sequences: Int, length: Int) -> AttentionShape {
    AttentionShape(sequences: sequences, length: length, heads: heads, headDimension: mixed.columns / heads)
  }

  /// out = stream + dropout(projection of the heads' results).
  func forward(
    _ x: Operand<Scalar>, sequences: Int, length: Int, addingTo stream: Matrix<Scalar>, mask: DropoutMask,
    into out: Matrix<Scalar>, on device: Device
  ) {
    let rows = 0..<x.rows
    input.forward(x, into: qkv.rows(rows), on: device)
    device.attention(
      shape(sequences: sequences, length: length), qkv: qkv.rows(rows), out: mixed.rows(rows),
      logSumExp: logSumExp)
    output.forward(mixed.rows(rows), addingTo: stream, mask: mask, into: out, on: device)
  }

  /// The same for new tokens of sequences whose earlier keys and values are cached.
  func extend(
    _ x: Operand<Scalar>, spans: [CacheSpan<Scalar>], _ scratch: CachedScratch,
    addingTo stream: Matrix<Scalar>, into out: Matrix<Scalar>, on device: Device
  ) {
    scratch.scope.begin()
    defer { scratch.scope.end() }
    let rows = 0..<x.rows, newQKV = scratch.qkv.rows(rows)
    input.forward(x, into: Operand(newQKV), on: device)
    let mixed = mixed.rows(rows), newMixed = mixed.reals ?? scratch.mixed.rows(rows)
    device.attention(heads: heads, appending: newQKV, to: spans, out: newMixed)
    device.round(newMixed, into: mixed)
    output.forward(mixed, addingTo: stream, mask: .none, into: out, on: device)
  }

  /// Unless `adding`, dx must not be the matrix that dy is an operand of.
  func backward(
    _ x: Operand<Scalar>, dy: Operand<Scalar>, sequences: Int, length: Int, _ gradients: Gradients,
    into dx: Matrix<Scalar>, adding: Bool, on device: Device
  ) {
    gradients.scope.begin()
    defer { gradients.scope.end() }
    let rows = 0..<x.rows, dMixed = gradients.mixed.rows(rows), dQKV = gradients.qkv.rows(rows)
    output.addGradients(mixed.rows(rows), dy: dy, on: device)
    output.backward(dy: dy, epilogue: .round(into: dMixed), on: device)
    device.attentionBackward(
      shape(sequences: sequences, length: length), qkv: qkv.rows(rows), out: mixed.rows(rows),
      dOut: dMixed, logSumExp: logSumExp, dQKV: dQKV)
    input.backward(x, dy: dQKV, into: dx, adding: adding, on: device)
  }
}
