import Model

/// Products of all orientations. The shapes lie on both sides of each border between two ways of multiplying: few rows,
/// many rows, tiles and panels that are not filled, inner dimensions that are odd or longer than one pass.
struct MatmulCase: OperationCase {
  let m, n, k: Int
  let isATransposed, isBTransposed: Bool
  let factor: Double
  let adding: Bool
  var gap = 3
  /// b is reals beside operands in bfloat16.
  var isBReal = false

  static let all: [MatmulCase] = {
    let small = [
      (1, 1, 1), (1, 7, 33), (5, 25, 50), (17, 70, 31), (32, 130, 64), (33, 65, 129),
    ]
    let large = [(127, 40, 65), (128, 65, 32), (150, 530, 48)]
    var cases: [MatmulCase] = []
    for (m, n, k) in small + large {
      for (a, b) in [(false, false), (false, true), (true, false), (true, true)] {
        cases.append(
          MatmulCase(m: m, n: n, k: k, isATransposed: a, isBTransposed: b, factor: 1, adding: false))
        if a != b {
          cases.append(
            MatmulCase(
              m: m, n: n, k: k, isATransposed: a, isBTransposed: b, factor: 0.5, adding: true, gap: 0))
        }
      }
      cases.append(
        MatmulCase(
          m: m, n: n, k: k, isATransposed: false, isBTransposed: n % 2 == 0, factor: -2, adding: false,
          isBReal: true
        ))
    }
    cases.append(
      MatmulCase(m: 130, n: 1090, k: 66, isATransposed: false, isBTransposed: true, factor: 1, adding: true))
    cases.append(
      MatmulCase(m: 40, n: 1090, k: 300, isATransposed: true, isBTransposed: false, factor: 1, adding: false))
    cases.append(
      MatmulCase(m: 20, n: 70, k: 4140, isATransposed: true, isBTransposed: false, factor: 1, adding: true))
    return cases
  }()

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
  let m, n, k: Int
  let isTransposed: Bool
  var gap = 0

  static let all = [
    (1, 1, 1, 0), (3, 70, 17, 2), (32, 20, 8, 0), (40, 65, 33, 1), (140, 600, 70, 0), (300, 70, 129, 3),
  ].flatMap { m, n, k, gap in
    [true, false].map { EpilogueCase(m: m, n: n, k: k, isTransposed: $0, gap: gap) }
  }

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
    matmul(.biasGELU(bias, keeping: saved, into: gelu))
    matmul(.biasGELU(bias, keeping: nil, into: onlyGELU))
    let h = bed.operand(m, n, gap: gap, normal(4, deviation: 1.5)), recomputed = operand()
    matmul(.geluBackward(h, again: recomputed))
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
  static let all = [GELUCase()]

  func run<Device: Operations>(on bed: TestBed<Device>) -> [Outcome] {
    let count = 401
    let x = bed.operand(count, 1) { Double($0 - 200) / 32 }, one = bed.operand(1, 1, constant(1))
    let zero = bed.vector(1, constant(0)), gelu = bed.operand(count, 1)
    bed.device.matmul(x, one, transposed: true, epilogue: .biasGELU(zero, keeping: nil, into: gelu))
    let ones = bed.operand(count, 1, constant(1)), again = bed.operand(count, 1)
    bed.device.matmul(ones, one, transposed: false, epilogue: .geluBackward(x, again: again))
    let found = bed.numbers(gelu)
    return (0..<count).map { Outcome("GELU of \(Double($0 - 200) / 32)", [found[$0]], .operand) } + [
      Outcome("slope", bed.numbers(x), .operand),
      Outcome("again", zip(bed.numbers(again), found).map(-), .exact),
    ]
  }
}

/// Gradients of a weight and a bias, which are added to.
struct WeightGradientCase: OperationCase {
  let m, n, k: Int

  static let all = [
    (1, 1, 1), (3, 5, 40), (97, 70, 130), (100, 64, 128), (130, 65, 129), (50, 1030, 200), (200, 33, 2118),
  ].map { WeightGradientCase(m: $0, n: $1, k: $2) }

  func run<Device: Operations>(on bed: TestBed<Device>) -> [Outcome] {
    let a = bed.operand(k, m, gap: 3, normal(1)), b = bed.operand(k, n, gap: 1, normal(2))
    let c = bed.matrix(m, n, gap: 1, normal(3)), sums = bed.vector(m, normal(4))
    bed.device.addMatmul(ofTransposed: a, b, factor: 0.25, to: c, columnSums: sums)
    return [Outcome("weights", bed.numbers(c)), Outcome("bias", bed.numbers(sums))]
  }
}
