import Foundation
import Support

/// What every operation means: plain loops over Double, on the calling thread, without kernels or libraries.
///
/// Read this first. Every other device is tested against it, operation by operation. It follows the formulas as the
/// papers write them, computes each number by itself and saves no work, so it is far too slow to train more than toys.
///
/// Letters: r is a row, c a column, i and j are positions or elements, k runs over an inner dimension. Numbers are
/// stored as `Scalar`, or as bf16 in operands if ``operandsAreBF16``. Reading one widens it to Double, writing one
/// rounds it to the nearest. Everything in between is Double.
///
/// Its memory can be touched only while an operation runs, see ``ProtectedMemory``: code that reads or writes it in any
/// other way than through the device stops the program, as it would on a device with memory apart from the host's.
package struct ReferenceOperations<Scalar: Real>: Operations {
  package let operandsAreBF16: Bool
  private let memory = ProtectedMemory()
  private let calls = CallRecord()

  package init(operandsAreBF16: Bool = false) { self.operandsAreBF16 = operandsAreBF16 }

  package var description: String { "reference, \(Scalar.self)\(operandsAreBF16 ? ", bfloat16" : "")" }
  package func wantsWeightCopies(isTraining: Bool) -> Bool { operandsAreBF16 }
  package func workingBytes(dim: Int, vocabularySize: Int) -> Int { 0 }

  /// The operations called so far, as `name(label:label:)` and the line of their definition, which tells overloads
  /// apart.
  package var calledOperations: Set<String> { calls.operations }

  /// Runs one operation, and lets it touch the memory meanwhile.
  func operation<Result>(
    _ name: String = #function, line: Int = #line, _ body: () -> Result
  ) -> Result {
    calls.operations.insert("\(name) \(line)")
    return memory.opened(body)
  }

  private final class CallRecord {
    var operations: Set<String> = []
  }

  // MARK: Memory

  package func allocate(bytes: Int) throws(Failure) -> DeviceMemory {
    calls.operations.insert("\(#function) \(#line)")
    return try memory.allocate(bytes: bytes)
  }

  package func upload(_ bytes: UnsafeRawBufferPointer, to address: DeviceAddress) {
    operation {
      UnsafeMutableRawBufferPointer(start: address.pointer, count: bytes.count).copyMemory(from: bytes)
    }
  }

  package func download(_ address: DeviceAddress, into bytes: UnsafeMutableRawBufferPointer) {
    operation { bytes.copyMemory(from: UnsafeRawBufferPointer(start: address.pointer, count: bytes.count)) }
  }

  package func setBytes(_ address: DeviceAddress, count: Int, to byte: UInt8) {
    operation { for i in 0..<count { address.pointer.storeBytes(of: byte, toByteOffset: i, as: UInt8.self) } }
  }

  package func moveRowsToFront(_ rows: [Int], of x: Operand<Scalar>) {
    operation { for (r, from) in rows.enumerated() { for c in 0..<x.columns { x[r, c] = x[from, c] } } }
  }

  /// Every operation is complete when it returns.
  package func synchronize() { operation {} }

  // MARK: Elements

  package func fill(_ x: Vector<Scalar>, _ value: Double) {
    operation { for i in x.indices { x[i] = value } }
  }

  package func copy(_ x: Vector<Scalar>, to y: Vector<Scalar>) {
    operation { for i in x.indices { y[i] = x[i] } }
  }

  /// Elements are drawn in order from a random stream for each 32,768 of them, so that a device may draw a table of a
  /// billion numbers in parallel.
  package func initialize(_ x: Operand<Scalar>, _ distribution: Distribution, seed: UInt64) {
    operation {
      for first in stride(from: 0, to: x.count, by: 32768) {
        var random = RandomGenerator(seed: RandomGenerator.mix(seed ^ UInt64(first)))
        for i in first..<min(first + 32768, x.count) {
          x[i / x.columns, i % x.columns] =
            switch distribution {
            case .constant(let value): value
            case .normal(let deviation): random.normal() * deviation
            case .uniform(let bound): (2 * random.uniform() - 1) * bound
            }
        }
      }
    }
  }

  package func add(_ x: Vector<Scalar>, to y: Vector<Scalar>) {
    operation { for i in x.indices { y[i] += x[i] } }
  }

  package func scale(_ x: Vector<Scalar>, by factor: Double) {
    operation { for i in x.indices { x[i] *= factor } }
  }

  package func addSquaredNorm(of x: Vector<Scalar>, to sum: DeviceArray<Double>) {
    operation { sum[0] += x.indices.reduce(0) { $0 + x[$1] * x[$1] } }
  }

  /// Element i of x, counted row by row, is multiplied by ``DropoutMask/factor(_:)`` of i.
  package func dropout(_ x: Matrix<Scalar>, _ mask: DropoutMask) {
    operation {
      for r in 0..<x.rows { for c in 0..<x.columns { x[r, c] *= mask.factor(r * x.columns + c) } }
    }
  }

  package func round(_ x: Matrix<Scalar>, into operand: Operand<Scalar>) {
    operation { for r in 0..<x.rows { for c in 0..<x.columns { operand[r, c] = x[r, c] } } }
  }

  package func add(_ stream: Matrix<Scalar>, _ branch: Matrix<Scalar>, into out: Matrix<Scalar>) {
    operation {
      for r in 0..<out.rows { for c in 0..<out.columns { out[r, c] = stream[r, c] + branch[r, c] } }
    }
  }

  package func addColumnSums(of x: Operand<Scalar>, factor: Double, to out: Vector<Scalar>) {
    operation {
      for c in 0..<x.columns { out[c] += factor * (0..<x.rows).reduce(0) { $0 + x[$1, c] } }
    }
  }
}

extension DropoutMask {
  /// 0 for the elements that are dropped and 1 / (1 - p) for the others (Srivastava et al., 2014).
  ///
  /// Element `index` is dropped where a hash of the key and the index, 32 bits, is below p · 2³².
  func factor(_ index: Int) -> Double {
    let threshold = UInt32(min(probability * 0x1p32, 0x1p32 - 1))
    let hash = elementHash(key: key, index: UInt32(truncatingIfNeeded: index))
    return hash < threshold ? 0 : 1 / (1 - probability)
  }
}

/// 32 random bits for element `index`: two rounds of multiplications and shifts, each with its half of the key.
func elementHash(key: UInt64, index: UInt32) -> UInt32 {
  var hash = index &* 0x9e37_79b1 &+ UInt32(truncatingIfNeeded: key)
  hash ^= hash >> 16
  hash &*= 0x85eb_ca6b
  hash ^= hash >> 13
  hash &+= UInt32(key >> 32)
  hash &*= 0xc2b2_ae35
  hash ^= hash >> 16
  hash &*= 0x9e37_79b1
  hash ^= hash >> 15
  return hash
}
