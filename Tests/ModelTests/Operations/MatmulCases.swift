import Model

/// Products of all orientations. The shapes lie on both sides of each border between two ways of multiplying: few rows,
/// many rows, tiles and panels that are not filled, inner dimensions that are odd or longer than one pass.
///
/// Each shape meets some of the orientations, factors and gaps, so that all pairs occur, but not all combinations.
struct MatmulCase: OperationCase {
  static let multiplies = true

  let m, n, k: Int
  var isATransposed = false, isBTransposed = false
  var factor = 1.0
  var adding = false
  var gap = 3
  /// b is reals beside operands in bfloat16.
  var isBReal = false

  static let all = skinny + small + many + transposed

  /// a bᵀ of at most 32 rows, as in generation: 16 or 32 lanes of rows, blocks of 12 columns, spans of 192 and 12.
  private static let skinny = [
    (1, 1, 1), (1, 7, 33), (1, 25, 129), (2, 11, 17), (5, 25, 50), (15, 12, 31), (16, 13, 64), (17, 70, 31),
    (31, 205, 16), (32, 130, 65),
  ].map { m, n, k in MatmulCase(m: m, n: n, k: k, isBTransposed: true, gap: n % 4, isBReal: n % 10 == 0) }

  /// Fewer rows than are worth packing: tiles of 4 × 32 and 256 numbers of k.
  private static let small = [
    MatmulCase(m: 1, n: 1, k: 1, factor: 0.5, adding: true, gap: 0),
    MatmulCase(m: 4, n: 32, k: 16, factor: -2, isBReal: true),
    MatmulCase(m: 5, n: 33, k: 257),
    MatmulCase(m: 16, n: 40, k: 20, isBTransposed: true, factor: 0.5, adding: true, gap: 0),
    MatmulCase(m: 33, n: 65, k: 129, isBTransposed: true),
    MatmulCase(m: 127, n: 40, k: 64, isBTransposed: true, factor: -2, isBReal: true),
  ]

  /// From 128 rows on b is packed in panels of 64 columns, as many as stay in the cache; 6 rows at a time meet a panel, and
  /// 768 numbers or pairs of k.
  private static let many = [
    MatmulCase(m: 128, n: 65, k: 32),
    MatmulCase(m: 128, n: 64, k: 48, isBTransposed: true, factor: 0.5, adding: true, gap: 0),
    MatmulCase(m: 129, n: 63, k: 66, factor: 0.5, adding: true),
    MatmulCase(m: 133, n: 50, k: 33, isBTransposed: true),
    MatmulCase(m: 140, n: 129, k: 64, isBTransposed: true, factor: -2, isBReal: true),
    MatmulCase(m: 150, n: 530, k: 18, factor: -2, isBReal: true),
    MatmulCase(m: 130, n: 1090, k: 34, isBTransposed: true, adding: true),
    MatmulCase(m: 131, n: 70, k: 770, adding: true, gap: 0),
    MatmulCase(m: 128, n: 66, k: 1540, isBTransposed: true),
  ]

  /// aᵀ b and aᵀ bᵀ. From 128 numbers of k on, b of aᵀ b is packed: 384 or 768 numbers of k at a time, up to 96 columns of
  /// a, and parts of 2,048 or 4,096 rows and 1,024 columns of b.
  private static let transposed = [
    MatmulCase(m: 1, n: 1, k: 1, isATransposed: true, isBTransposed: true, gap: 0),
    MatmulCase(m: 17, n: 70, k: 31, isATransposed: true, isBTransposed: true, factor: -2, isBReal: true),
    MatmulCase(m: 129, n: 33, k: 130, isATransposed: true, isBTransposed: true, factor: 0.5, adding: true),
    MatmulCase(m: 1, n: 7, k: 33, isATransposed: true),
    MatmulCase(m: 33, n: 65, k: 129, isATransposed: true, factor: 0.5, adding: true, gap: 0),
    MatmulCase(m: 97, n: 70, k: 128, isATransposed: true),
    MatmulCase(m: 40, n: 66, k: 130, isATransposed: true, factor: -2, isBReal: true),
    MatmulCase(m: 7, n: 1090, k: 400, isATransposed: true),
    MatmulCase(m: 8, n: 20, k: 4140, isATransposed: true, factor: 0.5, adding: true),
    MatmulCase(m: 13, n: 3, k: 2060, isATransposed: true),
  ]

  func run<Device: Operations>(on bed: TestBed<Device>) -> [Outcome] {
    let a = isATransposed ? bed.operand(k, m, gap: gap, normal(1)) : bed.operand(m, k, gap: gap, normal(1))
    let (rows, columns) = isBTransposed ? (n, k) : (k, n)
    let b = bed.operand(rows, columns, gap: gap, isBF16: isBReal ? false : nil, normal(2))
    let c = bed.matrix(m, n, gap: gap, adding ? normal(3) : constant(.nan))
    bed.device.matmul(
      a, transposed: isATransposed, b, transposed: isBTransposed, factor: factor, into: c, adding: adding)
    return [Outcome("product", bed.numbers(c))]
  }
}

