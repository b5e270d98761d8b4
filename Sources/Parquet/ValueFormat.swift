import Foundation
import Support

/// How the values of a column become JSON.
enum ValueFormat {
  case boolean, int32, int64, uint32, uint64, float, double, half
  /// A number with all its digits, scaled by a power of ten.
  case decimal32(scale: Int), decimal64(scale: Int), decimalBytes(scale: Int)
  case date, time(LogicalType.Unit, isLong: Bool), timestamp(LogicalType.Unit, isUTC: Bool), int96
  /// A string, whose bytes are passed on even where they are not UTF-8.
  case string
  /// JSON within JSON.
  case json
  case uuid, interval
  /// A string where the bytes are UTF-8, and else an object with the bytes in base 64.
  case binary

  private static let largestScale = 100_000

  init(of node: SchemaNode) throws {
    switch (node.type!, node.logical) {
    case (.boolean, _): self = .boolean
    case (.int32, .decimal(let scale)): self = .decimal32(scale: try Self.check(scale))
    case (.int64, .decimal(let scale)): self = .decimal64(scale: try Self.check(scale))
    case (.byteArray, .decimal(let scale)), (.fixedLengthByteArray, .decimal(let scale)):
      self = .decimalBytes(scale: try Self.check(scale))
    case (.int32, .date): self = .date
    case (.int32, .time(let unit)): self = .time(unit, isLong: false)
    case (.int64, .time(let unit)): self = .time(unit, isLong: true)
    case (.int64, .timestamp(let unit, let isUTC)): self = .timestamp(unit, isUTC: isUTC)
    case (.int32, .integer(isSigned: false)): self = .uint32
    case (.int64, .integer(isSigned: false)): self = .uint64
    case (.int32, _): self = .int32
    case (.int64, _): self = .int64
    case (.int96, _): self = .int96
    case (.float, _): self = .float
    case (.double, _): self = .double
    case (.byteArray, .string), (.byteArray, .enum): self = .string
    case (.byteArray, .json): self = .json
    case (.fixedLengthByteArray, .uuid) where node.typeLength == 16: self = .uuid
    case (.fixedLengthByteArray, .float16) where node.typeLength == 2: self = .half
    case (.fixedLengthByteArray, .interval) where node.typeLength == 12: self = .interval
    case (.byteArray, _), (.fixedLengthByteArray, _): self = .binary
    }
  }

  private static func check(_ scale: Int) throws -> Int {
    guard (0...largestScale).contains(scale) else { throw ParquetError("a decimal has the scale \(scale)") }
    return scale
  }

  /// Appends the value at the cursor.
  @inline(__always)
  func append(_ cursor: ColumnCursor, to out: inout [UInt8]) throws {
    if case .string = self { return JSONText.quote(try cursor.bytes(), into: &out) }
    try appendOther(cursor, to: &out)
  }

