/// A large table of values addressed by products of sub-keys (Lample et al., 2019, section 3.1).
///
/// Each head scores its query's halves against n sub-keys each; slot (i, j) has the sum of two scores. The k best of
/// the n² slots are read, weighted by the softmax of their scores, and the heads' results are summed.
struct ProductKeyMemory<Device: Operations> {
  typealias Scalar = Device.Scalar
  let shape: MemoryShape
  private let query: Linear<Device>
  private let norm: BatchNorm<Device>?
  private let subkeys: Matrix<Scalar>
  private let subkeyOperand: Operand<Scalar>
  private let subkeyGradient: Matrix<Scalar>?
  private let values: Operand<Scalar>
  let valueGradient: ValueGradient<Scalar>?

  /// Queries before batch norm, tokens × heads · queryDimension.
  private let raw: Matrix<Scalar>
  /// The queries that are scored, as reals whatever the precision, and as the backward pass multiplies them. All memories
  /// may share this buffer: the backward pass recomputes it.
  private let queries: MixedMatrix<Scalar>
  /// Tokens × heads · topk.
  private let slots: DeviceArray<Int32>
  private let weights: Matrix<Scalar>

  /// - Parameters:
  ///   - queries: a buffer that all memories may share, see ``queries(_:rows:isBF16:_:)``.
  ///   - valueGradient: where training adds the reads.
  init(
    _ name: String, _ configuration: ModelConfiguration.Memory, in store: ParameterStore<Scalar>, rows: Int,
    queries buffer: MixedMatrix<Scalar>, valueGradient: ValueGradient<Scalar>?, _ plan: inout ArenaPlan
  ) {
    shape = configuration.shape
    query = Linear(name + ".query", in: store)
    norm = configuration.batchNorm ? BatchNorm(name + ".query_norm", in: store, &plan) : nil
    subkeys = store.matrix(name + ".subkeys")
    subkeyOperand = store.operand(name + ".subkeys")
    subkeyGradient = store.matrixGradient(name + ".subkeys")
    values = store.stored(name + ".values")
    raw = plan.matrix(name + ".raw_queries", rows, shape.heads * shape.queryDimension)
    queries =
      configuration.batchNorm
      ? buffer : MixedMatrix(real: raw, operand: buffer.operand.isBF16 ? buffer.operand : Operand(raw))
    slots = plan.take(name + ".slots", Int32.self, rows * shape.reads)
    weights = plan.matrix(name + ".weights", rows, shape.reads)
    self.valueGradient = valueGradient
  }

  /// A buffer for the queries of `rows` tokens.
  static func queries(_ shape: MemoryShape, rows: Int, isBF16: Bool, _ plan: inout ArenaPlan)
    -> MixedMatrix<Scalar>
  {
    plan.mixedMatrix("queries", rows, shape.heads * shape.queryDimension, isBF16: isBF16)
  }

  /// Buffers that the backward passes of all memories share.
  struct Workspace {
    let dWeights: Matrix<Scalar>
    let dScores: Operand<Scalar>
    let dQueries: MixedMatrix<Scalar>

    init(_ shape: MemoryShape, rows: Int, isBF16: Bool, _ plan: inout ArenaPlan) {
      dWeights = plan.matrix("weight gradients", rows, shape.reads)
      dScores = plan.operand("score gradients", rows, shape.heads * 2 * shape.subkeys, isBF16: isBF16)
      dQueries = plan.mixedMatrix(
        "query gradients", rows, shape.heads * shape.queryDimension, isBF16: isBF16)
    }
  }

  func forward(_ x: Operand<Scalar>, training: Bool, into y: Matrix<Scalar>, on device: Device) {
    let rows = 0..<x.rows, queries = queries.rows(rows)
    query.forward(x, into: Operand(raw.rows(rows)), on: device)
    norm?.forward(raw.rows(rows), training: training, into: queries.real, on: device)
    device.lookup(
      shape, queries: queries.real, subkeys: subkeys, slots: slots, weights: weights.rows(rows))
    device.weightedSum(slots: slots, weights: weights.rows(rows), values: values, into: y)
  }

  /// dy may be dx when adding.
  func backward(
    _ x: Operand<Scalar>, dy: Matrix<Scalar>, training: Bool, workspace: Workspace, into dx: Matrix<Scalar>,
    adding: Bool, on device: Device
  ) {
    let rows = 0..<x.rows
    let dWeights = workspace.dWeights.rows(rows), dQueries = workspace.dQueries.rows(rows)
    let queries = queries.rows(rows)
    norm?.normalize(raw.rows(rows), training: training, into: queries.real, on: device)
    device.round(queries.real, into: queries.operand)
    device.weightedSumBackward(
      slots: slots, weights: weights.rows(rows), values: values, dy: dy, dWeights: dWeights,
      gradient: valueGradient!)
    device.lookupBackward(
      shape, queries: queries.operand, subkeys: subkeyOperand, slots: slots,
      weights: weights.rows(rows), dWeights: dWeights, scoreGradients: workspace.dScores.rows(rows),
      dQueries: dQueries.real, dSubkeys: subkeyGradient!)
    norm?.backward(raw.rows(rows), dy: dQueries.real, training: training, into: dQueries.real, on: device)
    device.round(dQueries.real, into: dQueries.operand)
    query.backward(x, dy: dQueries.operand, into: dx, adding: adding, on: device)
  }

  /// The reads of some tokens of the last forward pass.
  func reads(of rows: Range<Int>) -> (slots: DeviceArray<Int32>, weights: Matrix<Scalar>) {
    (slots[rows.lowerBound * shape.reads..<rows.upperBound * shape.reads], weights.rows(rows))
  }
}
