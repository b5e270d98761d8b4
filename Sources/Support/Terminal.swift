import Foundation

/// What may be shown on a terminal.
package enum Terminal {
  /// The text with everything that could act on the terminal replaced by U+FFFD: control characters but for line feeds
  /// and tabs, and the bidirectional controls that could reorder the line around them.
  ///
  /// Names of files, token texts, fields of files and messages of libraries come from others, as documents do.
  package static func masked(_ text: String) -> String {
    var isClean = true
    for byte in text.utf8 where byte < 0x20 && byte != 0x0a && byte != 0x09 || byte == 0x7f || byte >= 0xc2 {
      isClean = false
      break
    }
    if isClean { return text }
    var masked = String.UnicodeScalarView()
    for scalar in text.unicodeScalars { masked.append(isHarmless(scalar) ? scalar : "\u{fffd}") }
    return String(masked)
  }

  /// The same for what has to stay on one line.
  package static func maskedLine(_ text: String) -> String {
    masked(String(text.map { $0.isNewline || $0 == "\t" ? "\u{fffd}" : $0 }))
  }

  /// Prints a line that may hold names or texts of others.
  package static func print(_ text: String) { Swift.print(masked(text)) }

  /// Writes what `print` has held back, whose errors would otherwise be lost.
  package static func finish() throws {
    // The variable of the C library, which Swift does not let threads share.
    guard let address = dlsym(nil, "stdout"),
      let stream = address.assumingMemoryBound(to: UnsafeMutablePointer<FILE>?.self).pointee
    else { return }
    let hasFailed = ferror(stream) != 0
    errno = 0
    if fflush(stream) == 0 && !hasFailed { return }
    throw SystemCall.failure("write", "standard output", code: errno == 0 ? EIO : errno)
  }

  /// Masks a text that is written piece by piece, whose pieces may end within a character: replaces the last byte of
  /// what acts on a terminal by a question mark.
  package struct ByteMask {
    /// The last two bytes, the last one lowest.
    private var before: UInt16 = 0

    package init() {}

    package mutating func masked(_ bytes: [UInt8]) -> [UInt8] {
      bytes.map { byte in
        let acts =
          switch (before, byte) {
          case (_, 0x0a), (_, 0x09): false
          case (_, 0..<0x20), (_, 0x7f): true
          // U+202A to U+202E and U+2066 to U+2069
          case (0xe280, 0xaa...0xae), (0xe281, 0xa6...0xa9): true
          // U+0080 to U+009F
          default: before & 0xff == 0xc2 && byte < 0xa0
          }
        before = before << 8 | UInt16(byte)
        return acts ? UInt8(ascii: "?") : byte
      }
    }
  }

  private static func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "\n", "\t": true
    case "\u{202a}"..."\u{202e}", "\u{2066}"..."\u{2069}": false
    default: scalar.properties.generalCategory != .control
    }
  }
}
