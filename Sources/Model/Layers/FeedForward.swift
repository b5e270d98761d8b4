/// Two linear layers with a GELU of width 4d between them.
struct FeedForward<Device: Operations> {
  typealias Scalar = Device.Scalar
  private let input: Linear<Device>
  private let output: Linear<Device>
  /// Before the activation, tokens × 4d; the backward pass replaces it by its gradient. The activation itself is
  /// recomputed.
  private let hidden: Operand<Scalar>

  /// Activations after the GELU, tokens × 4d, which all feed-forward layers share.
  struct Scratch {
    let scope: BufferScope
    let active: Operand<Scalar>

    init(_ configuration: ModelConfiguration, rows: Int, isBF16: Bool, _ plan: inout ArenaPlan) {
      let (active, scope) = plan.scope("feed-forward activations", .scratch) { plan in
        plan.operand("active", rows, 4 * configuration.dim, isBF16: isBF16) as Operand<Scalar>
      }
      (self.scope, self.active) = (scope, active)
    }
  }

  init(
    _ name: String, _ configuration: ModelConfiguration, in store: ParameterStore<Scalar>, rows: Int,
    isBF16: Bool, _ plan: inout ArenaPlan
  ) {
    input = Linear(name + ".input", in: store)
    output = Linear(name + ".output", in: store)
    hidden = plan.operand(name + ".hidden", rows, 4 * configuration.dim, isBF16: isBF16)
  }

  /// out = stream + dropout(W₂ GELU(W₁ x + b₁) + b₂). `saving` stores what the backward pass needs.
  func forward(
    _ x: Operand<Scalar>, saving: Bool, _ scratch: Scratch, addingTo stream: Matrix<Scalar>,
    mask: DropoutMask, into out: Matrix<Scalar>, on device: Device
  ) {
    scratch.scope.begin()
    defer { scratch.scope.end() }
    let rows = 0..<x.rows, active = scratch.active.rows(rows)
    input.forward(
      x, epilogue: .biasGELU(input.bias, save: saving ? hidden.rows(rows) : nil, into: active), on: device)
    output.forward(active, addingTo: stream, mask: mask, into: out, on: device)
  }

  /// Unless `adding`, dx must not be the matrix that dy is an operand of.
  func backward(
    _ x: Operand<Scalar>, dy: Operand<Scalar>, _ scratch: Scratch, into dx: Matrix<Scalar>, adding: Bool,
    on device: Device
  ) {
    scratch.scope.begin()
    defer { scratch.scope.end() }
    let rows = 0..<x.rows, hidden = hidden.rows(rows), active = scratch.active.rows(rows)
    output.backward(dy: dy, epilogue: .geluBackward(hidden, recompute: active), on: device)
    output.addGradients(active, dy: dy, on: device)
    input.backward(x, dy: hidden, into: dx, adding: adding, on: device)
  }
}