  private func appendOther(_ cursor: ColumnCursor, to out: inout [UInt8]) throws {
    switch self {
    case .boolean: out.append(contentsOf: (try cursor.bits() != 0 ? "true" : "false").utf8)
    case .int32: out.append(contentsOf: String(Self.low(try cursor.bits())).utf8)
    case .int64: out.append(contentsOf: String(Int64(bitPattern: try cursor.bits())).utf8)
    case .uint32: out.append(contentsOf: String(UInt32(truncatingIfNeeded: try cursor.bits())).utf8)
    case .uint64: out.append(contentsOf: String(try cursor.bits()).utf8)
    case .float:
      let value = Float(bitPattern: UInt32(truncatingIfNeeded: try cursor.bits()))
      Self.append(value.description, isFinite: value.isFinite, to: &out)
    case .double:
      let value = Double(bitPattern: try cursor.bits())
      Self.append(value.description, isFinite: value.isFinite, to: &out)
    case .half:
      let bits = try cursor.bytes().loadUnaligned(as: UInt16.self)
      let value = Self.float(half: UInt16(littleEndian: bits))
      Self.append(value.description, isFinite: value.isFinite, to: &out)
    case .decimal32(let scale): Decimals.append(Int64(Self.low(try cursor.bits())), scale: scale, to: &out)
    case .decimal64(let scale): Decimals.append(Int64(bitPattern: try cursor.bits()), scale: scale, to: &out)
    case .decimalBytes(let scale): try Decimals.append(try cursor.bytes(), scale: scale, to: &out)
    case .date:
      let day = Int(Self.low(try cursor.bits()))
      Self.quoted(&out) { Moment.append(day: day, to: &$0) }
    case .time(let unit, let isLong):
      let bits = try cursor.bits()
      let count = isLong ? Int64(bitPattern: bits) : Int64(Self.low(bits))
      Self.quoted(&out) { Moment.append(time: count, unit, to: &$0) }
    case .timestamp(let unit, let isUTC):
      let count = Int64(bitPattern: try cursor.bits())
      Self.quoted(&out) { Moment.append(timestamp: count, unit, isUTC: isUTC, to: &$0) }
    case .int96:
      let bytes = try cursor.bytes()
      Self.quoted(&out) { Moment.append(int96: bytes, to: &$0) }
    case .string: JSONText.quote(try cursor.bytes(), into: &out)
    case .json: Self.append(json: try cursor.bytes(), to: &out)
    case .uuid:
      let bytes = try cursor.bytes()
      Self.quoted(&out) { Self.append(uuid: bytes, to: &$0) }
    case .interval:
      let bytes = try cursor.bytes()
      for (name, index) in zip(["months", "days", "milliseconds"], 0...) {
        let part = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self))
        out.append(contentsOf: "\(index == 0 ? "{" : ",")\"\(name)\":\(part)".utf8)
      }
      out.append(UInt8(ascii: "}"))
    case .binary: Self.append(binary: try cursor.bytes(), to: &out)
    }
  }

  private static func low(_ bits: UInt64) -> Int32 { Int32(truncatingIfNeeded: bits) }

  /// JSON has no numbers that are not finite: those are strings.
  private static func append(_ number: String, isFinite: Bool, to out: inout [UInt8]) {
    if isFinite {
      out.append(contentsOf: number.utf8)
    } else {
      let name = ["inf": "Infinity", "-inf": "-Infinity"][number] ?? "NaN"
      quoted(&out) { $0.append(contentsOf: name.utf8) }
    }
  }

  /// Half precision: five bits of exponent and ten of mantissa.
  private static func float(half bits: UInt16) -> Float {
    let sign: Float = bits & 0x8000 == 0 ? 1 : -1
    let (exponent, mantissa) = (Int(bits >> 10 & 0x1f), Float(bits & 0x3ff))
    switch exponent {
    case 0: return sign * Float(sign: .plus, exponent: -24, significand: mantissa)
    case 31: return mantissa == 0 ? sign * .infinity : .nan
    default: return sign * Float(sign: .plus, exponent: exponent - 25, significand: 1024 + mantissa)
    }
  }

  private static func quoted(_ out: inout [UInt8], _ body: (inout [UInt8]) -> Void) {
    out.append(UInt8(ascii: "\""))
    body(&out)
    out.append(UInt8(ascii: "\""))
  }

  private static func append(uuid bytes: UnsafeRawBufferPointer, to out: inout [UInt8]) {
    let digits = Array("0123456789abcdef".utf8)
    for (index, byte) in bytes.enumerated() {
      if [4, 6, 8, 10].contains(index) { out.append(UInt8(ascii: "-")) }
      out.append(digits[Int(byte >> 4)])
      out.append(digits[Int(byte & 15)])
    }
  }

  /// Embeds JSON as it is, on one line; what is no JSON stays a string.
  private static func append(json bytes: UnsafeRawBufferPointer, to out: inout [UInt8]) {
    if (try? JSONValue(parsing: Array(bytes))) == nil { return JSONText.quote(bytes, into: &out) }
    // Line ends stand between values only: within strings they are escaped.
    for byte in bytes { out.append(byte < 0x20 ? 0x20 : byte) }
  }

  private static func append(binary bytes: UnsafeRawBufferPointer, to out: inout [UInt8]) {
    if String(validating: bytes, as: UTF8.self) != nil { return JSONText.quote(bytes, into: &out) }
    out.append(contentsOf: "{\"base64\":\"".utf8)
    out.append(contentsOf: Data(bytes).base64EncodedData())
    out.append(contentsOf: "\"}".utf8)
  }
}
