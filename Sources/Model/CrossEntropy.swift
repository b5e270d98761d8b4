/// The output head, tied to the token embedding, and softmax-cross-entropy with label smoothing.
///
/// In training the logits become the gradient p - q in place, once, block by block while the block is in cache; the
/// backward pass multiplies by the scale that is known only then.
struct OutputHead<Device: Operations> {
  typealias Scalar = Device.Scalar
  private let embedding: Matrix<Scalar>
  private let embeddingGradient: Matrix<Scalar>?
  private let bias: Vector<Scalar>
  private let biasGradient: Vector<Scalar>?
  private let logits: Matrix<Scalar>

  /// Rows of logits made at a time.
  private static var block: Int { 256 }

  init(
    _ embedding: Embedding<Device>, in store: ParameterStore<Scalar>, rows: Int, training: Bool,
    _ plan: inout ArenaPlan
  ) {
    self.embedding = embedding.tokens
    embeddingGradient = embedding.tokenGradient
    bias = store.vector("output.bias")
    biasGradient = store.vectorGradient("output.bias")
    logits = plan.matrix(training ? rows : min(rows, Self.block), embedding.tokens.rows)
  }

  /// With `gradient` the rows of logits are kept, as p - q.
  func loss(
    _ x: Matrix<Scalar>, targets: UnsafeBufferPointer<Int32>, smoothing: Double, gradient: Bool,
    on device: Device
  ) -> Loss {
    var loss = Loss()
    for first in stride(from: 0, to: x.rows, by: Self.block) {
      let rows = first..<min(first + Self.block, x.rows)
      let z = logits.rows(gradient ? rows : 0..<rows.count)
      device.multiply(x.rows(rows), embedding, transposed: true, into: z)
      loss += device.crossEntropy(
        z, bias: bias, targets: UnsafeBufferPointer(rebasing: targets[rows]), smoothing: smoothing,
        gradient: gradient)
    }
    return loss
  }

  /// dx = scale · (p - q) E, and the gradients of E and the bias are added to.
  func backward(_ x: Matrix<Scalar>, scale: Double, into dx: Matrix<Scalar>, on device: Device) {
    let d = logits.rows(0..<x.rows)
    device.multiply(
      d, transposed: false, embedding, transposed: false, factor: scale, into: dx, adding: false)
    device.multiply(
      d, transposed: true, x, transposed: false, factor: scale, into: embeddingGradient!, adding: true)
    device.addColumnSums(of: d, factor: scale, to: biasGradient!)
  }

  /// Logits of the rows of x, bias included.
  func logits(_ x: Matrix<Scalar>, into z: Matrix<Scalar>, on device: Device) {
    device.multiply(x, embedding, transposed: true, into: z)
    device.addBias(bias, to: z)
  }
}
