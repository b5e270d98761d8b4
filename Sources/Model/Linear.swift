/// y = x Wᵀ + b, with W out × in.
struct Linear<Device: Operations> {
  typealias Scalar = Device.Scalar
  let weight: Operand<Scalar>
  let bias: Vector<Scalar>
  private let weightGradient: Matrix<Scalar>?
  private let biasGradient: Vector<Scalar>?

  init(_ name: String, in store: ParameterStore<Scalar>) {
    weight = store.operand(name + ".weight")
    bias = store.vector(name + ".bias")
    weightGradient = store.matrixGradient(name + ".weight")
    biasGradient = store.vectorGradient(name + ".bias")
  }

  /// The product alone; the bias is for the next operation, which adds it in passing.
  func forwardWithoutBias(_ x: Operand<Scalar>, into y: Matrix<Scalar>, on device: Device) {
    device.multiply(x, weight, transposed: true, into: y)
  }

  /// y as an operand; where that is rounded, the product itself stands in `space`.
  func forward(_ x: Operand<Scalar>, into y: Operand<Scalar>, space: Matrix<Scalar>, on device: Device) {
    let product = y.source(space)
    forwardWithoutBias(x, into: product, on: device)
    device.addBias(bias, to: product, into: y)
  }

  /// dW += dyᵀ x, db += Σ dy.
  func addGradients(_ x: Operand<Scalar>, dy: Operand<Scalar>, on device: Device) {
    device.multiply(
      dy, transposed: true, x, transposed: false, factor: 1, into: weightGradient!, adding: true)
    device.addColumnSums(of: dy, factor: 1, to: biasGradient!)
  }

  /// dx = dy W (+ dx when `adding`).
  func backward(dy: Operand<Scalar>, into dx: Matrix<Scalar>, adding: Bool, on device: Device) {
    device.multiply(dy, weight, into: dx, adding: adding)
  }

  /// Both.
  func backward(
    _ x: Operand<Scalar>, dy: Operand<Scalar>, into dx: Matrix<Scalar>, adding: Bool, on device: Device
  ) {
    addGradients(x, dy: dy, on: device)
    backward(dy: dy, into: dx, adding: adding, on: device)
  }
}
