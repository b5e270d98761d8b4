/// Two linear layers, 4d wide between, with GELU.
struct FeedForward<Device: Operations> {
  typealias Scalar = Device.Scalar
  private let input: Linear<Device>
  let output: Linear<Device>
  /// Before the activation, tokens × 4d.
  ///
  /// What comes after it is not kept but made again.
  private let hidden: Operand<Scalar>

  init(
    _ name: String, _ configuration: ModelConfiguration, in store: ParameterStore<Scalar>, rows: Int,
    isHalf: Bool, _ plan: inout ArenaPlan
  ) {
    input = Linear(name + ".input", in: store)
    output = Linear(name + ".output", in: store)
    hidden = plan.operand(rows, 4 * configuration.dim, isHalf: isHalf)
  }

  /// y = the second layer without its bias.
  ///
  /// `space` and `active` are tokens × 4d.
  func forward(
    _ x: Operand<Scalar>, space: Matrix<Scalar>, active: Operand<Scalar>, into y: Matrix<Scalar>,
    on device: Device
  ) {
    let hidden = hidden.rows(0..<x.rows), active = active.rows(0..<x.rows)
    let product = hidden.source(space)
    input.forwardWithoutBias(x, into: product, on: device)
    device.biasGELU(input.bias, product, keeping: hidden, into: active)
    output.forwardWithoutBias(active, into: y, on: device)
  }

  /// `space` and `active` are tokens × 4d; dx is another matrix than what dy was made from unless adding.
  func backward(
    _ x: Operand<Scalar>, dy: Operand<Scalar>, space: Twin<Scalar>, active: Operand<Scalar>,
    into dx: Matrix<Scalar>, adding: Bool, on device: Device
  ) {
    let d = space.rows(0..<x.rows), active = active.rows(0..<x.rows)
    output.backward(dy: dy, into: d.real, adding: false, on: device)
    device.geluBackward(hidden.rows(0..<x.rows), d.real, into: d.operand, again: active)
    output.addGradients(active, dy: dy, on: device)
    input.backward(x, dy: d.operand, into: dx, adding: adding, on: device)
  }
}
