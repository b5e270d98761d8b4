/// The sum of token and learned position embeddings; with post-norm, normalized; then dropout.
struct Embedding<Device: Operations> {
  typealias Scalar = Device.Scalar
  let tokens: Matrix<Scalar>
  /// The table in the form that the output head multiplies.
  let operand: Operand<Scalar>
  private let positions: Matrix<Scalar>
  let tokenGradient: Matrix<Scalar>?
  private let positionGradient: Matrix<Scalar>?
  private let norm: LayerNorm<Device>?
  private let sum: Matrix<Scalar>
  /// The start of the residual stream; with pre-norm it is never multiplied as it is.
  let result: MixedMatrix<Scalar>

  init(
    _ configuration: ModelConfiguration, in store: ParameterStore<Scalar>, rows: Int, isBF16: Bool,
    _ plan: inout ArenaPlan
  ) {
    tokens = store.matrix("embedding.tokens")
    operand = store.operand("embedding.tokens")
    positions = store.matrix("embedding.positions")
    tokenGradient = store.matrixGradient("embedding.tokens")
    positionGradient = store.matrixGradient("embedding.positions")
    sum = plan.matrix("embedding.sum", rows, configuration.dim)
    if configuration.norm == .post {
      norm = LayerNorm("embedding.norm", in: store, rows: rows, &plan)
      result = plan.mixedMatrix("embedding.result", rows, configuration.dim, isBF16: isBF16)
    } else {
      norm = nil
      result = MixedMatrix(real: sum, operand: Operand(sum))
    }
  }

  func forward(
    _ ids: DeviceArray<Int32>, length: Int, spans: [CacheSpan<Scalar>]?, mask: DropoutMask,
    on device: Device
  ) {
    let rows = 0..<ids.count
    if let spans {
      for span in spans {
        device.embed(
          ids[span.rows], table: tokens, positions: positions,
          length: span.rows.count, firstPosition: span.position, into: sum.rows(span.rows))
      }
    } else {
      device.embed(
        ids, table: tokens, positions: positions, length: length, firstPosition: 0, into: sum.rows(rows))
    }
    norm?.forward(sum.rows(rows), into: result.rows(rows), on: device)
    guard mask.probability > 0 else { return }
    device.dropout(result.real.rows(rows), mask)
    device.round(result.real.rows(rows), into: result.operand.rows(rows))
  }

  /// `d`, the gradient of the result, is overwritten.
  func backward(
    _ ids: DeviceArray<Int32>, d: MixedMatrix<Scalar>, length: Int, mask: DropoutMask,
    on device: Device
  ) {
    device.dropout(d.real, mask)
    norm?.backward(sum.rows(0..<ids.count), dy: d.real, into: d, on: device)
    device.embedBackward(ids, d.real, length: length, table: tokenGradient!, positions: positionGradient!)
  }
}
