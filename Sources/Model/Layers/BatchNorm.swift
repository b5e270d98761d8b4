/// Batch normalization (Ioffe and Szegedy, 2015) of the memory's queries: the statistics of each channel are over all
/// tokens of a micro-batch, epsilon 1e-5; the running statistics have momentum 0.1.
struct BatchNorm<Device: Operations> {
  typealias Scalar = Device.Scalar
  private let parameters: NormParameters<Scalar>
  private let gradient: NormParameters<Scalar>?
  private let runningMean: Vector<Scalar>
  private let runningVariance: Vector<Scalar>
  private let batchMean: Vector<Scalar>
  private let batchVariance: Vector<Scalar>

  init(_ name: String, in store: ParameterStore<Scalar>, _ plan: inout ArenaPlan) {
    parameters = store.norm(name)
    gradient = store.normGradient(name)
    runningMean = store.vector(name + ".running_mean")
    runningVariance = store.vector(name + ".running_variance")
    batchMean = plan.vector(name + ".batch_mean", runningMean.count)
    batchVariance = plan.vector(name + ".batch_variance", runningMean.count)
  }

  /// Normalizes each channel.
  ///
  /// Training uses the statistics of the micro-batch and moves the running ones a tenth of the way towards them, the
  /// variance in its unbiased form. Evaluation uses the running ones, so that each row depends on itself alone.
  func forward(_ x: Matrix<Scalar>, training: Bool, into y: Matrix<Scalar>, on device: Device) {
    if training {
      device.columnStatistics(x, mean: batchMean, variance: batchVariance)
      device.moveRunningStatistics(
        mean: runningMean, variance: runningVariance, towards: batchMean, batchVariance, rows: x.rows)
    }
    normalize(x, training: training, into: y, on: device)
  }

  /// Recomputes the result of the last forward pass.
  func normalize(_ x: Matrix<Scalar>, training: Bool, into y: Matrix<Scalar>, on device: Device) {
    device.batchNorm(
      x, parameters, mean: training ? batchMean : runningMean,
      variance: training ? batchVariance : runningVariance,
      into: y)
  }

  /// dx may be dy.
  func backward(
    _ x: Matrix<Scalar>, dy: Matrix<Scalar>, training: Bool, into dx: Matrix<Scalar>, on device: Device
  ) {
    device.batchNormBackward(
      x, dy: dy, parameters, gradient: gradient!, mean: training ? batchMean : runningMean,
      variance: training ? batchVariance : runningVariance, usesBatch: training, into: dx)
  }
}
