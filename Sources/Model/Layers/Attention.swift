/// Causal multi-head self-attention (Vaswani 2017).
///
/// Scores are never kept: the backward pass computes them again.
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

  init(
    _ name: String, _ configuration: ModelConfiguration, in store: ParameterStore<Scalar>, rows: Int,
    isBF16: Bool, _ plan: inout ArenaPlan
  ) {
    input = Linear(name + ".input", in: store)
    output = Linear(name + ".output", in: store)
    heads = configuration.heads
    qkv = plan.operand(rows, 3 * configuration.dim, isBF16: isBF16)
    mixed = plan.operand(rows, configuration.dim, isBF16: isBF16)
    logSumExp = plan.vector(rows * heads)
  }

  private func shape(sequences: Int, length: Int) -> AttentionShape {
    AttentionShape(sequences: sequences, length: length, heads: heads, headDimension: mixed.columns / heads)
  }

  /// out = stream + dropout(the projected results of the heads).
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

  /// The same for new tokens of sequences whose keys and values before them are cached.
  ///
  /// These few rows stay reals, in `space`, tokens × 4d.
  func extend(
    _ x: Operand<Scalar>, pieces: [CacheSpan<Scalar>], space: Matrix<Scalar>,
    addingTo stream: Matrix<Scalar>, into out: Matrix<Scalar>, on device: Device
  ) {
    let d = mixed.columns
    let inputs = Matrix(space.pointer, rows: x.rows, columns: 3 * d)
    let result = Matrix(space.pointer + x.rows * 3 * d, rows: x.rows, columns: d)
    input.forward(x, into: Operand(inputs), on: device)
    let mixed = mixed.rows(0..<x.rows), target = mixed.source(result)
    device.attention(heads: heads, appending: inputs, to: pieces, out: target)
    device.round(target, into: mixed)
    output.forward(mixed, addingTo: stream, mask: .none, into: out, on: device)
  }

  /// `space` is tokens × 4d; dx is another matrix than what dy was made from unless adding.
  func backward(
    _ x: Operand<Scalar>, dy: Operand<Scalar>, sequences: Int, length: Int, space: Operand<Scalar>,
    into dx: Matrix<Scalar>, adding: Bool, on device: Device
  ) {
    let rows = 0..<x.rows, d = mixed.columns
    let dMixed = space.part(from: 0, rows: x.rows, columns: d)
    let dQKV = space.part(from: x.rows * d, rows: x.rows, columns: 3 * d)
    output.addGradients(mixed.rows(rows), dy: dy, on: device)
    output.backward(dy: dy, epilogue: .round(into: dMixed), on: device)
    device.attentionBackward(
      shape(sequences: sequences, length: length), qkv: qkv.rows(rows), out: mixed.rows(rows),
      dOut: dMixed, logSumExp: logSumExp, dQKV: dQKV)
    input.backward(x, dy: dQKV, into: dx, adding: adding, on: device)
  }
}