/// What is computed from products in passing.
struct EpilogueCase: OperationCase {
  static let multiplies = true

  let m, n, k: Int
  let isTransposed: Bool
  var gap = 0

  static let all = [
    EpilogueCase(m: 1, n: 1, k: 1, isTransposed: true),
    EpilogueCase(m: 1, n: 30, k: 17, isTransposed: false, gap: 1),
    EpilogueCase(m: 3, n: 70, k: 17, isTransposed: true, gap: 2),
    EpilogueCase(m: 32, n: 205, k: 8, isTransposed: true),
    EpilogueCase(m: 40, n: 65, k: 33, isTransposed: false, gap: 1),
    EpilogueCase(m: 129, n: 70, k: 65, isTransposed: false, gap: 3),
    EpilogueCase(m: 140, n: 600, k: 34, isTransposed: true),
  ]

  func run<Device: Operations>(on bed: TestBed<Device>) -> [Outcome] {
    let a = bed.operand(m, k, normal(1)), scale = 1 / Double(k).squareRoot()
    let numbers = normal(2, deviation: scale)
    let b = isTransposed ? bed.operand(n, k, numbers) : bed.operand(k, n, numbers)
    let bias = bed.vector(n, normal(3))
    func matmul(_ epilogue: Epilogue<Device.Scalar>) {
      bed.device.matmul(a, b, transposed: isTransposed, epilogue: epilogue)
    }
    func operand() -> Operand<Device.Scalar> { bed.operand(m, n, gap: gap) }

    let rounded = operand(), biased = operand(), saved = operand(), gelu = operand(), onlyGELU = operand()
    matmul(.round(into: rounded))
    matmul(.bias(bias, into: biased))
    matmul(.biasGELU(bias, save: saved, into: gelu))
    matmul(.biasGELU(bias, save: nil, into: onlyGELU))
    let h = bed.operand(m, n, gap: gap, normal(4, deviation: 1.5)), recomputed = operand()
    matmul(.geluBackward(h, recompute: recomputed))
    let stream = bed.matrix(m, n, normal(5)), sum = bed.matrix(m, n), dropped = bed.matrix(m, n)
    matmul(.residual(stream, bias: bias, mask: .none, into: sum))
    matmul(
      .residual(stream, bias: bias, mask: DropoutMask(key: 99 << 32 | 5, probability: 0.4), into: dropped))
    return [
      Outcome("round", bed.numbers(rounded), .operand), Outcome("bias", bed.numbers(biased), .operand),
      Outcome("saved", bed.numbers(saved), .operand), Outcome("GELU", bed.numbers(gelu), .throughOperands),
      Outcome("GELU alone", bed.numbers(onlyGELU), .throughOperands),
      Outcome("gradient", bed.numbers(h), .operand), Outcome("GELU again", bed.numbers(recomputed), .operand),
      Outcome("residual", bed.numbers(sum)), Outcome("residual with dropout", bed.numbers(dropped)),
    ]
  }
}

/// GELU from the far left, where it is almost nothing, to the far right: relative to itself.
struct GELUCase: OperationCase {
  static let multiplies = true

  static let all = [GELUCase()]

  func run<Device: Operations>(on bed: TestBed<Device>) -> [Outcome] {
    let count = 401
    let x = bed.operand(count, 1) { Double($0 - 200) / 32 }, one = bed.operand(1, 1, constant(1))
    let zero = bed.vector(1, constant(0)), gelu = bed.operand(count, 1)
    bed.device.matmul(x, one, transposed: true, epilogue: .biasGELU(zero, save: nil, into: gelu))
    let ones = bed.operand(count, 1, constant(1)), again = bed.operand(count, 1)
    bed.device.matmul(ones, one, transposed: false, epilogue: .geluBackward(x, recompute: again))
    let found = bed.numbers(gelu)
    return (0..<count).map { Outcome("GELU of \(Double($0 - 200) / 32)", [found[$0]], .operand) } + [
      Outcome("slope", bed.numbers(x), .operand),
      Outcome("again", zip(bed.numbers(again), found).map(-), .exact),
    ]
  }
}

/// Gradients of a weight and a bias, which are added to.
struct WeightGradientCase: OperationCase {
  static let multiplies = true

  let m, n, k: Int

  static let all = [
    (1, 1, 1), (3, 5, 40), (97, 70, 130), (96, 64, 128), (130, 65, 129), (50, 1030, 200), (200, 5, 2118),
  ].map { WeightGradientCase(m: $0, n: $1, k: $2) }

  func run<Device: Operations>(on bed: TestBed<Device>) -> [Outcome] {
    let a = bed.operand(k, m, gap: 3, normal(1)), b = bed.operand(k, n, gap: 1, normal(2))
    let c = bed.matrix(m, n, gap: 1, normal(3)), sums = bed.vector(m, normal(4))
    bed.device.addMatmul(ofTransposed: a, b, factor: 0.25, to: c, columnSums: sums)
    return [Outcome("weights", bed.numbers(c)), Outcome("bias", bed.numbers(sums))]
  }
}
