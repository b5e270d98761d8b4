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

  /// Bytes of a text that is written piece by piece, with control characters but for line feeds and tabs replaced.
  package static func masked(_ bytes: [UInt8]) -> [UInt8] {
    bytes.map { $0 < 0x20 && $0 != 0x0a && $0 != 0x09 || $0 == 0x7f ? UInt8(ascii: "?") : $0 }
  }

  private static func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "\n", "\t": true
    case "\u{202a}"..."\u{202e}", "\u{2066}"..."\u{2069}": false
    default: scalar.properties.generalCategory != .control
    }
  }
}
