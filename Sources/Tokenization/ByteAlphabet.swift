/// The 256 bytes in the order of GPT-2, and its characters for them.
package enum ByteAlphabet {
  /// The 188 printable bytes of Latin-1 first, then the others, each part ascending.
  package static let bytes: [UInt8] = {
    let printable = Array(UInt8(0x21)...0x7e) + Array(0xa1...0xac) + Array(0xae...0xff)
    return printable + (UInt8(0)...255).filter { !printable.contains($0) }
  }()

  /// The index of each byte in ``bytes``.
  package static let ranks: [UInt8] = {
    var ranks = [UInt8](repeating: 0, count: 256)
    for (rank, byte) in bytes.enumerated() { ranks[Int(byte)] = UInt8(rank) }
    return ranks
  }()

  /// The character for each byte in vocab.json and tokenizer.json: a printable byte itself, and U+0100,
  /// U+0101 and so on for the others.
  static let characters: [Unicode.Scalar] = {
    var characters = [Unicode.Scalar](repeating: " ", count: 256)
    for (rank, byte) in bytes.enumerated() {
      characters[Int(byte)] = rank < 188 ? Unicode.Scalar(byte) : Unicode.Scalar(UInt32(0x100 + rank - 188))!
    }
    return characters
  }()

  /// The characters in UTF-8.
  static let encoded: [[UInt8]] = characters.map { Array(String($0).utf8) }

  /// The characters inside a JSON string: one byte and 0, or two bytes.
  private static let quoted: [SIMD2<UInt8>] = encoded.map {
    let isReserved = $0 == [UInt8(ascii: "\"")] || $0 == [UInt8(ascii: "\\")]
    return isReserved ? SIMD2(UInt8(ascii: "\\"), $0[0]) : SIMD2($0[0], $0.count > 1 ? $0[1] : 0)
  }

  /// Appends a token as a JSON string.
  static func appendQuoted(_ token: UnsafeBufferPointer<UInt8>, to out: inout [UInt8]) {
    let quoted = quoted
    out.append(UInt8(ascii: "\""))
    for byte in token {
      let character = quoted[Int(byte)]
      out.append(character[0])
      if character[1] != 0 { out.append(character[1]) }
    }
    out.append(UInt8(ascii: "\""))
  }

  /// The bytes of a token, written in these characters.
  package static func encode(_ token: [UInt8]) -> [UInt8] { token.flatMap { encoded[Int($0)] } }

  /// The bytes of a token that is written in these characters; nil if another character occurs.
  package static func decode(_ text: [UInt8]) -> [UInt8]? {
    var bytes: [UInt8] = []
    return text.withUnsafeBufferPointer { decode($0, into: &bytes) } ? bytes : nil
  }

  /// Appends the bytes of a token that is written in these characters; returns false and appends nothing if
  /// another character occurs.
  static func decode(_ text: UnsafeBufferPointer<UInt8>, into bytes: inout [UInt8]) -> Bool {
    let start = bytes.count
    var index = 0
    while index < text.count {
      let first = text[index]
      var point = UInt16(first)
      if first >= 0x80 {
        let isWhole = (0xc2...0xc5).contains(first) && index + 1 < text.count
        point = isWhole ? UInt16(first & 0x1f) << 6 | UInt16(text[index + 1] & 0x3f) : 0
        index += 1
      }
      index += 1
      let byte = decoded[Int(point)]
      if byte < 0 {
        bytes.removeSubrange(start...)
        return false
      }
      bytes.append(UInt8(truncatingIfNeeded: byte))
    }
    return true
  }

  /// The byte of each character, or -1.
  private static let decoded: [Int16] = {
    var decoded = [Int16](repeating: -1, count: 0x180)
    for (byte, character) in characters.enumerated() { decoded[Int(character.value)] = Int16(byte) }
    return decoded
  }()
}
