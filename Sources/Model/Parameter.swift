import Support

/// A named tensor of the model, a view into its arena.
package struct Parameter<Scalar: Real> {
  /// How its gradient is kept and which optimizer updates it.
  package enum Role: Equatable, Sendable {
    /// With a gradient of its own shape.
    case dense
    /// The value table of the memory with this index, whose gradient is a list of touched rows.
    case memoryValues(Int)
  }

  /// Dotted path, as in checkpoints: `blocks.1.memory.values`, blocks counted from 0.
  package let name: String
  package let shape: [Int]
  package let role: Role
  /// Its numbers; empty where they are kept in bfloat16 alone.
  package let value: UnsafeMutableBufferPointer<Scalar>
  /// Its numbers in the form that they are kept in.
  package let stored: Operand<Scalar>
  /// Nil for value tables and in models made without training.
  package let gradient: UnsafeMutableBufferPointer<Scalar>?
  /// What products multiply, nil for tensors that enter none.
  ///
  /// In half precision it is a copy, to be kept up to date, unless products round it as they pack it.
  package let operand: Operand<Scalar>?

  package var count: Int { shape.reduce(1, *) }
  /// As a checkpoint keeps it.
  package var bytes: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: stored.pointer, count: count * stored.elementBytes)
  }

  /// The last dimension is the columns, all before it are rows.
  package var matrix: Matrix<Scalar> { Parameter.matrix(value, shape) }
  package var gradientMatrix: Matrix<Scalar>? { gradient.map { Parameter.matrix($0, shape) } }

  fileprivate static func matrix(_ buffer: UnsafeMutableBufferPointer<Scalar>, _ shape: [Int]) -> Matrix<
    Scalar
  > {
    Matrix(buffer.baseAddress!, rows: shape.dropLast().reduce(1, *), columns: shape.last!)
  }
}

/// Name, shape and first content of a tensor, before there is memory for it.
package struct TensorDescription: Sendable, Equatable {
  package let name: String
  package let shape: [Int]
  package let distribution: Distribution
  /// The memory whose value table this is.
  package var memoryIndex: Int?
  /// Whether the large products multiply with it.
  package var isOperand = false
  /// Kept in bfloat16 alone.
  package var isHalf = false

  package var count: Int { shape.reduce(1, *) }

  init(
    _ name: String, _ shape: [Int], _ distribution: Distribution, memoryIndex: Int? = nil,
    isOperand: Bool = false, isHalf: Bool = false
  ) {
    self.isOperand = isOperand
    self.isHalf = isHalf
    self.name = name
    self.shape = shape
    self.distribution = distribution
    self.memoryIndex = memoryIndex
  }
}

extension ModelConfiguration {
  /// The tensors that training changes, in the order of the forward pass.
  package var parameterDescriptions: [TensorDescription] {
    let d = dim
    let small = Distribution.normal(deviation: 0.02)
    // Branches that add into the stream start smaller the more of them there are (Radford et al. 2019).
    let residual = Distribution.normal(deviation: 0.02 / Double(2 * layers).squareRoot())
    var all = [
      TensorDescription("embedding.tokens", [vocabularySize, d], small, isOperand: true),
      TensorDescription("embedding.positions", [context, d], small),
    ]
    func linear(_ name: String, _ out: Int, _ input: Int, _ distribution: Distribution) {
      all.append(TensorDescription(name + ".weight", [out, input], distribution, isOperand: true))
      all.append(TensorDescription(name + ".bias", [out], .constant(0)))
    }
    func scaleAndShift(_ name: String, _ width: Int) {
      all.append(TensorDescription(name + ".gamma", [width], .constant(1)))
      all.append(TensorDescription(name + ".beta", [width], .constant(0)))
    }
    if norm == .post { scaleAndShift("embedding.norm", d) }
    var memories = 0
    for layer in 0..<layers {
      let block = "blocks.\(layer)."
      linear(block + "attention.input", 3 * d, d, small)
      linear(block + "attention.output", d, d, residual)
      scaleAndShift(block + "norm1", d)
      if hasMemory(at: layer), let memory {
        let queries = memory.heads * memory.queryDim
        let bound = Distribution.uniform(bound: 1 / Double(d).squareRoot())
        all.append(TensorDescription(block + "memory.query.weight", [queries, d], bound, isOperand: true))
        all.append(TensorDescription(block + "memory.query.bias", [queries], bound))
        if memory.batchNorm { scaleAndShift(block + "memory.query_norm", queries) }
        let half = memory.queryDim / 2
        all.append(
          TensorDescription(
            block + "memory.subkeys", [memory.heads, 2, memory.subkeys, half],
            .uniform(bound: 1 / Double(half).squareRoot()), isOperand: true))
        all.append(
          TensorDescription(
            block + "memory.values", [memory.subkeys * memory.subkeys, d],
            .normal(deviation: 1 / Double(d).squareRoot()), memoryIndex: memories,
            isHalf: memory.values == .bf16))
        memories += 1
      } else {
        linear(block + "feed_forward.input", 4 * d, d, small)
        linear(block + "feed_forward.output", d, 4 * d, residual)
      }
      scaleAndShift(block + "norm2", d)
    }
    if norm == .pre { scaleAndShift("output.norm", d) }
    all.append(TensorDescription("output.bias", [vocabularySize], .constant(0)))
    return all
  }

