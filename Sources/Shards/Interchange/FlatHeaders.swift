import Foundation
import Support

/// llm.c's header: 256 `int32`, of which the first three say magic, version and tokens.
///
/// 20240520, version 1: ids of 16 bits. 20240801, version 7: ids of 32 bits (the variant for Llama 3).
enum LLMCHeader {
  static let byteCount = 1024
  private static let kinds: [(magic: Int32, version: Int32, element: TokenElement)] = [
    (20_240_520, 1, .u16), (20_240_801, 7, .u32),
  ]

  static func bytes(tokens: Int, tokenBytes: Int) -> [UInt8] {
    let kind = kinds[tokenBytes == 2 ? 0 : 1]
    var bytes: [UInt8] = []
    for word in [kind.magic, kind.version, Int32(tokens)] { bytes.append(littleEndian: word) }
    return bytes + [UInt8](repeating: 0, count: byteCount - bytes.count)
  }

  static func isPresent(in bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.count >= 4 && kinds.contains { $0.magic == word(0, bytes) }
  }

  /// The type of the ids behind the header; the file must hold just as many as it says.
  static func read(_ bytes: UnsafeRawBufferPointer, path: String) throws -> TokenElement {
    func damaged(_ message: String, at offset: Int) -> Failure {
      Failure(.badInput, message, file: path, offset: offset, remedy: "Copy the file again or make it again")
    }
    guard bytes.count >= byteCount, let kind = kinds.first(where: { $0.magic == word(0, bytes) }) else {
      throw damaged("not a token file of llm.c", at: 0)
    }
    guard word(1, bytes) == kind.version else {
      throw damaged("version \(word(1, bytes)) of the format is not known", at: 4)
    }
    let tokens = Int(word(2, bytes))
    guard bytes.count - byteCount == tokens * kind.element.byteCount else {
      throw damaged(
        "the header says \(tokens) tokens, \((bytes.count - byteCount) / kind.element.byteCount) follow",
        at: 8)
    }
    return kind.element
  }

  private static func word(_ index: Int, _ bytes: UnsafeRawBufferPointer) -> Int32 {
    Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * index, as: Int32.self))
  }
}

/// The header of a `.npy` file, version 1.0 of the format (2.0 and 3.0 are read, too).
enum NumPyHeader {
  /// Beside `SPLIT.npy`: where documents begin in it, and its length, as `int64`.
  static let documentsSuffix = ".documents.npy"
  private static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
  private static let names: [(name: String, element: TokenElement)] = [
    ("|u1", .u8), ("|i1", .i8), ("<u2", .u16), ("<i2", .i16), ("<u4", .u32), ("<i4", .i32), ("<u8", .u64),
    ("<i8", .i64),
  ]

  static func bytes(element: TokenElement, count: Int) -> [UInt8] {
    let name = names.first { $0.element == element }!.name
    var text = "{'descr': '\(name)', 'fortran_order': False, 'shape': (\(count),), }"
    // The data begins at a multiple of 64 bytes, and the header ends with a line feed.
    let prefix = magic.count + 4
    while (prefix + text.utf8.count + 1) % 64 != 0 { text += " " }
    var bytes = magic + [1, 0]
    bytes.append(littleEndian: UInt16(text.utf8.count + 1))
    return bytes + Array(text.utf8) + [UInt8(ascii: "\n")]
  }

  static func isPresent(in bytes: UnsafeRawBufferPointer) -> Bool { bytes.starts(with: magic) }

  /// The type of the elements and where they begin.
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
    else { throw refused("its elements are no little-endian integers") }
    guard let shape = text.firstMatch(of: /'shape'\s*:\s*\(\s*(\d+)\s*,?\s*\)/)?.1, let count = Int(shape)
    else {
      throw refused("it has not one dimension")
    }
    guard (bytes.count - start) / element.byteCount == count, (bytes.count - start) % element.byteCount == 0
    else {
      throw refused("the header says \(count) elements, \((bytes.count - start) / element.byteCount) follow")
    }
    return (element, start)
  }
}
