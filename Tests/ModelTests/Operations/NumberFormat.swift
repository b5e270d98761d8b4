import Model
import Support

/// How a device stores numbers, with the loops that turn them into Double and back.
///
/// The loops stand here because they are the hot ones of the operation tests: in a ``TestBed``, which is generic over the
/// device, each number would go through calls that the compiler cannot specialize.
enum NumberFormat {
  case float, double, bf16

  static func of<Scalar: Real>(_ type: Scalar.Type) -> NumberFormat {
    Scalar.self == Float.self ? .float : .double
  }

  var bytes: Int {
    switch self {
    case .float: 4
    case .double: 8
    case .bf16: 2
    }
  }

  /// `count` numbers, rounded to Float first, so that every format holds the same ones.
  func bytes(of count: Int, _ number: (Int) -> Double) -> [UInt8] {
    switch self {
    case .float: Self.bytes((0..<count).map { Float(number($0)) })
    case .double: Self.bytes((0..<count).map { Double(Float(number($0))) })
    case .bf16:
      Self.bytes((0..<count).map { UInt16(Float(number($0)).roundedToBF16.bitPattern >> 16) })
    }
  }

  /// The numbers of a matrix whose rows are `stride` elements apart.
  func numbers(_ bytes: [UInt8], rows: Int, columns: Int, stride: Int) -> [Double] {
    bytes.withUnsafeBytes { bytes in
      func numbers(_ number: (Int) -> Double) -> [Double] {
        var numbers: [Double] = []
        numbers.reserveCapacity(rows * columns)
        for row in 0..<rows {
          for i in row * stride..<row * stride + columns { numbers.append(number(i)) }
        }
        return numbers
      }
      switch self {
      case .float: return numbers { Double(bytes.load(fromByteOffset: 4 * $0, as: Float.self)) }
      case .double: return numbers { bytes.load(fromByteOffset: 8 * $0, as: Double.self) }
      case .bf16:
        return numbers {
          Double(Float(bitPattern: UInt32(bytes.load(fromByteOffset: 2 * $0, as: UInt16.self)) << 16))
        }
      }
    }
  }

  private static func bytes<Number>(_ numbers: [Number]) -> [UInt8] {
    numbers.withUnsafeBytes { [UInt8]($0) }
  }
}

/// The memory of one tensor of a test, with a margin on both sides.
struct TestBlock {
  let address: DeviceAddress
  let byteCount, rows, rowBytes, strideBytes: Int

  static let margin = 64
  static let untouched: UInt8 = 0xa5

  /// Whether the bytes around the tensor and between its rows are as they were.
  func isIntact(_ bytes: [UInt8]) -> Bool {
    func isUntouched(_ range: Range<Int>) -> Bool { bytes[range].allSatisfy { $0 == Self.untouched } }
    let end = Self.margin + rows * strideBytes
    guard isUntouched(0..<Self.margin) && isUntouched(end..<byteCount) else { return false }
    return rowBytes == strideBytes
      || (0..<rows).allSatisfy { row in
        let start = Self.margin + row * strideBytes
        return isUntouched(start + rowBytes..<start + strideBytes)
      }
  }
}

extension [UInt8] {
  /// Rows of `rowBytes` bytes each, `strideBytes` apart, with margins and gaps of the byte `untouched`.
  func spread(
    rows: Int, of rowBytes: Int, every strideBytes: Int, margin: Int, untouched: UInt8
  ) -> [UInt8] {
    var bytes = [UInt8](repeating: untouched, count: rows * strideBytes + 2 * margin)
    for row in 0..<rows {
      let start = margin + row * strideBytes
      bytes.replaceSubrange(start..<start + rowBytes, with: self[row * rowBytes..<(row + 1) * rowBytes])
    }
    return bytes
  }
}

extension Float {
  /// To the nearest, ties to even.
  var roundedToBF16: Float {
    isNaN ? .nan : Float(bitPattern: (bitPattern &+ 0x7fff &+ (bitPattern >> 16 & 1)) & 0xffff_0000)
  }
}

/// Numbers that look normally distributed, number i a function of the seed and i.
func normal(_ seed: UInt64, deviation: Double = 1) -> (Int) -> Double {
  { i in
    let bits = RandomGenerator.mix(seed &* 0x9e37_79b9_7f4a_7c15 &+ UInt64(i))
    let sum = (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48)
    return (Double(sum) - 131070) / 37837 * deviation
  }
}

/// Whole numbers from 0 to below `bound`.
func whole(_ seed: UInt64, below bound: Int) -> (Int) -> Double {
  { i in Double(RandomGenerator.mix(seed &* 0x9e37_79b9_7f4a_7c15 &+ UInt64(i)) % UInt64(bound)) }
}

func constant(_ x: Double) -> (Int) -> Double { { _ in x } }