  /// State that is not trained but belongs to the model: the running statistics of the query batch norms.
  package var bufferDescriptions: [TensorDescription] {
    guard let memory, memory.batchNorm else { return [] }
    return (0..<layers).filter(hasMemory).flatMap { layer in
      let name = "blocks.\(layer).memory.query_norm.running_"
      let width = memory.heads * memory.queryDim
      return [
        TensorDescription(name + "mean", [width], .constant(0)),
        TensorDescription(name + "variance", [width], .constant(1)),
      ]
    }
  }
}

/// The tensors of a model by name, over arenas for values, gradients and operands of half precision.
struct ParameterStore<Scalar: Real> {
  let parameters: [Parameter<Scalar>]
  let buffers: [Parameter<Scalar>]
  private let byName: [String: Parameter<Scalar>]
  private let arenas: [Arena]

  /// - Parameter isHalf: keeps copies in bfloat16 of what products multiply.
  init(_ configuration: ModelConfiguration, training: Bool, isHalf: Bool) throws(Failure) {
    func slice(_ descriptions: [TensorDescription], _ plan: inout ArenaPlan) -> [UnsafeMutableBufferPointer<
      Scalar
    >] {
      descriptions.map {
        let count = $0.isHalf ? 0 : $0.count
        return UnsafeMutableBufferPointer(start: plan.take(Scalar.self, count), count: count)
      }
    }
    let described = configuration.parameterDescriptions, state = configuration.bufferDescriptions
    let (values, valueArena) = try ArenaPlan.build { slice(described + state, &$0) }
    let dense = training ? described.filter { $0.memoryIndex == nil } : []
    let (gradients, gradientArena) = try ArenaPlan.build { slice(dense, &$0) }
    let gradientOf = Dictionary(uniqueKeysWithValues: zip(dense.map(\.name), gradients))
    let (halves, halfArena) = try ArenaPlan.build { plan in
      described.map { $0.isHalf || $0.isOperand && isHalf ? plan.take(UInt16.self, $0.count) : nil }
    }
    func parameter(
      _ description: TensorDescription, _ value: UnsafeMutableBufferPointer<Scalar>,
      _ half: UnsafeMutablePointer<UInt16>?
    ) -> Parameter<Scalar> {
      let matrix = Parameter.matrix(value, description.shape)
      let operand =
        if let half {
          Operand<Scalar>(half, rows: matrix.rows, columns: matrix.columns, isHalf: true)
        } else { Operand(matrix) }
      return Parameter(
        name: description.name, shape: description.shape,
        role: description.memoryIndex.map { .memoryValues($0) } ?? .dense, value: value,
        stored: description.isHalf ? operand : Operand(matrix), gradient: gradientOf[description.name],
        operand: description.isOperand ? operand : nil)
    }
    parameters = zip(zip(described, values), halves).map { parameter($0.0, $0.1, $1) }
    buffers = zip(state, values.dropFirst(described.count)).map { parameter($0, $1, nil) }
    byName = Dictionary(uniqueKeysWithValues: (parameters + buffers).map { ($0.name, $0) })
    arenas = [valueArena, gradientArena, halfArena]
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
