/// Two linear layers, 4d wide between, with GELU.
struct FeedForward<Device: Operations> {
  typealias Scalar = Device.Scalar
  private let input: Linear<Device>
  let output: Linear<Device>
  /// Before and after the activation, tokens × 4d.
  private let hidden: Matrix<Scalar>
  private let active: Matrix<Scalar>

  init(
    _ name: String, _ configuration: ModelConfiguration, in store: ParameterStore<Scalar>, rows: Int,
    _ plan: inout ArenaPlan
  ) {
    input = Linear(name + ".input", in: store)
    output = Linear(name + ".output", in: store)
    hidden = plan.matrix(rows, 4 * configuration.dim)
    active = plan.matrix(rows, 4 * configuration.dim)
  }

  /// y = the second layer without its bias.
  func forward(_ x: Matrix<Scalar>, into y: Matrix<Scalar>, on device: Device) {
    let rows = 0..<x.rows
    input.forwardWithoutBias(x, into: hidden.rows(rows), on: device)
    device.biasGELU(input.bias, hidden.rows(rows), into: active.rows(rows))
    output.forwardWithoutBias(active.rows(rows), into: y, on: device)
  }

  /// `workspace` is tokens × 4d; dy may be dx when adding.
  func backward(
    _ x: Matrix<Scalar>, dy: Matrix<Scalar>, workspace: Matrix<Scalar>, into dx: Matrix<Scalar>, adding: Bool,
    on device: Device
  ) {
    let rows = 0..<x.rows
    let d = workspace.rows(rows)
    output.backward(active.rows(rows), dy: dy, into: d, adding: false, on: device)
    device.geluBackward(hidden.rows(rows), d)
    input.backward(x, dy: d, into: dx, adding: adding, on: device)
  }
}
