import Model

struct EmbeddingCase: OperationCase {
  static let hasOperands = false

  let sequences, length, d, vocabulary, firstPosition: Int

  static let all = [
    EmbeddingCase(sequences: 1, length: 1, d: 1, vocabulary: 1, firstPosition: 0),
    EmbeddingCase(sequences: 3, length: 5, d: 70, vocabulary: 4, firstPosition: 2),
    EmbeddingCase(sequences: 2, length: 300, d: 65, vocabulary: 50, firstPosition: 0),
  ]

  func run<Device: Operations>(on bed: TestBed<Device>) -> [Outcome] {
    let rows = sequences * length, places = firstPosition + length + 1
    let tokens = bed.array(rows) { Int32(whole(1, below: vocabulary)($0)) }
    let table = bed.matrix(vocabulary, d, normal(2)), positions = bed.matrix(places, d, normal(3))
    let out = bed.matrix(rows, d)
    bed.device.embed(
      tokens, table: table, positions: positions, length: length, firstPosition: firstPosition, into: out)
    let dTable = bed.matrix(vocabulary, d, normal(4)), dPositions = bed.matrix(places, d, normal(5))
    bed.device.embedBackward(
      tokens, bed.matrix(rows, d, normal(6)), length: length, table: dTable, positions: dPositions)
    return [
      Outcome("result", bed.numbers(out), .exact), Outcome("table", bed.numbers(dTable), factor: 3),
      Outcome("positions", bed.numbers(dPositions)),
    ]
  }
}

struct CrossEntropyCase: OperationCase {
  static let multiplies = true

  enum Targets { case some, none, all }

  let rows, classes, d: Int
  let smoothing: Double
  var targets = Targets.some
  var deviation = 1.0

  static let all = [
    CrossEntropyCase(rows: 1, classes: 2, d: 1, smoothing: 0.1, targets: .all),
    CrossEntropyCase(rows: 7, classes: 37, d: 16, smoothing: 0),
    CrossEntropyCase(rows: 7, classes: 37, d: 16, smoothing: 1),
    CrossEntropyCase(rows: 5, classes: 30, d: 9, smoothing: 0.1, targets: .none),
    CrossEntropyCase(rows: 33, classes: 129, d: 33, smoothing: 0.1, targets: .all),
    CrossEntropyCase(rows: 300, classes: 1300, d: 24, smoothing: 0.1),
    // Logits that are too large for plain exponentials, and logits that are all equal.
    CrossEntropyCase(rows: 20, classes: 600, d: 24, smoothing: 0.2, deviation: 20),
    CrossEntropyCase(rows: 20, classes: 64, d: 8, smoothing: 0.1, deviation: 0),
  ]

  func run<Device: Operations>(on bed: TestBed<Device>) -> [Outcome] {
    let x = bed.operand(rows, d, normal(1)), table = bed.operand(classes, d, normal(2, deviation: deviation))
    let bias = bed.vector(classes, deviation == 0 ? constant(0.5) : normal(3))
    let targets = bed.array(rows) { row in
      let isScored = self.targets == .all || self.targets == .some && row % 5 != 2
      return isScored ? Int32((row * 977 + 1) % classes) : -1 - Int32(row % 3)
    }
    let gradient = bed.operand(rows, classes)
    func loss(_ gradient: Operand<Device.Scalar>?) -> [Double] {
      // What was there before is added to.
      let sums = LossSums(bed.array(LossSums.count) { Double($0) })
      bed.device.crossEntropy(
        of: x, table: table, bias: bias, targets: targets, smoothing: smoothing, gradient: gradient,
        addingTo: sums)
      return bed.device.download(sums.numbers)
    }
    let alone = loss(nil), together = loss(gradient)
    let factor = deviation > 1 ? 20.0 : 2
    return zip(["nll", "smoothed", "count"], zip(alone, together)).flatMap { name, losses in
      [
        Outcome(name, [losses.0], factor: factor),
        Outcome("\(name) beside a gradient", [losses.1], factor: factor),
      ]
    } + [Outcome("gradient", bed.numbers(gradient), .operand, factor: factor)]
  }
}
