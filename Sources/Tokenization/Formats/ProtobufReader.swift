import Support

/// Reads the fields of one message of Protocol Buffers, in the wire format.
struct ProtobufReader {
  enum Value {
    case number(UInt64)
    /// 4 bytes, little-endian.
    case word(UInt32)
    case bytes(Range<Int>)
  }

  private let bytes: [UInt8]
  private var position: Int
  private let end: Int
  private let file: String?

  init(_ bytes: [UInt8], _ range: Range<Int>, file: String?) {
    self.bytes = bytes
    position = range.lowerBound
    end = range.upperBound
    self.file = file
  }

  /// The next field, or nil at the end.
  mutating func next() throws -> (field: Int, value: Value)? {
    if position >= end { return nil }
    let key = try varint()
    let field = Int(truncatingIfNeeded: key >> 3)
    switch key & 7 {
    case 0: return (field, .number(try varint()))
    case 1:
      try skip(8)
      return (field, .number(0))
    case 2:
      let count = try varint()
      guard count <= UInt64(end - position) else { throw failure("a field is longer than the message") }
      position += Int(count)
      return (field, .bytes((position - Int(count))..<position))
    case 5:
      try skip(4)
      let word = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[position - 4 + $1]) << UInt32(8 * $1) }
      return (field, .word(word))
    default: throw failure("no field of Protocol Buffers")
    }
  }

  private mutating func skip(_ count: Int) throws {
    guard end - position >= count else { throw failure("the message ends inside of a field") }
    position += count
  }

  private mutating func varint() throws -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      guard position < end else { throw failure("the message ends inside of a number") }
      let byte = bytes[position]
      position += 1
      value |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { return value }
    }
    throw failure("a number is too long")
  }

  private func failure(_ message: String) -> Failure {
    Failure(
      .badInput, message, file: file, offset: position, remedy: "Give a whole model of SentencePiece")
  }
}
