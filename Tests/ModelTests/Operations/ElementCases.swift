import Model

/// Operations on vectors.
struct VectorCase: OperationCase {
  static let hasOperands = false

  let count: Int

  static let all = [0, 1, 15, 17, 64, 1000, 32768, 70_001].map(VectorCase.init)

  func run<Device: Operations>(on bed: TestBed<Device>) -> [Outcome] {
    let device = bed.device
    let x = bed.vector(count, normal(1)), sum = bed.vector(count, normal(2))
    let copied = bed.vector(count), filled = bed.vector(count)
    let norm = bed.array(1) { _ in 0.5 }
    device.addSquaredNorm(of: x, to: norm)
    device.copy(x, to: copied)
    device.fill(filled, 0.375)
    device.add(x, to: sum)
    device.scale(x, by: -1.5)
    return [
      Outcome("norm", device.download(norm)), Outcome("copy", bed.numbers(copied), .exact),
      Outcome("fill", bed.numbers(filled), .exact), Outcome("sum", bed.numbers(sum), .exact),
      Outcome("scaled", bed.numbers(x), .exact),
    ]
  }
}

/// Random numbers, which are the same on every device.
struct InitializeCase: OperationCase {
  let rows, columns: Int
  let distribution: Distribution
  let isBF16: Bool

  static let all = [true, false].flatMap { isBF16 in
    [
      InitializeCase(rows: 1, columns: 1, distribution: .normal(deviation: 2), isBF16: isBF16),
      InitializeCase(rows: 1001, columns: 67, distribution: .normal(deviation: 0.02), isBF16: isBF16),
      InitializeCase(rows: 130, columns: 513, distribution: .uniform(bound: 0.3), isBF16: isBF16),
      InitializeCase(rows: 7, columns: 9, distribution: .constant(-1.7), isBF16: isBF16),
    ]
  }

  func run<Device: Operations>(on bed: TestBed<Device>) -> [Outcome] {
    let x = bed.operand(rows, columns, isBF16: isBF16)
    bed.device.initialize(x, distribution, seed: 77)
    return [Outcome("numbers", bed.numbers(x), .exact)]
  }
}

/// The elements that are dropped are the same on every device.
struct DropoutCase: OperationCase {
  static let hasOperands = false

  let rows, columns: Int
  let probability: Double

  static let all = [
    DropoutCase(rows: 1, columns: 1, probability: 0.5), DropoutCase(rows: 3, columns: 17, probability: 0),
    DropoutCase(rows: 129, columns: 515, probability: 0.3),
    DropoutCase(rows: 40, columns: 64, probability: 0.99),
  ]

  func run<Device: Operations>(on bed: TestBed<Device>) -> [Outcome] {
    let x = bed.matrix(rows, columns, normal(1))
    bed.device.dropout(x, DropoutMask(key: 0x1234_5678_9abc_def0, probability: probability))
    let numbers = bed.numbers(x)
    return [
      Outcome("numbers", numbers), Outcome("dropped", numbers.map { $0 == 0 ? 1 : 0 }, .exact),
    ]
  }
}

/// Matrices as operands, the sum of two, and sums of columns.
struct MatrixCase: OperationCase {
  let rows, columns, gap: Int

  static let all = [(1, 1, 0), (3, 17, 2), (65, 64, 0), (130, 65, 5), (70, 300, 0), (900, 33, 31)].map {
    MatrixCase(rows: $0, columns: $1, gap: $2)
  }

  func run<Device: Operations>(on bed: TestBed<Device>) -> [Outcome] {
    let device = bed.device
    let x = bed.matrix(rows, columns, gap: gap, normal(1))
    let rounded = device.operandsAreBF16 ? bed.operand(rows, columns, gap: gap + 1) : Operand(x)
    device.round(x, into: rounded)
    let stream = bed.matrix(rows, columns, normal(2)), branch = bed.matrix(rows, columns, normal(3))
    let sum = bed.matrix(rows, columns)
    device.add(stream, branch, into: sum)
    let sums = bed.vector(columns, normal(4))
    device.addColumnSums(of: bed.operand(rows, columns, gap: gap, normal(5)), factor: -0.3, to: sums)
    return [
      Outcome("rounded", bed.numbers(rounded), .exact), Outcome("sum", bed.numbers(sum), .exact),
      Outcome("column sums", bed.numbers(sums)),
    ]
  }
}

/// Bits at the borders of rounding: ties, the largest numbers, infinity, NaN and zeros of both signs.
struct RoundingCase: OperationCase {
  static let all = [RoundingCase()]

  func run<Device: Operations>(on bed: TestBed<Device>) -> [Outcome] {
    let numbers: [Double] = [
      0, -0.0, 1, -1, 1.00390625, 1.01171875, 1.0039063, -1.00390625, .infinity, -.infinity, .nan, 1.2e-38,
      3.38e38,
      65280, 0.1, 0x1.fep127, 0x1.fefffep127, 0x1.ffp127, 3, 257, 258, 259,
    ]
    let x = bed.matrix(1, numbers.count) { numbers[$0] }
    let rounded = bed.device.operandsAreBF16 ? bed.operand(1, numbers.count) : Operand(x)
    bed.device.round(x, into: rounded)
    return [Outcome("rounded", bed.numbers(rounded), .exact)]
  }
}

/// Bytes, and rows that move to the front.
struct MemoryAccessCase: OperationCase {
  static let all = [MemoryAccessCase()]

  func run<Device: Operations>(on bed: TestBed<Device>) -> [Outcome] {
    let device = bed.device, bytes = bed.array(37) { UInt8($0) }
    device.setBytes(bytes[3..<30].address, count: 27, to: 0xff)
    let rows = [0, 2, 3, 7, 11]
    let reals = bed.operand(12, 17, gap: 2, normal(1)), halves = bed.operand(12, 17, isBF16: true, normal(2))
    device.moveRowsToFront(rows, of: reals)
    device.moveRowsToFront(rows, of: halves)
    device.synchronize()
    return [
      Outcome("bytes", bed.numbers(bytes), .exact), Outcome("rows", bed.numbers(reals), .exact),
      Outcome("rows in bf16", bed.numbers(halves), .exact),
    ]
  }
}
