import Support

/// The header of llm.c's token files: 256 `int32`, of which the first three are the magic number, the version
/// and the number of tokens.
///
/// Magic number 20240520 with version 1 means 16-bit ids; 20240801 with version 7 means 32-bit ids (the
/// variant for Llama 3).
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

  /// The type of the ids after the header. The file must contain exactly as many ids as the header says.
  static func read(_ bytes: UnsafeRawBufferPointer, path: String) throws -> TokenElement {
    func damaged(_ message: String, at offset: Int) -> Failure {
      Failure(.badInput, message, file: path, offset: offset, remedy: "Copy the file again or recreate it")
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
