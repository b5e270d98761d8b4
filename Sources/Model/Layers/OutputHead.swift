/// The output head, tied to the token embedding, and softmax-cross-entropy with label smoothing.
///
/// In training the logits become the gradient p - q at once; the backward pass multiplies by the scale that is known only
/// then.
struct OutputHead<Device: Operations> {
  typealias Scalar = Device.Scalar
  private let embedding: Operand<Scalar>
  private let embeddingGradient: Matrix<Scalar>?
  private let bias: Vector<Scalar>
  private let biasGradient: Vector<Scalar>?
  private let gradients: Operand<Scalar>?

  init(
    _ embedding: Embedding<Device>, in store: ParameterStore<Scalar>, rows: Int, training: Bool,
    isBF16: Bool, _ plan: inout ArenaPlan
  ) {
    self.embedding = embedding.operand
    embeddingGradient = embedding.tokenGradient
    bias = store.vector("output.bias")
    biasGradient = store.vectorGradient("output.bias")
    gradients = training ? plan.operand(rows, embedding.operand.rows, isBF16: isBF16) : nil
  }

  /// With `gradient` the rows of p - q are kept.
  func loss(
    _ x: Operand<Scalar>, targets: UnsafeBufferPointer<Int32>, smoothing: Double, gradient: Bool,
    on device: Device
  ) -> Loss {
    device.crossEntropy(
      of: x, table: embedding, bias: bias, targets: targets, smoothing: smoothing,
      gradient: gradient ? gradients?.rows(0..<x.rows) : nil)
  }

  /// dx = scale · (p - q) E, and the gradients of E and the bias are added to.
  func backward(_ x: Operand<Scalar>, scale: Double, into dx: Matrix<Scalar>, on device: Device) {
    let d = gradients!.rows(0..<x.rows)
    device.matmul(
      d, transposed: false, embedding, transposed: false, factor: scale, into: dx, adding: false)
    device.addMatmul(ofTransposed: d, x, factor: scale, to: embeddingGradient!, columnSums: biasGradient!)
  }

  /// Logits of the rows of x, bias included.
  func logits(_ x: Operand<Scalar>, into z: Matrix<Scalar>, on device: Device) {
    device.matmul(x, embedding, transposed: true, epilogue: .bias(bias, into: Operand(z)))
  }
}
