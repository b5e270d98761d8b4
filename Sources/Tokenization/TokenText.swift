import Support

/// Tokens as text: lines of decimal ids, and lines of pieces.
package enum TokenText {
  /// Decimal ids with a space between them.
  package static func append(ids: UnsafeBufferPointer<UInt32>, to line: inout [UInt8]) {
    var digits: (UInt64, UInt64) = (0, 0)
    withUnsafeMutableBytes(of: &digits) { digits in
      for (index, id) in ids.enumerated() {
        if index > 0 { line.append(0x20) }
        var rest = id
        var start = digits.count
        repeat {
          start -= 1
          digits[start] = UInt8(truncatingIfNeeded: 0x30 + rest % 10)
          rest /= 10
        } while rest > 0
        line.append(contentsOf: UnsafeRawBufferPointer(rebasing: digits[start...]))
      }
    }
  }

  /// The ids of a line, separated by spaces, tabs or carriage returns.
  ///
  /// Returns the byte offset of the first thing that is no id instead, if there is one.
  package static func parse(ids line: UnsafeRawBufferPointer, into ids: inout [UInt32]) -> Int? {
    var index = 0
    while index < line.count {
      let byte = line[index]
      if byte == 0x20 || byte == 0x09 || byte == 0x0d {
        index += 1
        continue
      }
      let start = index
      var value: UInt64 = 0
      while index < line.count, case let digit = line[index] &- 0x30, digit < 10 {
        value = min(value * 10 + UInt64(digit), 1 << 40)
        index += 1
      }
      let isEnd = index == line.count || line[index] == 0x20 || line[index] == 0x09 || line[index] == 0x0d
      guard index > start, isEnd, value <= UInt64(UInt32.max) else { return start }
      ids.append(UInt32(value))
    }
    return nil
  }

  /// Joins the pieces of word mode: `@@ ` disappears, and so does `@@` at the end of the line.
  ///
  /// Not exact for a text in which a word itself ends in `@@`; ids are.
  package static func joinMarkedPieces(_ line: UnsafeRawBufferPointer, into text: inout [UInt8]) {
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

  /// Joins byte-level tokens written in byte characters.
  ///
  /// Returns the offset of the first token that is none, if there is one.
  package static func joinByteTokens(_ line: UnsafeRawBufferPointer, into text: inout [UInt8]) -> Int? {
    for token in line.split(separator: 0x20) {
      guard let bytes = ByteAlphabet.decode(Array(token)) else { return token.startIndex }
      text.append(contentsOf: bytes)
    }
    return nil
  }
}
