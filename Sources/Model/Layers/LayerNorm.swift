/// Layer normalization over the width of each token (Ba et al., 2016), epsilon 1e-5.
struct LayerNorm<Device: Operations> {
  typealias Scalar = Device.Scalar
  private let parameters: NormParameters<Scalar>
  private let gradient: NormParameters<Scalar>?
  private let statistics: RowStatistics<Scalar>

  init(_ name: String, in store: ParameterStore<Scalar>, rows: Int, _ plan: inout ArenaPlan) {
    parameters = store.norm(name)
    gradient = store.normGradient(name)
    statistics = RowStatistics(
      mean: plan.vector(name + ".mean", rows),
      inverseDeviation: plan.vector(name + ".inverse_deviation", rows))
  }

  func forward(_ x: Matrix<Scalar>, into y: MixedMatrix<Scalar>, on device: Device) {
    device.layerNorm(x, parameters, statistics, into: y.real, y.operand)
  }

  /// The same where the result is only multiplied.
  func forward(_ x: Matrix<Scalar>, into y: Operand<Scalar>, on device: Device) {
    device.layerNorm(x, parameters, statistics, into: nil, y)
  }

  /// dx = (+= when `adding`); its reals may be dy.
  func backward(
    _ x: Matrix<Scalar>, dy: Matrix<Scalar>, into dx: MixedMatrix<Scalar>, adding: Bool = false,
    on device: Device
  ) {
    device.layerNormBackward(x, dy: dy, parameters, gradient: gradient!, statistics, adding: adding, into: dx)
  }
}
