import Support

/// A list that is read as a whole: a text file, which may be compressed.
enum TextFile {
  /// The content without a byte order mark. Throws if it is damaged or no text.
  static func read(_ path: String) throws -> [UInt8] {
    let file = try InputFile(path)
    var text: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      try Interruption.check()
      let count = try part.withUnsafeMutableBytes { try file.read(into: $0) }
      if count == 0 { break }
      text += part[..<count]
    }
    if let damage = file.damage {
      throw Failure(.badInput, damage.reason, file: damage.file, offset: damage.offset)
    }
    try text.withUnsafeBytes { bytes in
      try FileFormat.checkText(bytes, file: path)
      if let binary = try FileFormat.binary(bytes, encoding: .utf8) { throw binary.failure(file: path) }
    }
    if text.starts(with: [0xef, 0xbb, 0xbf]) { text.removeFirst(3) }
    return text
  }
}
