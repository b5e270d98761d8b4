import Model

struct AdamCase: OperationCase {
  let rows, columns, step: Int
  let scale: Double

  static let all = [(1, 1, 1), (3, 17, 2), (70, 1000, 1), (1, 1025, 1000)].flatMap { rows, columns, step in
    [1, 0.3].map { AdamCase(rows: rows, columns: columns, step: step, scale: $0) }
  }

  func run<Device: Operations>(on bed: TestBed<Device>) -> [Outcome] {
    let count = rows * columns
    let p = bed.vector(count, normal(1)), m = bed.vector(count, normal(2, deviation: 0.1))
    // Gradients and second moments of nothing, of very little and of much.
    let v = bed.vector(count) { $0 % 3 == 0 ? 0 : abs(normal(3)($0)) * ($0 % 3 == 1 ? 1e-6 : 1) }
    let gradient = bed.vector(count) { $0 % 7 == 0 ? 0 : normal(4)($0) * ($0 % 7 == 1 ? 1e-4 : 1) }
    let operand = bed.device.operandsAreBF16 ? bed.operand(rows, columns) : nil
    bed.device.adam(
      p, operand, gradient: gradient, m: m, v: v,
      AdamStep(
        learningRate: 0.02, beta1: 0.9, beta2: 0.98, epsilon: 1e-3, step: step, gradientScale: scale,
        // Clips in half of the cases.
        clipping: GradientClipping(limit: 2, squaredNorm: bed.array(1) { _ in scale == 1 ? 25.0 : 3 })))
    // The copy in bf16 is the parameter, rounded.
    var isCopy = true
    if let operand {
      let rounded = bed.operand(rows, columns)
      bed.device.round(p.matrix(rows: rows, columns: columns), into: rounded)
      isCopy = bed.numbers(rounded) == bed.numbers(operand)
    }
    return [
      Outcome("operand follows", [isCopy ? 1 : 0], .exact), Outcome("parameter", bed.numbers(p)),
      Outcome("first moment", bed.numbers(m)),
      Outcome("second moment", bed.numbers(v)), Outcome("operand", operand.map(bed.numbers) ?? [], .operand),
    ]
  }
}
