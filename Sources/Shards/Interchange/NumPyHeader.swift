import Support

/// The header of a `.npy` file, format version 1.0 (versions 2.0 and 3.0 can be read as well).
enum NumPyHeader {
  /// The suffix of the file next to `SPLIT.npy` that contains the start of each document and the total
  /// length, as `int64`.
  static let documentsSuffix = ".documents.npy"
  private static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
  private static let names: [(name: String, element: TokenElement)] = [
    ("|u1", .u8), ("|i1", .i8), ("<u2", .u16), ("<i2", .i16), ("<u4", .u32), ("<i4", .i32), ("<u8", .u64),
    ("<i8", .i64),
  ]

  static func bytes(element: TokenElement, count: Int) -> [UInt8] {
    let name = names.first { $0.element == element }!.name
    var text = "{'descr': '\(name)', 'fortran_order': False, 'shape': (\(count),), }"
    // The data must start at a multiple of 64 bytes, and the header must end with a line feed.
    let prefix = magic.count + 4
    while (prefix + text.utf8.count + 1) % 64 != 0 { text += " " }
    var bytes = magic + [1, 0]
    bytes.append(littleEndian: UInt16(text.utf8.count + 1))
    return bytes + Array(text.utf8) + [UInt8(ascii: "\n")]
  }

  static func isPresent(in bytes: UnsafeRawBufferPointer) -> Bool { bytes.starts(with: magic) }

  /// The type of the elements and the offset of the first.
  static func read(_ bytes: UnsafeRawBufferPointer, path: String) throws -> (
    element: TokenElement, start: Int
  ) {
    func refused(_ message: String) -> Failure {
      Failure(
        .badInput, message, file: path, offset: 0,
        remedy: "Save a one-dimensional array of little-endian integers with numpy.save")
    }
    guard isPresent(in: bytes), bytes.count >= 12, (1...3).contains(bytes[6]) else {
      throw refused("not a NumPy array")
    }
    let isOld = bytes[6] == 1
    let length =
      isOld
      ? Int(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt16.self)))
      : Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self)))
    let start = (isOld ? 10 : 12) + length
    guard start <= bytes.count else { throw refused("the header is truncated") }
    let text = String(decoding: bytes[(isOld ? 10 : 12)..<start], as: UTF8.self)
    guard let name = text.firstMatch(of: /'descr'\s*:\s*'([^']*)'/)?.1,
      let element = names.first(where: {
        $0.name == name || $0.name.dropFirst() == name.dropFirst() && $0.element.byteCount == 1
      })?.element
    else { throw refused("its elements are not little-endian integers") }
    guard let shape = text.firstMatch(of: /'shape'\s*:\s*\(\s*(\d+)\s*,?\s*\)/)?.1, let count = Int(shape)
    else {
      throw refused("the array is not one-dimensional")
    }
    guard (bytes.count - start) / element.byteCount == count, (bytes.count - start) % element.byteCount == 0
    else {
      throw refused("the header says \(count) elements, \((bytes.count - start) / element.byteCount) follow")
    }
    return (element, start)
  }
}
