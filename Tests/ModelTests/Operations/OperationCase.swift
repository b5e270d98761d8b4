import Model
import Support
import Testing

/// One use of one or more operations, the same on every device.
protocol OperationCase: Sendable, CustomTestStringConvertible {
  func run<Device: Operations>(on bed: TestBed<Device>) throws -> [Outcome]
}

extension OperationCase {
  var testDescription: String { "\(self)" }
}

/// What an operation left in one of its results.
struct Outcome {
  enum Form {
    /// The reference's numbers, rounded to the device's precision.
    case exact
    /// Reals computed from what the device was given.
    case real
    /// The same, stored as an operand.
    case operand
    /// Computed by way of numbers that a device may store as operands.
    case throughOperands
    /// Rounded stochastically to bfloat16.
    case stochastic
  }

  let name: String
  let numbers: [Double]
  let form: Form
  /// How many times the usual error is allowed.
  let factor: Double
  /// Errors are a share of at least this: of the numbers that a result is a difference of.
  let atLeast: Double

  init(
    _ name: String, _ numbers: [Double], _ form: Form = .real, factor: Double = 1, atLeast: Double = 0
  ) {
    (self.name, self.numbers, self.form, self.factor, self.atLeast) = (name, numbers, form, factor, atLeast)
  }
}

/// How far results may be from the reference's, as a share of the largest of them.
struct Tolerance {
  let real: Double
  /// A step of bfloat16 where operands are that.
  let isBF16: Bool

  static func of<Scalar: Real>(_ type: Scalar.Type, isBF16: Bool) -> Tolerance {
    Tolerance(real: Scalar.self == Float.self ? 4e-6 : 1e-13, isBF16: isBF16)
  }

  /// What is wrong with an outcome, or nil.
  func problem<Scalar: Real>(_ outcome: Outcome, expected: Outcome, _ type: Scalar.Type) -> String? {
    let (found, right) = (outcome.numbers, expected.numbers)
    guard found.count == right.count else { return "\(found.count) numbers instead of \(right.count)" }
    let largest = right.filter(\.isFinite).reduce(outcome.atLeast) { max($0, abs($1)) }
    let error = real * outcome.factor * largest
    var differing = 0
    for i in 0..<found.count {
      let isRight =
        switch outcome.form {
        case _ where right[i].isNaN || found[i].isNaN: right[i].isNaN && found[i].isNaN
        case _ where !right[i].isFinite: found[i] == right[i]
        case .exact: found[i] == Double(Scalar(right[i]))
        case .real: abs(found[i] - right[i]) <= error
        case .operand: abs(found[i] - right[i]) <= error + (isBF16 ? 0x1p-7 * abs(right[i]) : 0)
        case .throughOperands: abs(found[i] - right[i]) <= error + (isBF16 ? 0x1p-6 * largest : 0)
        case .stochastic: abs(found[i] - right[i]) <= 0x1p-7 * abs(right[i])
        }
      if !isRight { return "element \(i) of \(found.count) is \(found[i]) instead of \(right[i])" }
      if found[i] != right[i] { differing += 1 }
    }
    if outcome.form == .stochastic && differing > 1 + found.count / 500 {
      return "\(differing) of \(found.count) elements were rounded the other way"
    }
    return nil
  }
}

/// The engines that this machine can run.
enum Engines {
  static func settings(isBF16: Bool) -> [EngineSettings] {
    ArithmeticTests.libraries.flatMap { library in
      EngineSettings.Instructions.allCases.map {
        EngineSettings(precision: isBF16 ? .bf16 : .fp32, library: library, instructions: $0)
      }
    }
  }
}

extension OperationCase {
  /// Runs the case on every device, with one thread and with two, beside the reference.
  func expectEveryDeviceToAgree() throws {
    for isBF16 in [false, true] {
      let bed = TestBed(ReferenceOperations<Double>(operandsAreBF16: isBF16))
      let expected = try run(on: bed)
      #expect(bed.isIntact, "the reference writes outside of its results")
      for settings in Engines.settings(isBF16: isBF16) {
        try expectAgreement(CPUOperations<Float>.self, settings, expected)
        if !isBF16 { try expectAgreement(CPUOperations<Double>.self, settings, expected) }
      }
    }
  }

  private func expectAgreement<Scalar: Real>(
    _ type: CPUOperations<Scalar>.Type, _ settings: EngineSettings, _ expected: [Outcome]
  ) throws {
    let isBF16 = settings.precision == .bf16
    let name =
      "\(Scalar.self), \(settings.precision), \(settings.library?.rawValue ?? "best"), \(settings.instructions)"
    let tolerance = Tolerance.of(Scalar.self, isBF16: isBF16)
    var first: [Outcome]?
    for pool in [Pools.one, Pools.two] {
      let bed = try TestBed(CPUOperations<Scalar>(pool: pool, settings: settings))
      let outcomes = try run(on: bed)
      #expect(bed.isIntact, "\(name): something was written outside of the results")
      if let first {
        for (one, two) in zip(first, outcomes) {
          let isEqual = zip(one.numbers, two.numbers).allSatisfy { $0.bitPattern == $1.bitPattern }
          #expect(isEqual, "\(name): \(one.name) depends on the number of threads")
        }
        continue
      }
      first = outcomes
      try #require(outcomes.count == expected.count)
      for (outcome, right) in zip(outcomes, expected) {
        if let problem = tolerance.problem(outcome, expected: right, Scalar.self) {
          Issue.record("\(name): \(outcome.name): \(problem)")
        }
      }
    }
  }
}
