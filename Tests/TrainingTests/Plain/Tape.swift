import Foundation

/// The numbers of a computation, each with its partial derivatives by the numbers that it was computed from, so that
/// gradients follow from the forward pass alone (reverse accumulation).
final class Tape {
  private var parents: [Int] = []
  private var slopes: [Double] = []
  /// The edges of number i are those from `starts[i]` to `starts[i + 1]`.
  private var starts = [0]
  private let isRecording: Bool

  init(isRecording: Bool = true) { self.isRecording = isRecording }

  /// A number that depends on others with these slopes.
  func number(_ value: Double, _ dependencies: [(Number, slope: Double)] = []) -> Number {
    guard isRecording else { return Number(value: value, index: 0, tape: self) }
    for (parent, slope) in dependencies {
      parents.append(parent.index)
      slopes.append(slope)
    }
    starts.append(parents.count)
    return Number(value: value, index: starts.count - 2, tape: self)
  }

  /// The derivative of `result` by every number, by the index of the number.
  func derivatives(of result: Number) -> [Double] {
    var derivatives = [Double](repeating: 0, count: starts.count - 1)
    derivatives[result.index] = 1
    for index in stride(from: result.index, through: 0, by: -1) where derivatives[index] != 0 {
      for edge in starts[index]..<starts[index + 1] {
        derivatives[parents[edge]] += slopes[edge] * derivatives[index]
      }
    }
    return derivatives
  }
}

/// A number on a ``Tape``.
struct Number {
  let value: Double
  let index: Int
  let tape: Tape

  static func + (a: Number, b: Number) -> Number { a.tape.number(a.value + b.value, [(a, 1), (b, 1)]) }
  static func - (a: Number, b: Number) -> Number { a.tape.number(a.value - b.value, [(a, 1), (b, -1)]) }
  static func * (a: Number, b: Number) -> Number {
    a.tape.number(a.value * b.value, [(a, b.value), (b, a.value)])
  }
  static func / (a: Number, b: Number) -> Number {
    a.tape.number(a.value / b.value, [(a, 1 / b.value), (b, -a.value / (b.value * b.value))])
  }
  static func * (a: Number, factor: Double) -> Number { a.tape.number(a.value * factor, [(a, factor)]) }
  static func + (a: Number, term: Double) -> Number { a.tape.number(a.value + term, [(a, 1)]) }

  func squareRoot() -> Number {
    let root = value.squareRoot()
    return tape.number(root, [(self, 0.5 / root)])
  }
}

func exp(_ x: Number) -> Number { x.tape.number(exp(x.value), [(x, exp(x.value))]) }
func log(_ x: Number) -> Number { x.tape.number(log(x.value), [(x, 1 / x.value)]) }
func erf(_ x: Number) -> Number {
  x.tape.number(erf(x.value), [(x, 2 / Double.pi.squareRoot() * exp(-x.value * x.value))])
}

func sum(_ x: some Collection<Number>) -> Number {
  x.first!.tape.number(x.reduce(0) { $0 + $1.value }, x.map { ($0, 1) })
}

func mean(_ x: [Number]) -> Number { sum(x) * (1 / Double(x.count)) }

/// Σ x[i] y[i]
func dot(_ x: some Collection<Number>, _ y: some Collection<Number>) -> Number {
  precondition(x.count == y.count)
  var (value, dependencies) = (0.0, [(Number, slope: Double)]())
  dependencies.reserveCapacity(2 * x.count)
  for (a, b) in zip(x, y) {
    value += a.value * b.value
    dependencies.append((a, b.value))
    dependencies.append((b, a.value))
  }
  return x.first!.tape.number(value, dependencies)
}

func softmax(_ x: [Number]) -> [Number] {
  let powers = x.map(exp), total = sum(powers)
  return powers.map { $0 / total }
}
