import Support

/// A list that is read as a whole: a text file, which may be compressed.
enum TextFile {
  /// The lines without a byte order mark. Throws if the file is damaged or no text in UTF-8.
  ///
  /// Bytes that are not UTF-8 are refused, not repaired: an entry with U+FFFD in it would never be found.
  static func lines(_ path: String) throws -> [Line] {
    let bytes = try read(path)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw Failure(
        .badInput, "is not UTF-8", file: path, line: firstIllFormedLine(bytes),
        remedy: "Convert it, for example with iconv -f CHARSET -t UTF-8")
    }
    return text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated().compactMap {
      $1.isEmpty ? nil : Line(number: $0 + 1, text: String($1))
    }
  }

  struct Line {
    /// From 1.
    let number: Int
    let text: String
  }

  private static func firstIllFormedLine(_ bytes: [UInt8]) -> Int? {
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    return lines.firstIndex { String(validating: $0, as: UTF8.self) == nil }.map { $0 + 1 }
  }

  private static func read(_ path: String) throws -> [UInt8] {
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
