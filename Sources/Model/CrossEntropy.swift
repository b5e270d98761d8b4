/// The output head, tied to the token embedding, and softmax-cross-entropy with label smoothing.
///
/// In training the logits become the gradient p - q, once, block by block while the block is in cache; the
/// backward pass multiplies by the scale that is known only then.
struct OutputHead<Device: Operations> {
  typealias Scalar = Device.Scalar
  private let embedding: Operand<Scalar>
  private let embeddingGradient: Matrix<Scalar>?
  private let bias: Vector<Scalar>
  private let biasGradient: Vector<Scalar>?
  /// In training, one block of logits and the gradients of all, which may be the same memory.
  private let logits: Matrix<Scalar>?
  private let gradients: Operand<Scalar>?

  /// Rows of logits made at a time.
  private static var block: Int { 256 }

  init(
    _ embedding: Embedding<Device>, in store: ParameterStore<Scalar>, rows: Int, training: Bool,
    isHalf: Bool, _ plan: inout ArenaPlan
  ) {
    self.embedding = embedding.operand
    embeddingGradient = embedding.tokenGradient
    bias = store.vector("output.bias")
    biasGradient = store.vectorGradient("output.bias")
    let width = embedding.operand.rows
    gradients = training ? plan.operand(rows, width, isHalf: isHalf) : nil
    let block = min(rows, Self.block)
    logits = gradients.map { $0.rows(0..<block).reals ?? plan.matrix(block, width) }
  }

  /// With `gradient` the rows of p - q are kept.
  func loss(
    _ x: Operand<Scalar>, targets: UnsafeBufferPointer<Int32>, smoothing: Double, gradient: Bool,
    on device: Device
  ) -> Loss {
    guard gradient, let gradients, let logits else {
      return device.crossEntropy(of: x, table: embedding, bias: bias, targets: targets, smoothing: smoothing)
    }
    var loss = Loss()
    for first in stride(from: 0, to: x.rows, by: Self.block) {
      let rows = first..<min(first + Self.block, x.rows), d = gradients.rows(rows), z = d.source(logits)
      device.multiply(x.rows(rows), embedding, transposed: true, into: z)
      loss += device.crossEntropy(
        z, bias: bias, targets: UnsafeBufferPointer(rebasing: targets[rows]), smoothing: smoothing,
        gradient: d)
    }
    return loss
  }

  /// dx = scale · (p - q) E, and the gradients of E and the bias are added to.
  func backward(_ x: Operand<Scalar>, scale: Double, into dx: Matrix<Scalar>, on device: Device) {
    let d = gradients!.rows(0..<x.rows)
    device.multiply(
      d, transposed: false, embedding, transposed: false, factor: scale, into: dx, adding: false)
    device.multiply(
      d, transposed: true, x, transposed: false, factor: scale, into: embeddingGradient!, adding: true)
    device.addColumnSums(of: d, factor: scale, to: biasGradient!)
  }

  /// Logits of the rows of x, bias included.
  func logits(_ x: Operand<Scalar>, into z: Matrix<Scalar>, on device: Device) {
    device.multiply(x, embedding, transposed: true, finish: .bias(bias, into: Operand(z)))
  }
}
