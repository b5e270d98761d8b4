/// The output head, tied to the token embedding, and softmax-cross-entropy with label smoothing.
///
/// In training the logits become the gradient p - q at once; the backward pass multiplies it by the scale of the batch.
struct OutputHead<Device: Operations> {
  typealias Scalar = Device.Scalar
  private let embedding: Operand<Scalar>
  private let embeddingGradient: Matrix<Scalar>?
  private let bias: Vector<Scalar>
  private let biasGradient: Vector<Scalar>?
  /// p - q of each token, live from ``addLoss`` to ``backward``; nil without training.
  private let gradients: (content: Operand<Scalar>, scope: BufferScope)?

  init(
    _ embedding: Embedding<Device>, in store: ParameterStore<Scalar>, rows: Int, training: Bool,
    isBF16: Bool, _ plan: inout ArenaPlan
  ) {
    self.embedding = embedding.operand
    embeddingGradient = embedding.tokenGradient
    bias = store.vector("output.bias")
    biasGradient = store.vectorGradient("output.bias")
    gradients =
      training
      ? plan.scope("output head", .loss) {
        $0.operand("logit gradients", rows, embedding.operand.rows, isBF16: isBF16)
      } : nil
  }

  /// Adds the losses to `sums`. `gradient` stores the rows of p - q.
  func addLoss(
    _ x: Operand<Scalar>, targets: DeviceArray<Int32>, smoothing: Double, gradient: Bool,
    addingTo sums: LossSums, on device: Device
  ) {
    if gradient { gradients?.scope.begin() }
    device.crossEntropy(
      of: x, table: embedding, bias: bias, targets: targets, smoothing: smoothing,
      gradient: gradient ? gradients?.content.rows(0..<x.rows) : nil, addingTo: sums)
  }

  /// dx = scale · (p - q) E; adds to the gradients of E and the bias.
  func backward(_ x: Operand<Scalar>, scale: Double, into dx: Matrix<Scalar>, on device: Device) {
    let d = gradients!.content.rows(0..<x.rows)
    defer { gradients!.scope.end() }
    device.matmul(
      d, transposed: false, embedding, transposed: false, factor: scale, into: dx, adding: false)
    device.addMatmul(ofTransposed: d, x, factor: scale, to: embeddingGradient!, columnSums: biasGradient!)
  }

  /// Logits of the rows of x, bias included.
  func logits(_ x: Operand<Scalar>, into z: Matrix<Scalar>, on device: Device) {
    device.matmul(x, embedding, transposed: true, epilogue: .bias(bias, into: Operand(z)))
  }
}
