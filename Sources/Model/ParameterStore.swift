import Support

/// The tensors of a model by name, in arenas for values, gradients and copies in bf16.
struct ParameterStore<Scalar: Real> {
  let parameters: [Parameter<Scalar>]
  let buffers: [Parameter<Scalar>]
  /// All gradients but those of values in one piece, with padding between them that stays 0; nil without training.
  let gradients: Vector<Scalar>?
  private let byName: [String: Parameter<Scalar>]
  private let arenas: [Arena]

  /// - Parameters:
  ///   - isBF16: keeps copies in bf16 of the tensors that matmuls multiply.
  ///   - device: nil for a plan without memory.
  init(
    _ configuration: ModelConfiguration, training: Bool, isBF16: Bool, on device: (some Operations<Scalar>)?
  ) throws(Failure) {
    func vectors(_ descriptions: [TensorDescription], _ plan: inout ArenaPlan) -> [Vector<Scalar>] {
      descriptions.map { plan.vector($0.name, $0.isBF16 ? 0 : $0.count) }
    }
    let described = configuration.parameterDescriptions, state = configuration.bufferDescriptions
    let (values, valueArena) = try ArenaPlan.build(on: device) { vectors(described + state, &$0) }
    let dense = training ? described.filter { $0.memoryIndex == nil } : []
    let (gradients, gradientArena) = try ArenaPlan.build(on: device) { vectors(dense, &$0) }
    let gradientOf = Dictionary(uniqueKeysWithValues: zip(dense.map(\.name), gradients))
    let (copies, bf16Arena) = try ArenaPlan.build(on: device) { plan in
      described.map {
        $0.isBF16 || $0.isOperand && isBF16 ? plan.take($0.name + ".bf16", UInt16.self, $0.count) : nil
      }
    }
    func parameter(
      _ description: TensorDescription, _ value: Vector<Scalar>, _ copy: DeviceArray<UInt16>?
    ) -> Parameter<Scalar> {
      let columns = description.shape.last!, rows = description.count / columns
      let operand =
        copy.map { Operand<Scalar>($0.address, rows: rows, columns: columns, isBF16: true) }
        ?? Operand(value.matrix(rows: rows, columns: columns))
      return Parameter(
        name: description.name, shape: description.shape,
        role: description.memoryIndex.map { .memoryValues($0) } ?? .dense, value: value,
        stored: description.isBF16 ? operand : Operand(value.matrix(rows: rows, columns: columns)),
        gradient: gradientOf[description.name], operand: description.isOperand ? operand : nil)
    }
    parameters = zip(zip(described, values), copies).map { parameter($0.0, $0.1, $1) }
    buffers = zip(state, values.dropFirst(described.count)).map { parameter($0, $1, nil) }
    byName = Dictionary(uniqueKeysWithValues: (parameters + buffers).map { ($0.name, $0) })
    self.gradients = gradients.first.map { first in
      let bytes = ArenaPlan.measure { vectors(dense, &$0) }
      return Vector(first.address, count: bytes / MemoryLayout<Scalar>.stride)
    }
    arenas = [valueArena, gradientArena, bf16Arena]
  }

  func matrix(_ name: String) -> Matrix<Scalar> { byName[name]!.matrix }
  func stored(_ name: String) -> Operand<Scalar> { byName[name]!.stored }
  func operand(_ name: String) -> Operand<Scalar> { byName[name]!.operand! }
  func vector(_ name: String) -> Vector<Scalar> { byName[name]!.value }
  func matrixGradient(_ name: String) -> Matrix<Scalar>? { byName[name]!.gradientMatrix }
  func vectorGradient(_ name: String) -> Vector<Scalar>? { byName[name]!.gradient }

  func norm(_ name: String) -> NormParameters<Scalar> {
    NormParameters(gamma: vector(name + ".gamma"), beta: vector(name + ".beta"))
  }

  func normGradient(_ name: String) -> NormParameters<Scalar>? {
    guard let gamma = vectorGradient(name + ".gamma"), let beta = vectorGradient(name + ".beta") else {
      return nil
    }
    return NormParameters(gamma: gamma, beta: beta)
  }
}
