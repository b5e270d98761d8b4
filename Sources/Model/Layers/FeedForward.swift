/// Two linear layers, 4d wide between, with GELU.
struct FeedForward<Device: Operations> {
  typealias Scalar = Device.Scalar
  private let input: Linear<Device>
  private let output: Linear<Device>
  /// Before the activation, tokens × 4d; the backward pass replaces it by its gradient.
  ///
  /// What comes after it is not kept but made again.
  private let hidden: Operand<Scalar>

  init(
    _ name: String, _ configuration: ModelConfiguration, in store: ParameterStore<Scalar>, rows: Int,
    isBF16: Bool, _ plan: inout ArenaPlan
  ) {
    input = Linear(name + ".input", in: store)
    output = Linear(name + ".output", in: store)
    hidden = plan.operand(rows, 4 * configuration.dim, isBF16: isBF16)
  }

  /// out = stream + dropout(the second layer of the activation of the first).
  ///
  /// `active` is tokens × 4d. `keeping` what the backward pass needs.
  func forward(
    _ x: Operand<Scalar>, keeping: Bool, active: Operand<Scalar>, addingTo stream: Matrix<Scalar>,
    mask: DropoutMask, into out: Matrix<Scalar>, on device: Device
  ) {
    let rows = 0..<x.rows, active = active.rows(rows)
    input.forward(
      x, epilogue: .biasGELU(input.bias, keeping: keeping ? hidden.rows(rows) : nil, into: active), on: device
    )
    output.forward(active, addingTo: stream, mask: mask, into: out, on: device)
  }

  /// `active` is tokens × 4d; dx is another matrix than what dy was made from unless adding.
  func backward(
    _ x: Operand<Scalar>, dy: Operand<Scalar>, active: Operand<Scalar>, into dx: Matrix<Scalar>, adding: Bool,
    on device: Device
  ) {
    let rows = 0..<x.rows, hidden = hidden.rows(rows), active = active.rows(rows)
    output.backward(dy: dy, epilogue: .geluBackward(hidden, again: active), on: device)
    output.addGradients(active, dy: dy, on: device)
    input.backward(x, dy: hidden, into: dx, adding: adding, on: device)
  }
}
