/// Token and learned position embeddings summed; with post-norm, normalized; then dropout.
struct Embedding<Device: Operations> {
  typealias Scalar = Device.Scalar
  let tokens: Matrix<Scalar>
  /// The same table as the output head multiplies with it.
  let operand: Operand<Scalar>
  private let positions: Matrix<Scalar>
  let tokenGradient: Matrix<Scalar>?
  private let positionGradient: Matrix<Scalar>?
  private let norm: LayerNorm<Device>?
  private let sum: Matrix<Scalar>
  /// The start of the residual stream; only the reals where nothing is normalized.
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
    sum = plan.matrix(rows, configuration.dim)
    if configuration.norm == .post {
      norm = LayerNorm("embedding.norm", in: store, rows: rows, &plan)
      result = plan.mixedMatrix(rows, configuration.dim, isBF16: isBF16)
    } else {
      norm = nil
      result = MixedMatrix(real: sum, operand: Operand(sum))
    }
  }

  func forward(
    _ ids: UnsafeBufferPointer<Int32>, length: Int, pieces: [CacheSpan<Scalar>]?, mask: DropoutMask,
    on device: Device
  ) {
    let rows = 0..<ids.count
    if let pieces {
      for piece in pieces {
        device.embed(
          UnsafeBufferPointer(rebasing: ids[piece.rows]), table: tokens, positions: positions,
          length: piece.rows.count, firstPosition: piece.position, into: sum.rows(piece.rows))
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
    _ ids: UnsafeBufferPointer<Int32>, d: MixedMatrix<Scalar>, length: Int, mask: DropoutMask,
    on device: Device
  ) {
    device.dropout(d.real, mask)
    norm?.backward(sum.rows(0..<ids.count), dy: d.real, into: d, on: device)
    device.embedBackward(ids, d.real, length: length, table: tokenGradient!, positions: positionGradient!)
  }
}
