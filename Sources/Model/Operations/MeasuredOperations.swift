import Support

/// The operations of another device, each timed and logged. It waits for each before the next.
package struct MeasuredOperations<Base: Operations>: Operations {
  package typealias Scalar = Base.Scalar
  private let base: Base
  package let log: OperationLog

  package init(_ base: Base, log: OperationLog) {
    self.base = base
    self.log = log
  }

  /// `elements` are reals moved, `operands` those in the form of operands.
  private func measure<Result>(
    _ name: @autoclosure () -> String, _ detail: @autoclosure () -> String, flops: Double = 0,
    elements: Int = 0, operands: Int = 0, bytes: Int = 0, _ body: () -> Result
  ) -> Result {
    guard log.isOn else { return body() }
    let (name, detail) = (name(), detail())
    base.synchronize()
    let began = Progress.now()
    let result = body()
    base.synchronize()
    let size = MemoryLayout<Scalar>.stride
    log.add(
      name, detail, Progress.now() - began, flops: flops,
      bytes: Double(elements * size + operands * (operandsAreBF16 ? 2 : size) + bytes))
    return result
  }

  private func shape(_ x: Matrix<Scalar>) -> String { "\(x.rows) × \(x.columns)" }
  private func shape(_ x: Operand<Scalar>) -> String { "\(x.rows) × \(x.columns)" }

  package var operandsAreBF16: Bool { base.operandsAreBF16 }
  package var description: String { base.description }
  package func wantsWeightCopies(isTraining: Bool) -> Bool { base.wantsWeightCopies(isTraining: isTraining) }
  package func workingBytes(dim: Int, vocabularySize: Int) -> Int {
    base.workingBytes(dim: dim, vocabularySize: vocabularySize)
  }

  // MARK: Memory

  package func allocate(bytes: Int) throws(Failure) -> DeviceMemory { try base.allocate(bytes: bytes) }

  package func upload(_ bytes: UnsafeRawBufferPointer, to address: DeviceAddress) {
    base.upload(bytes, to: address)
  }

  package func download(_ address: DeviceAddress, into bytes: UnsafeMutableRawBufferPointer) {
    base.download(address, into: bytes)
  }

  package func setBytes(_ address: DeviceAddress, count: Int, to byte: UInt8) {
    base.setBytes(address, count: count, to: byte)
  }

  package func moveRowsToFront(_ rows: [Int], of x: Operand<Scalar>) { base.moveRowsToFront(rows, of: x) }

  package func synchronize() { base.synchronize() }

  // MARK: Elements

  package func fill(_ x: Vector<Scalar>, _ value: Double) {
    measure("fill", "", elements: x.count) { base.fill(x, value) }
  }

  package func copy(_ x: Vector<Scalar>, to y: Vector<Scalar>) {
    measure("copy", "", elements: 2 * x.count) { base.copy(x, to: y) }
  }

  package func initialize(_ x: Operand<Scalar>, _ distribution: Distribution, seed: UInt64) {
    measure("initialize", "", elements: x.count) { base.initialize(x, distribution, seed: seed) }
  }

  package func add(_ x: Vector<Scalar>, to y: Vector<Scalar>) {
    measure("add", "", elements: 3 * x.count) { base.add(x, to: y) }
  }

  package func scale(_ x: Vector<Scalar>, by factor: Double) {
    measure("scale", "", elements: 2 * x.count) { base.scale(x, by: factor) }
  }

  package func addSquaredNorm(of x: Vector<Scalar>, to sum: DeviceArray<Double>) {
    measure("gradient norm", "", elements: x.count) { base.addSquaredNorm(of: x, to: sum) }
  }

  package func dropout(_ x: Matrix<Scalar>, _ mask: DropoutMask) {
    let moved = mask.probability > 0 ? 2 * x.count : 0
    measure("dropout", shape(x), elements: moved) { base.dropout(x, mask) }
  }

  package func round(_ x: Matrix<Scalar>, into operand: Operand<Scalar>) {
    guard operand.isBF16 else { return base.round(x, into: operand) }
    measure("round", shape(x), elements: x.count, operands: x.count) { base.round(x, into: operand) }
  }

  package func add(_ stream: Matrix<Scalar>, _ branch: Matrix<Scalar>, into out: Matrix<Scalar>) {
    measure("add", shape(out), elements: 3 * out.count) { base.add(stream, branch, into: out) }
  }

  package func addColumnSums(of x: Operand<Scalar>, factor: Double, to out: Vector<Scalar>) {
    measure("bias gradient", shape(x), operands: x.count) {
      base.addColumnSums(of: x, factor: factor, to: out)
    }
  }

  // MARK: Matmul

  package func matmul(
    _ a: Operand<Scalar>, transposed transposesA: Bool, _ b: Operand<Scalar>, transposed transposesB: Bool,
    factor: Double, into c: Matrix<Scalar>, adding: Bool
  ) {
    let inner = transposesA ? a.rows : a.columns
    let orientation = "\(transposesA ? "aᵀ" : "a") \(transposesB ? "bᵀ" : "b")"
    measure(
      "matmul \(orientation)", "\(c.rows) × \(c.columns) × \(inner)", flops: 2 * Double(c.count * inner),
      elements: (adding ? 2 : 1) * c.count, operands: a.count, bytes: b.count * b.elementBytes
    ) {
      base.matmul(
        a, transposed: transposesA, b, transposed: transposesB, factor: factor, into: c, adding: adding)
    }
  }

  package func matmul(
    _ a: Operand<Scalar>, _ b: Operand<Scalar>, transposed: Bool, epilogue: Epilogue<Scalar>
  ) {
    let columns = transposed ? b.rows : b.columns, count = a.rows * columns
    let (what, elements, operands) =
      switch epilogue {
      case .round(let out): ("", out.isBF16 ? 0 : count, out.isBF16 ? count : 0)
      case .bias(_, let out): (", bias", out.isBF16 ? 0 : count, out.isBF16 ? count : 0)
      case .biasGELU(_, let saved, _): (", bias, GELU", 0, saved == nil ? count : 2 * count)
      case .geluBackward: (", GELU backward", 0, 3 * count)
      case .residual: (", residual", 2 * count, 0)
      }
    measure(
      "matmul a \(transposed ? "bᵀ" : "b")\(what)", "\(a.rows) × \(columns) × \(a.columns)",
      flops: 2 * Double(count * a.columns), elements: elements, operands: operands + a.count,
      bytes: b.count * b.elementBytes
    ) {
      base.matmul(a, b, transposed: transposed, epilogue: epilogue)
    }
  }

  package func addMatmul(
    ofTransposed a: Operand<Scalar>, _ b: Operand<Scalar>, factor: Double, to c: Matrix<Scalar>,
    columnSums: Vector<Scalar>
  ) {
    measure(
      "matmul aᵀ b", "\(c.rows) × \(c.columns) × \(a.rows)", flops: 2 * Double(c.count * a.rows),
      elements: 2 * c.count, operands: a.count + b.count
    ) {
      base.addMatmul(ofTransposed: a, b, factor: factor, to: c, columnSums: columnSums)
    }
  }

  // MARK: Normalization

  package func layerNorm(
    _ x: Matrix<Scalar>, _ norm: NormParameters<Scalar>, _ statistics: RowStatistics<Scalar>,
    into y: Matrix<Scalar>?, _ operand: Operand<Scalar>
  ) {
    measure("layer norm", shape(x), elements: x.count, operands: x.count) {
      base.layerNorm(x, norm, statistics, into: y, operand)
    }
  }

  package func layerNormBackward(
    _ x: Matrix<Scalar>, dy: Matrix<Scalar>, _ norm: NormParameters<Scalar>, gradient: NormParameters<Scalar>,
    _ statistics: RowStatistics<Scalar>, adding: Bool, into dx: MixedMatrix<Scalar>
  ) {
    measure("layer norm backward", shape(x), elements: (adding ? 4 : 3) * x.count) {
      base.layerNormBackward(
        x, dy: dy, norm, gradient: gradient, statistics, adding: adding, into: dx)
    }
  }

  package func columnStatistics(_ x: Matrix<Scalar>, mean: Vector<Scalar>, variance: Vector<Scalar>) {
    measure("batch norm statistics", shape(x), elements: x.count) {
      base.columnStatistics(x, mean: mean, variance: variance)
    }
  }

  package func moveRunningStatistics(
    mean: Vector<Scalar>, variance: Vector<Scalar>, towards batchMean: Vector<Scalar>,
    _ batchVariance: Vector<Scalar>, rows: Int
  ) {
    measure("batch norm statistics", "running") {
      base.moveRunningStatistics(
        mean: mean, variance: variance, towards: batchMean, batchVariance, rows: rows)
    }
  }

  package func batchNorm(
    _ x: Matrix<Scalar>, _ norm: NormParameters<Scalar>, mean: Vector<Scalar>, variance: Vector<Scalar>,
    into y: Matrix<Scalar>
  ) {
    measure("batch norm", shape(x), elements: 2 * x.count) {
      base.batchNorm(x, norm, mean: mean, variance: variance, into: y)
    }
  }

  package func batchNormBackward(
    _ x: Matrix<Scalar>, dy: Matrix<Scalar>, _ norm: NormParameters<Scalar>, gradient: NormParameters<Scalar>,
    mean: Vector<Scalar>, variance: Vector<Scalar>, usesBatch: Bool, into dx: Matrix<Scalar>
  ) {
    measure("batch norm backward", shape(x), elements: 3 * x.count) {
      base.batchNormBackward(
        x, dy: dy, norm, gradient: gradient, mean: mean, variance: variance, usesBatch: usesBatch, into: dx)
    }
  }

  // MARK: Attention

  /// Of the causal half: the scores and the mixing of values, a half of the full squares each.
  private func attentionFlops(_ shape: AttentionShape) -> Double {
    2 * Double(shape.sequences * shape.heads * shape.headDimension)
      * Double(shape.length * (shape.length + 1))
  }

  private func detail(_ shape: AttentionShape) -> String {
    "\(shape.sequences) × \(shape.heads) heads × \(shape.length)"
  }

  package func attention(
    _ shape: AttentionShape, qkv: Operand<Scalar>, out: Operand<Scalar>, logSumExp: Vector<Scalar>
  ) {
    measure("attention", detail(shape), flops: attentionFlops(shape), operands: qkv.count + out.count) {
      base.attention(shape, qkv: qkv, out: out, logSumExp: logSumExp)
    }
  }

  package func attentionBackward(
    _ shape: AttentionShape, qkv: Operand<Scalar>, out: Operand<Scalar>, dOut: Operand<Scalar>,
    logSumExp: Vector<Scalar>, dQKV: Operand<Scalar>
  ) {
    measure(
      "attention backward", detail(shape), flops: 2.5 * attentionFlops(shape),
      operands: 2 * (qkv.count + out.count)
    ) {
      base.attentionBackward(
        shape, qkv: qkv, out: out, dOut: dOut, logSumExp: logSumExp, dQKV: dQKV)
    }
  }

  package func attention(
    heads: Int, appending qkv: Matrix<Scalar>, to spans: [CacheSpan<Scalar>], out: Matrix<Scalar>
  ) {
    let read = spans.reduce(0) { $0 + ($1.position + $1.rows.count) * 2 * out.columns }
    measure("attention over a cache", "\(heads) heads", elements: qkv.count, operands: read) {
      base.attention(heads: heads, appending: qkv, to: spans, out: out)
    }
  }

  // MARK: Embedding and loss

  package func embed(
    _ tokens: DeviceArray<Int32>, table: Matrix<Scalar>, positions: Matrix<Scalar>, length: Int,
    firstPosition: Int, into out: Matrix<Scalar>
  ) {
    measure("embedding", shape(out), elements: 2 * out.count) {
      base.embed(
        tokens, table: table, positions: positions, length: length, firstPosition: firstPosition, into: out)
    }
  }

  package func embedBackward(
    _ tokens: DeviceArray<Int32>, _ d: Matrix<Scalar>, length: Int, table: Matrix<Scalar>,
    positions: Matrix<Scalar>
  ) {
    measure("embedding backward", shape(d), elements: 3 * d.count) {
      base.embedBackward(tokens, d, length: length, table: table, positions: positions)
    }
  }

  package func crossEntropy(
    of x: Operand<Scalar>, table: Operand<Scalar>, bias: Vector<Scalar>, targets: DeviceArray<Int32>,
    smoothing: Double, gradient: Operand<Scalar>?, addingTo sums: LossSums
  ) {
    measure(
      "matmul a bᵀ, cross-entropy", "\(x.rows) × \(table.rows) × \(x.columns)",
      flops: 2 * Double(x.count * table.rows), operands: x.count + (gradient?.count ?? 0),
      bytes: table.count * table.elementBytes
    ) {
      base.crossEntropy(
        of: x, table: table, bias: bias, targets: targets, smoothing: smoothing, gradient: gradient,
        addingTo: sums)
    }
  }

  // MARK: Product-key memory

  private func detail(_ shape: MemoryShape) -> String {
    "\(shape.subkeys)² slots, \(shape.heads) heads, top \(shape.topk)"
  }

  /// Of the scores of all sub-keys.
  private func scoreFlops(_ shape: MemoryShape, rows: Int) -> Double {
    2 * Double(rows * shape.heads * 2 * shape.subkeys * shape.half)
  }

  package func lookup(
    _ shape: MemoryShape, queries: Matrix<Scalar>, subkeys: Matrix<Scalar>,
    slots: DeviceArray<Int32>, weights: Matrix<Scalar>
  ) {
    measure(
      "memory: lookup", detail(shape), flops: scoreFlops(shape, rows: queries.rows),
      elements: queries.count + subkeys.count + 2 * weights.count
    ) {
      base.lookup(shape, queries: queries, subkeys: subkeys, slots: slots, weights: weights)
    }
  }

  package func lookupBackward(
    _ shape: MemoryShape, queries: Operand<Scalar>, subkeys: Operand<Scalar>, slots: DeviceArray<Int32>,
    weights: Matrix<Scalar>, dWeights: Matrix<Scalar>, scoreGradients: Operand<Scalar>,
    dQueries: Matrix<Scalar>, dSubkeys: Matrix<Scalar>
  ) {
    measure(
      "memory: lookup backward", detail(shape), flops: 2 * scoreFlops(shape, rows: queries.rows),
      elements: queries.count + 2 * subkeys.count + 3 * weights.count,
      operands: queries.count + subkeys.count
    ) {
      base.lookupBackward(
        shape, queries: queries, subkeys: subkeys, slots: slots, weights: weights, dWeights: dWeights,
        scoreGradients: scoreGradients, dQueries: dQueries, dSubkeys: dSubkeys)
    }
  }

  package func weightedSum(
    slots: DeviceArray<Int32>, weights: Matrix<Scalar>, values: Operand<Scalar>, into y: Matrix<Scalar>
  ) {
    measure(
      "memory: weighted sum", "\(weights.count) reads of \(values.columns)",
      bytes: weights.count * values.columns * values.elementBytes
    ) {
      base.weightedSum(slots: slots, weights: weights, values: values, into: y)
    }
  }

  package func weightedSumBackward(
    slots: DeviceArray<Int32>, weights: Matrix<Scalar>, values: Operand<Scalar>, dy: Matrix<Scalar>,
    dWeights: Matrix<Scalar>, gradient: ValueGradient<Scalar>
  ) {
    // Rows of values are read once a slot; a dy is read for each read, from a cache.
    measure(
      "memory: weighted sum backward", "\(weights.count) reads of \(values.columns)",
      elements: weights.count * values.columns
    ) {
      base.weightedSumBackward(
        slots: slots, weights: weights, values: values, dy: dy, dWeights: dWeights, gradient: gradient)
    }
  }

  package func accumulateMass(
    slots: DeviceArray<Int32>, weights: Matrix<Scalar>, into mass: DeviceArray<Double>
  ) {
    measure("memory: statistics", "", elements: weights.count) {
      base.accumulateMass(slots: slots, weights: weights, into: mass)
    }
  }

  package func append(_ reads: ValueGradient<Scalar>.Reads, to gradient: ValueGradient<Scalar>) {
    measure("memory: append reads", "\(reads.weights.count) reads", elements: 2 * reads.dy.count) {
      base.append(reads, to: gradient)
    }
  }

  package func touchedSlots(of gradient: ValueGradient<Scalar>) -> Int { base.touchedSlots(of: gradient) }

  // MARK: Optimizer

  package func adam(
    _ parameter: Vector<Scalar>, _ operand: Operand<Scalar>?, gradient: Vector<Scalar>, m: Vector<Scalar>,
    v: Vector<Scalar>, _ step: AdamStep
  ) {
    let rounded = operand.map { $0.isBF16 ? $0.count : 0 } ?? 0
    measure("Adam", "", elements: 7 * parameter.count, operands: rounded) {
      base.adam(parameter, operand, gradient: gradient, m: m, v: v, step)
    }
  }

  package func addSquaredNorm(of gradient: ValueGradient<Scalar>, to sum: DeviceArray<Double>) {
    let reads = gradient.gathered
    measure(
      "memory: gradient norm", "\(reads.weights.count) reads",
      elements: reads.weights.count * reads.dy.columns
    ) {
      base.addSquaredNorm(of: gradient, to: sum)
    }
  }

  package func lazyAdam(
    _ values: Operand<Scalar>, gradient: ValueGradient<Scalar>, m: Matrix<Scalar>, v: Matrix<Scalar>,
    _ step: AdamStep
  ) {
    let slots = log.isOn ? base.touchedSlots(of: gradient) : 0
    measure(
      "memory: lazy Adam", "\(values.columns) wide", elements: 4 * slots * values.columns,
      bytes: 2 * slots * values.columns * values.elementBytes
    ) {
      base.lazyAdam(values, gradient: gradient, m: m, v: v, step)
    }
  }
}
