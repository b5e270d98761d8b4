import Support

/// The tensors of a model by name, over arenas for values, gradients and operands of half precision.
struct ParameterStore<Scalar: Real> {
  let parameters: [Parameter<Scalar>]
  let buffers: [Parameter<Scalar>]
  private let byName: [String: Parameter<Scalar>]
  private let arenas: [Arena]

  /// - Parameter isBF16: keeps copies in bfloat16 of what products multiply.
  init(_ configuration: ModelConfiguration, training: Bool, isBF16: Bool) throws(Failure) {
    func slice(_ descriptions: [TensorDescription], _ plan: inout ArenaPlan) -> [UnsafeMutableBufferPointer<
      Scalar
    >] {
      descriptions.map {
        let count = $0.isBF16 ? 0 : $0.count
        return UnsafeMutableBufferPointer(start: plan.take($0.name, Scalar.self, count), count: count)
      }
    }
    let described = configuration.parameterDescriptions, state = configuration.bufferDescriptions
    let (values, valueArena) = try ArenaPlan.build { slice(described + state, &$0) }
    let dense = training ? described.filter { $0.memoryIndex == nil } : []
    let (gradients, gradientArena) = try ArenaPlan.build { slice(dense, &$0) }
    let gradientOf = Dictionary(uniqueKeysWithValues: zip(dense.map(\.name), gradients))
    let (halves, bf16Arena) = try ArenaPlan.build { plan in
      described.map {
        $0.isBF16 || $0.isOperand && isBF16 ? plan.take($0.name + ".bf16", UInt16.self, $0.count) : nil
      }
    }
    func parameter(
      _ description: TensorDescription, _ value: UnsafeMutableBufferPointer<Scalar>,
      _ half: UnsafeMutablePointer<UInt16>?
    ) -> Parameter<Scalar> {
      let matrix = Parameter.matrix(value, description.shape)
      let operand =
        if let half {
          Operand<Scalar>(half, rows: matrix.rows, columns: matrix.columns, isBF16: true)
        } else { Operand(matrix) }
      return Parameter(
        name: description.name, shape: description.shape,
        role: description.memoryIndex.map { .memoryValues($0) } ?? .dense, value: value,
        stored: description.isBF16 ? operand : Operand(matrix), gradient: gradientOf[description.name],
        operand: description.isOperand ? operand : nil)
    }
    parameters = zip(zip(described, values), halves).map { parameter($0.0, $0.1, $1) }
    buffers = zip(state, values.dropFirst(described.count)).map { parameter($0, $1, nil) }
    byName = Dictionary(uniqueKeysWithValues: (parameters + buffers).map { ($0.name, $0) })
    arenas = [valueArena, gradientArena, bf16Arena]
  }

  func matrix(_ name: String) -> Matrix<Scalar> { byName[name]!.matrix }
  func stored(_ name: String) -> Operand<Scalar> { byName[name]!.stored }
  func operand(_ name: String) -> Operand<Scalar> { byName[name]!.operand! }
  func vector(_ name: String) -> Vector<Scalar> { Vector(byName[name]!.value) }
  func matrixGradient(_ name: String) -> Matrix<Scalar>? { byName[name]!.gradientMatrix }
  func vectorGradient(_ name: String) -> Vector<Scalar>? { byName[name]!.gradient.map(Vector.init) }

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
