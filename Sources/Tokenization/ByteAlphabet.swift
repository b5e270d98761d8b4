/// The 256 bytes in GPT-2's order and its characters for them.
package enum ByteAlphabet {
  /// The 188 printable bytes of Latin-1 first, then the others, each part ascending.
  package static let bytes: [UInt8] = {
    let printable = Array(UInt8(0x21)...0x7e) + Array(0xa1...0xac) + Array(0xae...0xff)
    return printable + (UInt8(0)...255).filter { !printable.contains($0) }
  }()

  /// The place of each byte in ``bytes``.
  package static let ranks: [UInt8] = {
    var ranks = [UInt8](repeating: 0, count: 256)
    for (rank, byte) in bytes.enumerated() { ranks[Int(byte)] = UInt8(rank) }
    return ranks
  }()

  /// The character that stands for each byte in vocab.json and tokenizer.json: itself, or U+0100 on in order.
  static let characters: [Unicode.Scalar] = {
    var characters = [Unicode.Scalar](repeating: " ", count: 256)
    for (rank, byte) in bytes.enumerated() {
      characters[Int(byte)] = rank < 188 ? Unicode.Scalar(byte) : Unicode.Scalar(UInt32(0x100 + rank - 188))!
    }
    return characters
  }()

  /// A token's bytes as they are written in JSON.
  package static func encode(_ token: [UInt8]) -> [UInt8] {
    characters.withUnsafeBufferPointer { characters in
      [UInt8](unsafeUninitializedCapacity: 2 * token.count) { out, count in
        for byte in token {
          let point = characters[Int(byte)].value
          if point < 0x80 {
            out[count] = UInt8(truncatingIfNeeded: point)
            count += 1
          } else {
            out[count] = UInt8(truncatingIfNeeded: 0xc0 | point >> 6)
            out[count + 1] = UInt8(truncatingIfNeeded: 0x80 | point & 0x3f)
            count += 2
          }
        }
      }
    }
  }

  /// The bytes that a written token stands for; nil if a character stands for none.
  package static func decode(_ text: [UInt8]) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    var index = 0
    while index < text.count {
      let first = text[index]
      if first < 0x80 {
        guard ranks[Int(first)] < 188 else { return nil }
        bytes.append(first)
        index += 1
        continue
      }
      guard index + 1 < text.count, first >= 0xc2, first <= 0xc5 else { return nil }
      let point = Int(first & 0x1f) << 6 | Int(text[index + 1] & 0x3f)
      if point < 0x100 {
        guard ranks[point] < 188 else { return nil }
        bytes.append(UInt8(point))
      } else {
        guard 188 + point - 0x100 < 256 else { return nil }
        bytes.append(self.bytes[188 + point - 0x100])
      }
      index += 2
    }
    return bytes
  }
}
