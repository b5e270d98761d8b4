import Support

/// Rewrites JSON values to one line each: the elements of arrays, values that span several lines, and values that
/// follow each other on one line.
///
/// Line ends inside of values become spaces, and whatever separates values (white space, commas, record separators) is
/// dropped. A value that does not end costs only itself: no string holds a line end, so that the next value begins
/// with the next line that starts with a brace, and a brace may not follow a string, a number or another bracket's end.
struct JSONValueLines {
  /// Whether the input ends inside of an array or a value.
  var isCut: Bool { isInArray || isInValue }
  /// Whether the end of the first value has been seen.
  private(set) var hasValue = false
  /// Whether a string was broken off.
  private(set) var isBroken = false

  private var isInArray = false
  private var isInValue = false
  /// Open brackets of the current value.
  private var depth = 0
  /// The last byte of the current value that is not white space.
  private var last: UInt8 = 0
  private var isInString = false
  private var isEscaped = false
  /// After a broken string: skipping to the next line that begins with a brace.
  private var isLost = false
  private var isAtLineStart = false

  /// Appends the lines of the next bytes. With `stopsAfterValue` it stops behind the first value.
  ///
  /// Returns the number of bytes that were read.
  @discardableResult
  mutating func append(
    _ bytes: UnsafeRawBufferPointer, to lines: inout [UInt8], stopsAfterValue: Bool = false
  ) -> Int {
    for (index, byte) in bytes.enumerated() {
      if isInString {
        if byte == 0x0a {
          // No string holds a line end.
          isBroken = true
          (isInString, isEscaped, depth, isLost, isAtLineStart) = (false, false, 0, true, true)
          endValue(&lines)
        } else {
          lines.append(byte)
          if isEscaped {
            isEscaped = false
          } else if byte == UInt8(ascii: "\\") {
            isEscaped = true
          } else if byte == UInt8(ascii: "\"") {
            isInString = false
            last = byte
            if depth == 0 { endValue(&lines) }
          }
        }
      } else if isLost && !finds(byte) {
        continue
      } else {
        take(byte, &lines)
      }
      if stopsAfterValue && (hasValue || isBroken) { return index + 1 }
    }
    return bytes.count
  }

  /// Ends the last value at the end of the input.
  mutating func finish(_ lines: inout [UInt8]) { endValue(&lines) }

  private mutating func take(_ byte: UInt8, _ lines: inout [UInt8]) {
    switch byte {
    case 0x09, 0x0a, 0x0d, 0x20, 0x1e:
      if depth > 0 { lines.append(0x20) } else { endValue(&lines) }
    case UInt8(ascii: ",") where depth == 0: endValue(&lines)
    case UInt8(ascii: "[") where depth == 0 && !isInArray:
      endValue(&lines)
      isInArray = true
    case UInt8(ascii: "]") where depth == 0 && isInArray:
      endValue(&lines)
      isInArray = false
    case UInt8(ascii: "{"), UInt8(ascii: "["):
      if byte == UInt8(ascii: "{") && endsValue(last) { depth = 0 }
      if depth == 0 { endValue(&lines) }
      begin(byte, &lines)
      depth += 1
    case UInt8(ascii: "}"), UInt8(ascii: "]"):
      begin(byte, &lines)
      depth = max(0, depth - 1)
      if depth == 0 { endValue(&lines) }
    case UInt8(ascii: "\""):
      if depth == 0 { endValue(&lines) }
      begin(byte, &lines)
      isInString = true
    case 0xef, 0xbb,
      0xbf where depth == 0 && !isInValue:
      // A byte order mark between values.
      break
    default: begin(byte, &lines)
    }
  }

  private mutating func begin(_ byte: UInt8, _ lines: inout [UInt8]) {
    isInValue = true
    last = byte
    lines.append(byte)
  }

  private mutating func endValue(_ lines: inout [UInt8]) {
    guard isInValue else { return }
    isInValue = false
    last = 0
    hasValue = true
    lines.append(0x0a)
  }

  /// Whether a comma or a bracket's end must follow the byte.
  private func endsValue(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]") || byte &- 0x30 < 10
      || (byte | 0x20) &- 0x61 < 26
  }

  /// Whether the byte begins a line with a brace, or with the bracket that ends the array.
  private mutating func finds(_ byte: UInt8) -> Bool {
    if byte == 0x0a {
      isAtLineStart = true
    } else if isAtLineStart && (byte == UInt8(ascii: "{") || byte == UInt8(ascii: "]") && isInArray) {
      isLost = false
      return true
    } else if byte != 0x20 && byte != 0x09 && byte != 0x0d {
      isAtLineStart = false
    }
    return false
  }
}
