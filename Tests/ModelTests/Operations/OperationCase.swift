import CModelKernels
import Model
import Support
import Testing

/// One use of one or more operations, the same on every device.
protocol OperationCase: Sendable, CustomTestStringConvertible {
  /// Whether it multiplies matrices, which each library does in its own way.
  static var multiplies: Bool { get }
  /// Whether numbers go in or come out as operands, which are bf16 or reals. Otherwise the precision makes no difference.
  static var hasOperands: Bool { get }

  func run<Device: Operations>(on bed: TestBed<Device>) throws -> [Outcome]
}

extension OperationCase {
  static var multiplies: Bool { false }
  static var hasOperands: Bool { true }

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
  /// How the device stores reals.
  let format: NumberFormat
  /// A step of bfloat16 is allowed where operands are that.
  let isBF16: Bool

  /// What is wrong with an outcome, or nil.
  func problem(_ outcome: Outcome, expected: Outcome) -> String? {
    let (found, right) = (outcome.numbers, expected.numbers)
    guard found.count == right.count else { return "\(found.count) numbers instead of \(right.count)" }
    let isFloat = format == .float
    let largest = right.filter(\.isFinite).reduce(outcome.atLeast) { max($0, abs($1)) }
    let error = (isFloat ? 4e-6 : 1e-13) * outcome.factor * largest
    var differing = 0
    for i in 0..<found.count {
      let isRight =
        switch outcome.form {
        case _ where right[i].isNaN || found[i].isNaN: right[i].isNaN && found[i].isNaN
        case _ where !right[i].isFinite: found[i] == right[i]
        case .exact: found[i] == (isFloat ? Double(Float(right[i])) : right[i])
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

/// The engines of this machine that cases run on.
enum Engines {
  /// The instruction sets of our own kernels, the emulated ones included. A processor without AMX would repeat another.
  static let instructionSets = EngineSettings.Instructions.allCases.filter {
    $0 != .amx || pkm_amx_bf16() == PKM_AMX_USABLE
  }

  /// Our own kernels with each instruction set. If the case multiplies, also each library and what is chosen by default:
  /// the latter with the best instructions, and all of them with another instruction set from case to case.
  static func settings(multiplies: Bool, isBF16: Bool, number: Int) -> [EngineSettings] {
    let precision = isBF16 ? EngineSettings.Precision.bf16 : .fp32
    let sets = instructionSets
    let own = sets.map { EngineSettings(precision: precision, library: .generic, instructions: $0) }
    guard multiplies else { return own }
    let libraries = ArithmeticTests.libraries.filter { $0 != .generic }
    return own + [EngineSettings(precision: precision)]
      + libraries.enumerated().map { index, library in
        EngineSettings(
          precision: precision, library: library, instructions: sets[(number + index) % sets.count])
      }
  }
}

extension OperationCase {
  /// Runs the case on every device, with one thread and with two, beside the reference.
  ///
  /// - Parameter number: of the case, which chooses among the engines.
  func expectEveryDeviceToAgree(_ number: Int) throws {
    for isBF16 in Self.hasOperands ? [false, true] : [false] {
      let bed = TestBed(ReferenceOperations<Double>(operandsAreBF16: isBF16))
      let expected = try run(on: bed)
      #expect(bed.isIntact, "the reference writes outside of its results")
      for settings in Engines.settings(multiplies: Self.multiplies, isBF16: isBF16, number: number) {
        try expectAgreement(CPUOperations<Float>.self, settings, expected)
        // Double has no bf16, and the same kernels for all kinds of AVX-512 and all plain ones.
        if !isBF16 && [nil, .plain, .avx2, .avx512bf16].contains(settings.instructions) {
          try expectAgreement(CPUOperations<Double>.self, settings, expected)
        }
      }
    }
  }

  private func expectAgreement<Scalar: Real>(
    _ type: CPUOperations<Scalar>.Type, _ settings: EngineSettings, _ expected: [Outcome]
  ) throws {
    let name =
      "\(Scalar.self), \(settings.precision), \(settings.library?.rawValue ?? "best"), \(settings.instructions?.rawValue ?? "best")"
    let tolerance = Tolerance(format: .of(Scalar.self), isBF16: settings.precision == .bf16)
    func outcomes(_ pool: WorkerPool) throws -> [Outcome] {
      let bed = try TestBed(CPUOperations<Scalar>(pool: pool, settings: settings))
      let outcomes = try run(on: bed)
      #expect(bed.isIntact, "\(name): something was written outside of the results")
      return outcomes
    }
    let (one, two) = (try outcomes(Pools.one), try outcomes(Pools.two))
    try #require(one.count == expected.count && two.count == one.count)
    for (index, right) in expected.enumerated() {
      if let problem = tolerance.problem(one[index], expected: right) {
        Issue.record("\(name): \(right.name): \(problem)")
      }
      let isEqual = one[index].numbers.elementsEqual(two[index].numbers) { $0.bitPattern == $1.bitPattern }
      #expect(isEqual, "\(name): \(right.name) depends on the number of threads")
    }
  }
}
