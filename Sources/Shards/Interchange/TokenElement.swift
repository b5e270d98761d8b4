/// The type of an id in a file.
enum TokenElement: Equatable {
  case u8, i8, i16, u16, i32, u32, i64, u64

  var byteCount: Int {
    switch self {
    case .u8, .i8: 1
    case .i16, .u16: 2
    case .i32, .u32: 4
    case .i64, .u64: 8
    }
  }

  /// Appends the ids in part of a file. Negative values stay negative.
  func read(_ bytes: UnsafeRawBufferPointer, into ids: inout [Int64]) {
    func widen<ID: FixedWidthInteger>(_: ID.Type) {
      for index in 0..<(bytes.count / byteCount) {
        let id = bytes.loadUnaligned(fromByteOffset: index * byteCount, as: ID.self)
        ids.append(Int64(truncatingIfNeeded: ID(littleEndian: id)))
      }
    }
    switch self {
    case .u8: widen(UInt8.self)
    case .i8: widen(Int8.self)
    case .i16: widen(Int16.self)
    case .u16: widen(UInt16.self)
    case .i32: widen(Int32.self)
    case .u32: widen(UInt32.self)
    case .i64: widen(Int64.self)
    case .u64: widen(UInt64.self)
    }
  }
}
