// How the reference device reads and writes numbers: as Double, whatever they are stored as.
import Foundation

extension Vector {
  subscript(i: Int) -> Double {
    get { Double(pointer[i]) }
    nonmutating set { pointer[i] = Scalar(newValue) }
  }

  var indices: Range<Int> { 0..<count }
}

extension Matrix {
  subscript(row: Int, column: Int) -> Double {
    get { Double(pointer[row * stride + column]) }
    nonmutating set { pointer[row * stride + column] = Scalar(newValue) }
  }

  /// A copy of row `row`.
  func row(_ row: Int) -> [Double] { (0..<columns).map { self[row, $0] } }
}

extension Operand {
  /// A number that is stored as bfloat16 is rounded to the nearest one.
  subscript(row: Int, column: Int) -> Double {
    get {
      let i = row * stride + column
      return isBF16
        ? BF16.number(pointer.assumingMemoryBound(to: UInt16.self)[i])
        : Double(pointer.assumingMemoryBound(to: Scalar.self)[i])
    }
    nonmutating set {
      let i = row * stride + column
      if isBF16 {
        pointer.assumingMemoryBound(to: UInt16.self)[i] = BF16.nearest(newValue)
      } else {
        pointer.assumingMemoryBound(to: Scalar.self)[i] = Scalar(newValue)
      }
    }
  }

  /// Stores the bits of a bfloat16 as they are.
  func setBits(_ row: Int, _ column: Int, _ bits: UInt16) {
    pointer.assumingMemoryBound(to: UInt16.self)[row * stride + column] = bits
  }

  /// A copy of row `row`.
  func row(_ row: Int) -> [Double] { (0..<columns).map { self[row, $0] } }

  /// Copies of all rows.
  var allRows: [[Double]] { (0..<rows).map(row) }

  /// Copies of all columns.
  var allColumns: [[Double]] { (0..<columns).map { column in (0..<rows).map { self[$0, column] } } }
}

/// Σ x[i] y[i]
func dot(_ x: [Double], _ y: [Double]) -> Double {
  var sum = 0.0
  for i in 0..<x.count { sum += x[i] * y[i] }
  return sum
}

/// exp(x[i]) / Σ exp(x[j]), computed without overflow.
func softmax(_ x: [Double]) -> [Double] {
  let logSum = logSumExp(x)
  return x.map { exp($0 - logSum) }
}

/// log Σ exp(x[i]), computed without overflow.
func logSumExp(_ x: [Double]) -> Double {
  let largest = x.reduce(-.infinity) { $1 > $0 ? $1 : $0 }
  return largest + log(x.reduce(0) { $0 + exp($1 - largest) })
}
