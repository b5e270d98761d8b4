/// Causal multi-head self-attention (Vaswani 2017).
///
/// Scores are never kept: the backward pass computes them again.
struct Attention<Device: Operations> {
  typealias Scalar = Device.Scalar
  private let input: Linear<Device>
  let output: Linear<Device>
  private let heads: Int

  /// Queries, keys and values side by side, tokens × 3d.
  private let qkv: Matrix<Scalar>
  /// The heads' results side by side, tokens × d.
  private let mixed: Matrix<Scalar>
  private let logSumExp: Vector<Scalar>

  init(
    _ name: String, _ configuration: ModelConfiguration, in store: ParameterStore<Scalar>, rows: Int,
    _ plan: inout ArenaPlan
  ) {
    input = Linear(name + ".input", in: store)
    output = Linear(name + ".output", in: store)
    heads = configuration.heads
    qkv = plan.matrix(rows, 3 * configuration.dim)
    mixed = plan.matrix(rows, configuration.dim)
    logSumExp = plan.vector(rows * heads)
  }

  private func shape(sequences: Int, length: Int) -> AttentionShape {
    AttentionShape(sequences: sequences, length: length, heads: heads, headDimension: mixed.columns / heads)
  }

  /// y = the output projection without its bias.
  func forward(_ x: Matrix<Scalar>, sequences: Int, length: Int, into y: Matrix<Scalar>, on device: Device) {
    let rows = 0..<x.rows
    input.forward(x, into: qkv.rows(rows), on: device)
    device.attention(
      shape(sequences: sequences, length: length), qkv: qkv.rows(rows), out: mixed.rows(rows),
      logSumExp: logSumExp)
    output.forwardWithoutBias(mixed.rows(rows), into: y, on: device)
  }

  /// The same for new tokens of one sequence at `position`..., with the keys and values before them in `cache`.
  func extend(
    _ x: Matrix<Scalar>, cache: Matrix<Scalar>, at position: Int, into y: Matrix<Scalar>, on device: Device
  ) {
    let rows = 0..<x.rows
    input.forward(x, into: qkv.rows(rows), on: device)
    device.attention(heads: heads, appending: qkv.rows(rows), to: cache, at: position, out: mixed.rows(rows))
    output.forwardWithoutBias(mixed.rows(rows), into: y, on: device)
  }

  /// `workspace` is tokens × 4d; dy may be dx when adding.
  func backward(
    _ x: Matrix<Scalar>, dy: Matrix<Scalar>, sequences: Int, length: Int, workspace: Matrix<Scalar>,
    into dx: Matrix<Scalar>, adding: Bool, on device: Device
  ) {
    let rows = 0..<x.rows, d = mixed.columns
    let dMixed = Matrix(workspace.pointer, rows: x.rows, columns: d)
    let dQKV = Matrix(workspace.pointer + x.rows * d, rows: x.rows, columns: 3 * d)
    output.backward(mixed.rows(rows), dy: dy, into: dMixed, adding: false, on: device)
    device.attentionBackward(
      shape(sequences: sequences, length: length), qkv: qkv.rows(rows), out: mixed.rows(rows), dOut: dMixed,
      logSumExp: logSumExp, dQKV: dQKV)
    input.backward(x, dy: dQKV, into: dx, adding: adding, on: device)
  }
}
