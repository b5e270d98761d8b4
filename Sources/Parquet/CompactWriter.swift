/// Writes Thrift's compact protocol.
struct CompactWriter {
  private(set) var bytes: [UInt8] = []
  /// The id of the last field of each open structure.
  private var last: [Int] = [0]

  mutating func varint(_ value: UInt64) {
    var value = value
    while value >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: value) | 0x80)
      value >>= 7
    }
    bytes.append(UInt8(value))
  }

  private mutating func zigzag(_ value: Int) { varint(UInt64(bitPattern: Int64(value << 1 ^ value >> 63))) }

  private mutating func header(_ id: Int, _ type: UInt8) {
    bytes.append(UInt8(id - last[last.count - 1]) << 4 | type)
    last[last.count - 1] = id
  }

  mutating func int32(_ id: Int, _ value: Int) {
    header(id, 5)
    zigzag(value)
  }

  mutating func int64(_ id: Int, _ value: Int) {
    header(id, 6)
    zigzag(value)
  }

  mutating func bool(_ id: Int, _ value: Bool) { header(id, value ? 1 : 2) }

  mutating func binary(_ id: Int, _ value: [UInt8]) {
    header(id, 8)
    element(value)
  }

  mutating func structure(_ id: Int, _ body: (inout CompactWriter) -> Void) {
    header(id, 12)
    element(body)
  }

  /// The header of a list, whose elements follow.
  mutating func list(_ id: Int, of type: UInt8, count: Int) {
    header(id, 9)
    if count < 15 {
      bytes.append(UInt8(count) << 4 | type)
    } else {
      bytes.append(0xf0 | type)
      varint(UInt64(count))
    }
  }

  mutating func element(_ value: Int) { zigzag(value) }

  mutating func element(_ value: [UInt8]) {
    varint(UInt64(value.count))
    bytes += value
  }

  /// A structure that has been written before.
  mutating func raw(_ structure: [UInt8]) { bytes += structure }

  /// A structure by itself or within a list.
  mutating func element(_ body: (inout CompactWriter) -> Void) {
    last.append(0)
    body(&self)
    last.removeLast()
    bytes.append(0)
  }
}
