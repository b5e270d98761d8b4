/// Joins subwords in text form to the text that they came from.
package enum SubwordText {
  /// Joins the subwords of word mode: removes `@@ `, and `@@` at the end of the line.
  ///
  /// This is not exact if a word itself ends in `@@`; ids are exact.
  package static func joinMarked(_ line: UnsafeRawBufferPointer, into text: inout [UInt8]) {
    let mark = UInt8(ascii: "@")
    var index = 0
    while index < line.count {
      let isMark =
        line[index] == mark && index + 1 < line.count && line[index + 1] == mark
        && (index + 2 == line.count || line[index + 2] == 0x20)
      if isMark {
        index += 3
      } else {
        text.append(line[index])
        index += 1
      }
    }
  }

  /// Joins byte-level tokens that are written in the characters of ``ByteAlphabet``.
  ///
  /// Returns the offset of the first token with any other character, or nil.
  package static func joinByteTokens(_ line: UnsafeRawBufferPointer, into text: inout [UInt8]) -> Int? {
    for token in line.split(separator: 0x20) {
      guard let bytes = ByteAlphabet.decode(Array(token)) else { return token.startIndex }
      text.append(contentsOf: bytes)
    }
    return nil
  }
}
