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

  /// x Wᵀ; only the result of the epilogue is stored.
  func forward(_ x: Operand<Scalar>, epilogue: Epilogue<Scalar>, on device: Device) {
    device.matmul(x, weight, transposed: true, epilogue: epilogue)
  }

  func forward(_ x: Operand<Scalar>, into y: Operand<Scalar>, on device: Device) {
    forward(x, epilogue: .bias(bias, into: y), on: device)
  }

  /// out = stream + dropout(y).
  func forward(
    _ x: Operand<Scalar>, addingTo stream: Matrix<Scalar>, mask: DropoutMask, into out: Matrix<Scalar>,
    on device: Device
  ) {
    forward(x, epilogue: .residual(stream, bias: bias, mask: mask, into: out), on: device)
  }

  /// dW += dyᵀ x, db += Σ dy.
  func addGradients(_ x: Operand<Scalar>, dy: Operand<Scalar>, on device: Device) {
    device.addMatmul(ofTransposed: dy, x, factor: 1, to: weightGradient!, columnSums: biasGradient!)
  }

  /// dy W; only the result of the epilogue is stored.
  func backward(dy: Operand<Scalar>, epilogue: Epilogue<Scalar>, on device: Device) {
    device.matmul(dy, weight, transposed: false, epilogue: epilogue)
  }

  /// dx = dy W (+ dx when `adding`).
  func backward(dy: Operand<Scalar>, into dx: Matrix<Scalar>, adding: Bool, on device: Device) {
    device.matmul(dy, weight, into: dx, adding: adding)
  }

  /// Both ``addGradients(_:dy:on:)`` and dx.
  func backward(
    _ x: Operand<Scalar>, dy: Operand<Scalar>, into dx: Matrix<Scalar>, adding: Bool, on device: Device
  ) {
    addGradients(x, dy: dy, on: device)
    backward(dy: dy, into: dx, adding: adding, on: device)
  }
}
