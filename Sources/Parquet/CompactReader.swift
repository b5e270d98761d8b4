/// Reads Thrift's compact protocol, in which all metadata of Parquet is written.
///
/// Every length is checked against what is left; nothing is allocated for a length that is only claimed.
/// Source: the Thrift project's description of the compact protocol.
struct CompactReader {
  /// The bytes end within the structure: there may be more in the file.
  struct Truncated: Error {}

  struct Field {
    let id: Int
    let type: UInt8
    /// The value of a boolean field, which its type holds.
    var bool: Bool { type == 1 }
  }

  private let bytes: UnsafeRawBufferPointer
  private(set) var offset = 0
  private var depth = 0

  private static let deepest = 32

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  var left: Int { bytes.count - offset }

  mutating func byte() throws -> UInt8 {
    guard offset < bytes.count else { throw Truncated() }
    defer { offset += 1 }
    return bytes[offset]
  }

  mutating func varint() throws -> UInt64 {
    var (value, shift) = (UInt64(0), UInt64(0))
    while true {
      let next = try byte()
      if shift == 63 && next > 1 || shift > 63 { throw ParquetError("a number of the metadata is too long") }
      value |= UInt64(next & 0x7f) << shift
      if next < 0x80 { return value }
      shift += 7
    }
  }

  mutating func int64() throws -> Int64 {
    let value = try varint()
    return Int64(bitPattern: value >> 1) ^ -Int64(value & 1)
  }

  mutating func int() throws -> Int { Int(try int64()) }

  /// A number that counts something.
  mutating func count(_ what: String) throws -> Int {
    let value = try int()
    if value < 0 { throw ParquetError("\(what) is \(value)") }
    return value
  }

  mutating func binary() throws -> UnsafeRawBufferPointer {
    let length = try varint()
    guard length <= UInt64(left) else { throw Truncated() }
    defer { offset += Int(length) }
    return UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + Int(length))])
  }

  mutating func string() throws -> String { String(decoding: try binary(), as: UTF8.self) }

  /// Calls `body` with each field, which reads it and returns true, or false to have it skipped.
  mutating func structure(_ body: (inout CompactReader, Field) throws -> Bool) throws {
    try enter()
    var id = 0
    while true {
      let header = try byte()
      if header == 0 { break }
      let type = header & 0x0f
      id = header >> 4 == 0 ? try int() : id &+ Int(header >> 4)
      let start = offset
      if try !body(&self, Field(id: id, type: type)) {
        offset = start
        try skip(type)
      }
    }
    depth -= 1
  }

  /// Calls `body` once for each element, and returns their number.
  @discardableResult
  mutating func list(of element: UInt8, _ body: (inout CompactReader) throws -> Void) throws -> Int {
    let (count, type) = try listHeader()
    if count > 0 && type != element { throw ParquetError("a list of the metadata holds other elements") }
    for _ in 0..<count { try body(&self) }
    return count
  }

  static let int32: UInt8 = 5
  static let binaryType: UInt8 = 8
  static let structType: UInt8 = 12

  private mutating func listHeader() throws -> (count: Int, type: UInt8) {
    let header = try byte()
    let count = header >> 4 == 15 ? try varint() : UInt64(header >> 4)
    // Each element takes a byte at least.
    guard count <= UInt64(left) else { throw Truncated() }
    return (Int(count), header & 0x0f)
  }

  private mutating func enter() throws {
    depth += 1
    if depth > Self.deepest { throw ParquetError("the metadata are nested too deep") }
  }

  private mutating func skip(_ type: UInt8) throws {
    switch type {
    case 1, 2: break
    case 3: _ = try byte()
    case 4, 5, 6: _ = try varint()
    case 7:
      guard left >= 8 else { throw Truncated() }
      offset += 8
    case 8: _ = try binary()
    case 9, 10:
      let (count, type) = try listHeader()
      try enter()
      for _ in 0..<count { try skipElement(type) }
      depth -= 1
    case 11:
      let count = try varint()
      if count == 0 { return }
      guard count <= UInt64(left) else { throw Truncated() }
      let types = try byte()
      try enter()
      for _ in 0..<count {
        try skipElement(types >> 4)
        try skipElement(types & 0x0f)
      }
      depth -= 1
    case 12: try structure { _, _ in false }
    default: throw ParquetError("the metadata hold a field of the unknown type \(type)")
    }
  }

  /// In lists, a boolean is a byte.
  private mutating func skipElement(_ type: UInt8) throws {
    if type == 1 || type == 2 { _ = try byte() } else { try skip(type) }
  }
}
