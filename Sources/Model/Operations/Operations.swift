/// The one seam to arithmetic: layers and optimizers are written against it, a second device is a second conformer.
///
/// Every operation is complete when it returns, gives the same bits for any number of threads, and allocates nothing
/// after its first call with a shape. Matrices marked "dense" have no gap between rows.
package protocol Operations {
  associatedtype Scalar: Real

  /// Whether the operands of products are bfloat16; else they are the numbers themselves.
  var operandsAreBF16: Bool { get }
  /// Whether products of many rows take reals for their right operand where the left one is bfloat16, and round them at no
  /// cost; other products do so, too, but by a pass over them.
  var roundsRightOperands: Bool { get }

  // MARK: Elements

  func fill(_ x: Vector<Scalar>, _ value: Double)
  func copy(_ x: Vector<Scalar>, to y: Vector<Scalar>)
  /// Draws every element; element i depends on the seed and i alone, and is rounded where x is bfloat16.
  func initialize(_ x: Operand<Scalar>, _ distribution: Distribution, seed: UInt64)
  /// y += x
  func add(_ x: Vector<Scalar>, to y: Vector<Scalar>)
  /// x *= factor
  func scale(_ x: Vector<Scalar>, by factor: Double)
  /// Σ x², added up in double in a fixed order.
  func squaredNorm(_ x: Vector<Scalar>) -> Double
  /// Zeroes elements by the mask and scales the rest, in place. The backward pass is the same call on the gradient.
  func dropout(_ x: Matrix<Scalar>, _ mask: DropoutMask)
  /// x as an operand, nothing to do where it is one already.
  func round(_ x: Matrix<Scalar>, into operand: Operand<Scalar>)
  /// out = stream + branch; all dense.
  func add(_ stream: Matrix<Scalar>, _ branch: Matrix<Scalar>, into out: Matrix<Scalar>)
  /// out += factor · sum of the rows of x.
  func addColumnSums(of x: Operand<Scalar>, factor: Double, to out: Vector<Scalar>)

  // MARK: Products

  /// c = factor · op(a) op(b) (+ c when `adding`). op transposes where asked. Of all products, b may be reals where a is
  /// bfloat16.
  func matmul(
    _ a: Operand<Scalar>, transposed transposesA: Bool, _ b: Operand<Scalar>, transposed transposesB: Bool,
    factor: Double, into c: Matrix<Scalar>, adding: Bool)
  /// a op(b), of which only what `finish` makes of it is stored.
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
  /// d_qkv =, from what the forward pass left; the probabilities are computed again.
  func attentionBackward(
    _ shape: AttentionShape, qkv: Operand<Scalar>, out: Operand<Scalar>, dOut: Operand<Scalar>,
    logSumExp: Vector<Scalar>, dQKV: Operand<Scalar>)
  /// The same for new tokens of sequences whose keys and values are cached: theirs are written into the caches, and they
  /// attend to all before them. Nothing is kept for a backward pass.
  func attention(
    heads: Int, appending qkv: Matrix<Scalar>, to pieces: [CacheSpan<Scalar>], out: Matrix<Scalar>)

  // MARK: Embedding and loss

  /// out[r] = table[tokens[r]] + positions[firstPosition + r mod length]
  func embed(
    _ tokens: UnsafeBufferPointer<Int32>, table: Matrix<Scalar>, positions: Matrix<Scalar>, length: Int,
    firstPosition: Int, into out: Matrix<Scalar>)
  /// Adds d to the rows of both gradients.
  func embedBackward(
    _ tokens: UnsafeBufferPointer<Int32>, _ d: Matrix<Scalar>, length: Int, table: Matrix<Scalar>,
    positions: Matrix<Scalar>)
  /// Losses of the logits x · tableᵀ + bias with uniform smoothing ε/V, and where it is wanted their gradient p - q. The
  /// logits themselves are not kept. Targets below 0 count nothing.
  func crossEntropy(
    of x: Operand<Scalar>, table: Operand<Scalar>, bias: Vector<Scalar>, targets: UnsafeBufferPointer<Int32>,
    smoothing: Double, gradient: Operand<Scalar>?
  ) -> Loss

  // MARK: Product-key memory

  /// The topk best slots of each row and head with their softmax weights. `queries`: tokens × heads · queryDimension;
  /// `slots` and `weights`: tokens × heads · topk.
  func lookup(
    _ shape: MemoryShape, queries: Matrix<Scalar>, subkeys: Matrix<Scalar>,
    slots: UnsafeMutablePointer<Int32>, weights: Matrix<Scalar>)
  /// Gradients of the queries (=) and sub-keys (+=) from those of the weights. `scoreGradients` is scratch of
  /// tokens × heads · 2 · subkeys.
  func lookupBackward(
    _ shape: MemoryShape, queries: Operand<Scalar>, subkeys: Operand<Scalar>, slots: UnsafePointer<Int32>,
    weights: Matrix<Scalar>, dWeights: Matrix<Scalar>, scoreGradients: Operand<Scalar>,
    dQueries: Matrix<Scalar>, dSubkeys: Matrix<Scalar>)
  /// y[r] = Σ weights[r, m] · values[slots[r, m]]
  func weightedSum(
    slots: UnsafePointer<Int32>, weights: Matrix<Scalar>, values: Operand<Scalar>, into y: Matrix<Scalar>)
  /// d_weights =, and the reads are added to the gradient of the values.
  func weightedSumBackward(
    slots: UnsafePointer<Int32>, weights: Matrix<Scalar>, values: Operand<Scalar>, dy: Matrix<Scalar>,
    dWeights: Matrix<Scalar>, gradient: ValueGradient<Scalar>)
  /// mass[slot] += weight for every read.
  func accumulateMass(
    slots: UnsafePointer<Int32>, weights: Matrix<Scalar>, into mass: UnsafeMutablePointer<Double>)

  // MARK: Optimizer

  /// Σ x² over all rows of a value table's gradient, added up in double in a fixed order.
  func squaredNorm(_ gradient: ValueGradient<Scalar>) -> Double
  /// `operand`, where the parameter has one of its own, takes the new numbers, too.
  func adam(
    _ parameter: Vector<Scalar>, _ operand: Operand<Scalar>?, gradient: Vector<Scalar>, m: Vector<Scalar>,
    v: Vector<Scalar>, _ step: AdamStep)
  /// Lazy Adam: only the rows read move, and only their moments decay; `step` counts globally. Their gradient is made in
  /// passing. Values in bfloat16 are rounded up or down by chance, as the rounding key decides.
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
