import Model

struct LayerNormCase: OperationCase {
  let rows, columns: Int
  let wantsReals, adding: Bool

  static let all = [(1, 1), (1, 7), (67, 11), (64, 64), (130, 100), (5, 513)].flatMap { rows, columns in
    [(true, false), (false, true)].map {
      LayerNormCase(rows: rows, columns: columns, wantsReals: $0, adding: $1)
    }
  }

  func run<Device: Operations>(on bed: TestBed<Device>) -> [Outcome] {
    let device = bed.device, norm = bed.norm(columns, seed: 1)
    let x = bed.matrix(rows, columns) { normal(3)($0) * 2 + 0.5 }
    let statistics = RowStatistics(mean: bed.vector(rows), inverseDeviation: bed.vector(rows))
    let y = bed.mixedMatrix(rows, columns)
    device.layerNorm(x, norm, statistics, into: wantsReals ? y.real : nil, y.operand)

    let dy = bed.matrix(rows, columns, normal(4)), gradient = bed.norm(columns, seed: 5)
    let dx = bed.mixedMatrix(rows, columns, adding ? normal(7) : constant(.nan))
    device.layerNormBackward(x, dy: dy, norm, gradient: gradient, statistics, adding: adding, into: dx)
    // In place.
    let d = bed.mixedMatrix(rows, columns, normal(8)), other = bed.norm(columns, seed: 9)
    device.layerNormBackward(x, dy: d.real, norm, gradient: other, statistics, adding: false, into: d)
    // Of one column nothing is left but rounding, times 1 / deviation.
    let factor = 3.0, atLeast = columns == 1 ? 400.0 : 0
    return [
      Outcome("mean", bed.numbers(statistics.mean)),
      Outcome("1 / deviation", bed.numbers(statistics.inverseDeviation)),
      Outcome("reals", wantsReals ? bed.numbers(y.real) : []),
      Outcome("operand", bed.numbers(y.operand), .operand),
      Outcome("dx", bed.numbers(dx.real), factor: factor, atLeast: atLeast),
      Outcome("dx as operand", bed.numbers(dx.operand), .operand, factor: factor, atLeast: atLeast),
      Outcome("dγ", bed.numbers(gradient.gamma), factor: factor), Outcome("dβ", bed.numbers(gradient.beta)),
      Outcome("dx in place", bed.numbers(d.real), factor: factor, atLeast: atLeast),
    ]
  }
}

struct BatchNormCase: OperationCase {
  static let hasOperands = false

  let rows, columns, gap: Int
  let usesBatch: Bool

  // Not two rows: both are one deviation from their mean then, and of their gradient only rounding is left.
  static let all = [(1, 1, 0), (3, 3, 1), (9, 70, 0), (300, 64, 0), (129, 130, 5)].flatMap {
    rows, columns, gap in
    [true, false].map { BatchNormCase(rows: rows, columns: columns, gap: gap, usesBatch: $0) }
  }

  func run<Device: Operations>(on bed: TestBed<Device>) -> [Outcome] {
    let device = bed.device, norm = bed.norm(columns, seed: 1)
    let x = bed.matrix(rows, columns, gap: gap) { normal(3)($0) * 2 - 0.5 }
    let mean = bed.vector(columns), variance = bed.vector(columns)
    device.columnStatistics(x, mean: mean, variance: variance)
    let runningMean = bed.vector(columns, normal(4))
    let runningVariance = bed.vector(columns) { 0.5 + abs(normal(5)($0)) }
    device.moveRunningStatistics(
      mean: runningMean, variance: runningVariance, towards: mean, variance, rows: rows)
    let (m, v) = usesBatch ? (mean, variance) : (runningMean, runningVariance)
    let y = bed.matrix(rows, columns, gap: gap), dx = bed.matrix(rows, columns, gap: gap)
    device.batchNorm(x, norm, mean: m, variance: v, into: y)
    let dy = bed.matrix(rows, columns, gap: gap, normal(6)), gradient = bed.norm(columns, seed: 7)
    device.batchNormBackward(
      x, dy: dy, norm, gradient: gradient, mean: m, variance: v, usesBatch: usesBatch, into: dx)
    // In place.
    let other = bed.norm(columns, seed: 8)
    device.batchNormBackward(
      x, dy: dy, norm, gradient: other, mean: m, variance: v, usesBatch: usesBatch, into: dy)
    // Two rows are far from each other or next to each other: 1 / deviation can be large.
    let factor = 3.0, atLeast = rows == 1 ? 400.0 : 0
    return [
      Outcome("mean", bed.numbers(mean)), Outcome("variance", bed.numbers(variance)),
      Outcome("running mean", bed.numbers(runningMean)),
      Outcome("running variance", bed.numbers(runningVariance)),
      Outcome("y", bed.numbers(y), factor: factor),
      Outcome("dx", bed.numbers(dx), factor: factor, atLeast: atLeast),
      Outcome("dx in place", bed.numbers(dy), factor: factor, atLeast: atLeast),
      Outcome("dγ", bed.numbers(gradient.gamma), factor: factor), Outcome("dβ", bed.numbers(gradient.beta)),
    ]
  }
}
