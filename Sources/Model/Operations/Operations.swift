import Support

/// The one seam to arithmetic: layers and optimizers are written against it, and a second device is a second conformer.
///
/// Operations run in the order in which they are called. A device may return before one is complete: only
/// ``download(_:into:)`` and ``synchronize()`` wait. All views are of memory that the device allocated; only the device
/// reads or writes it. Each operation gives the same bits for any number of threads, and allocates nothing after its first
/// call with a shape. "Dense" matrices have no gap between rows.
package protocol Operations<Scalar> {
  associatedtype Scalar: Real

  /// What computes, for the reader of a log.
  var description: String { get }
  /// Whether the operands of matmuls are bf16; otherwise they are the numbers themselves.
  var operandsAreBF16: Bool { get }
  /// Whether a model should keep a copy in bf16 of every weight, because rounding it for each matmul would take time.
  func wantsWeightCopies(isTraining: Bool) -> Bool
  /// Memory that the device takes beside what is allocated, to train a model of this width and vocabulary.
  func workingBytes(dim: Int, vocabularySize: Int) -> Int

  // MARK: Memory

  /// Zeroed memory, freed with the object. Throws if there is not enough.
  func allocate(bytes: Int) throws(Failure) -> DeviceMemory
  /// Copies bytes of the host into device memory; they may be reused when it returns.
  func upload(_ bytes: UnsafeRawBufferPointer, to address: DeviceAddress)
  /// Waits for all operations before it and copies device memory to the host.
  func download(_ address: DeviceAddress, into bytes: UnsafeMutableRawBufferPointer)
  /// Sets each of `count` bytes.
  func setBytes(_ address: DeviceAddress, count: Int, to byte: UInt8)
  /// x[i] = x[rows[i]], for ascending `rows`.
  func moveRowsToFront(_ rows: [Int], of x: Operand<Scalar>)
  /// Waits until all operations are complete.
  func synchronize()

  // MARK: Elements

  func fill(_ x: Vector<Scalar>, _ value: Double)
  func copy(_ x: Vector<Scalar>, to y: Vector<Scalar>)
  /// Draws every element; element i depends on the seed and i alone, and is rounded where x is bfloat16.
  func initialize(_ x: Operand<Scalar>, _ distribution: Distribution, seed: UInt64)
  /// y += x
  func add(_ x: Vector<Scalar>, to y: Vector<Scalar>)
  /// x *= factor
  func scale(_ x: Vector<Scalar>, by factor: Double)
  /// sum += Σ x², added up in double in a fixed order.
  func addSquaredNorm(of x: Vector<Scalar>, to sum: DeviceArray<Double>)
  /// Zeroes elements by the mask and scales the rest, in place. The backward pass is the same call on the gradient.
  func dropout(_ x: Matrix<Scalar>, _ mask: DropoutMask)
  /// x as an operand; does nothing if the operand is x itself.
  func round(_ x: Matrix<Scalar>, into operand: Operand<Scalar>)
  /// out = stream + branch; all dense.
  func add(_ stream: Matrix<Scalar>, _ branch: Matrix<Scalar>, into out: Matrix<Scalar>)
  /// out += factor · sum of the rows of x.
  func addColumnSums(of x: Operand<Scalar>, factor: Double, to out: Vector<Scalar>)

  // MARK: Matmul

  /// c = factor · op(a) op(b) (+ c when `adding`). op transposes where asked. In every matmul b may be reals if a
  /// is bf16.
  func matmul(
    _ a: Operand<Scalar>, transposed transposesA: Bool, _ b: Operand<Scalar>, transposed transposesB: Bool,
    factor: Double, into c: Matrix<Scalar>, adding: Bool)
  /// a op(b); only the result of the epilogue is stored.
  func matmul(
    _ a: Operand<Scalar>, _ b: Operand<Scalar>, transposed: Bool, epilogue: Epilogue<Scalar>)

  /// c += factor · aᵀ b and `columnSums` += factor · the sums of a's columns: gradients of a weight and a bias.
  func addMatmul(
    ofTransposed a: Operand<Scalar>, _ b: Operand<Scalar>, factor: Double, to c: Matrix<Scalar>,
    columnSums: Vector<Scalar>)

  // MARK: Normalization

  /// The result as reals, where they are wanted, and as an operand.
  func layerNorm(
    _ x: Matrix<Scalar>, _ norm: NormParameters<Scalar>, _ statistics: RowStatistics<Scalar>,
    into y: Matrix<Scalar>?, _ operand: Operand<Scalar>)
  /// dx = (or += when `adding`); the gradients of gamma and beta are added to. The reals of dx may be dy.
  func layerNormBackward(
    _ x: Matrix<Scalar>, dy: Matrix<Scalar>, _ norm: NormParameters<Scalar>, gradient: NormParameters<Scalar>,
    _ statistics: RowStatistics<Scalar>, adding: Bool, into dx: MixedMatrix<Scalar>)
  /// Mean and biased variance of each column.
  func columnStatistics(_ x: Matrix<Scalar>, mean: Vector<Scalar>, variance: Vector<Scalar>)
  /// running += (new - running) / 10, the variance in its unbiased form; both of `rows` rows.
  func moveRunningStatistics(
    mean: Vector<Scalar>, variance: Vector<Scalar>, towards batchMean: Vector<Scalar>,
    _ batchVariance: Vector<Scalar>, rows: Int)
  func batchNorm(
    _ x: Matrix<Scalar>, _ norm: NormParameters<Scalar>, mean: Vector<Scalar>, variance: Vector<Scalar>,
    into y: Matrix<Scalar>)
  /// dx =, gradients of gamma and beta +=. `usesBatch` tells whether the statistics were those of x. dx may be dy.
  func batchNormBackward(
    _ x: Matrix<Scalar>, dy: Matrix<Scalar>, _ norm: NormParameters<Scalar>, gradient: NormParameters<Scalar>,
    mean: Vector<Scalar>, variance: Vector<Scalar>, usesBatch: Bool, into dx: Matrix<Scalar>)

  // MARK: Attention

  /// Causal softmax attention of each sequence and head. `qkv`: tokens × 3d (queries, keys, values; heads side by
  /// side), `out`: tokens × d, `logSumExp`: sequences · heads · length.
  func attention(
    _ shape: AttentionShape, qkv: Operand<Scalar>, out: Operand<Scalar>, logSumExp: Vector<Scalar>)
  /// d_qkv =, from what the forward pass saved; recomputes the probabilities.
  func attentionBackward(
    _ shape: AttentionShape, qkv: Operand<Scalar>, out: Operand<Scalar>, dOut: Operand<Scalar>,
    logSumExp: Vector<Scalar>, dQKV: Operand<Scalar>)
  /// The same for new tokens of sequences whose earlier keys and values are cached: writes theirs into the caches and
  /// attends to all before them. Saves nothing for a backward pass.
  func attention(
    heads: Int, appending qkv: Matrix<Scalar>, to spans: [CacheSpan<Scalar>], out: Matrix<Scalar>)

  // MARK: Embedding and loss

  /// out[r] = table[tokens[r]] + positions[firstPosition + r mod length]
  func embed(
    _ tokens: DeviceArray<Int32>, table: Matrix<Scalar>, positions: Matrix<Scalar>, length: Int,
    firstPosition: Int, into out: Matrix<Scalar>)
  /// Adds d to the rows of both gradients.
  func embedBackward(
    _ tokens: DeviceArray<Int32>, _ d: Matrix<Scalar>, length: Int, table: Matrix<Scalar>,
    positions: Matrix<Scalar>)
  /// Adds the losses of the logits x · tableᵀ + bias, with uniform smoothing ε/V, to `sums`: first over the rows in order,
  /// then to the sums. Stores their gradient p - q if asked for one, but not the logits. Targets below 0 count nothing.
  func crossEntropy(
    of x: Operand<Scalar>, table: Operand<Scalar>, bias: Vector<Scalar>, targets: DeviceArray<Int32>,
    smoothing: Double, gradient: Operand<Scalar>?, addingTo sums: LossSums)

  // MARK: Product-key memory

  /// The topk best slots of each row and head with their softmax weights. `queries`: tokens × heads · queryDimension;
  /// `slots` and `weights`: tokens × heads · topk.
  func lookup(
    _ shape: MemoryShape, queries: Matrix<Scalar>, subkeys: Matrix<Scalar>,
    slots: DeviceArray<Int32>, weights: Matrix<Scalar>)
  /// Gradients of the queries (=) and sub-keys (+=) from those of the weights. `scoreGradients` is scratch of
  /// tokens × heads · 2 · subkeys.
  func lookupBackward(
    _ shape: MemoryShape, queries: Operand<Scalar>, subkeys: Operand<Scalar>, slots: DeviceArray<Int32>,
    weights: Matrix<Scalar>, dWeights: Matrix<Scalar>, scoreGradients: Operand<Scalar>,
    dQueries: Matrix<Scalar>, dSubkeys: Matrix<Scalar>)
  /// y[r] = Σ weights[r, m] · values[slots[r, m]]
  func weightedSum(
    slots: DeviceArray<Int32>, weights: Matrix<Scalar>, values: Operand<Scalar>, into y: Matrix<Scalar>)
  /// d_weights =; appends the reads, with their dy, to the gradient of the values.
  func weightedSumBackward(
    slots: DeviceArray<Int32>, weights: Matrix<Scalar>, values: Operand<Scalar>, dy: Matrix<Scalar>,
    dWeights: Matrix<Scalar>, gradient: ValueGradient<Scalar>)
  /// mass[slot] += weight for every read.
  func accumulateMass(
    slots: DeviceArray<Int32>, weights: Matrix<Scalar>, into mass: DeviceArray<Double>)
  /// Appends reads of another rank.
  func append(_ reads: ValueGradient<Scalar>.Reads, to gradient: ValueGradient<Scalar>)
  /// How many different slots were read. Waits for the device.
  func touchedSlots(of gradient: ValueGradient<Scalar>) -> Int

  // MARK: Optimizer

  /// sum += Σ x² over all rows of a value table's gradient, added up in double in a fixed order.
  func addSquaredNorm(of gradient: ValueGradient<Scalar>, to sum: DeviceArray<Double>)
  /// Also writes the new numbers to `operand`, if the parameter has one.
  func adam(
    _ parameter: Vector<Scalar>, _ operand: Operand<Scalar>?, gradient: Vector<Scalar>, m: Vector<Scalar>,
    v: Vector<Scalar>, _ step: AdamStep)
  /// Lazy Adam: only the rows that were read move, and only their moments decay; `step` counts all steps. Values in bf16
  /// are rounded stochastically: the rounding key is the seed.
  func lazyAdam(
    _ values: Operand<Scalar>, gradient: ValueGradient<Scalar>, m: Matrix<Scalar>, v: Matrix<Scalar>,
    _ step: AdamStep)
}

extension Operations {
  /// c = a op(b), the usual case.
  func matmul(
    _ a: Operand<Scalar>, _ b: Operand<Scalar>, transposed: Bool = false, into c: Matrix<Scalar>,
    adding: Bool = false
  ) {
    matmul(a, transposed: false, b, transposed: transposed, factor: 1, into: c, adding: adding)
  }
}
