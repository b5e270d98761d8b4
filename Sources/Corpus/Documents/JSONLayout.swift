import Support

/// How JSON objects lie in a file, judged by its beginning.
enum JSONLayout {
  /// One object a line.
  case lines
  /// An array of them, objects over several lines, or several on a line.
  case values

  /// What a judgement of the bytes so far leaves open.
  enum Verdict: Equatable {
    case layout(JSONLayout)
    case text
    /// This many bytes are needed, or the end of the input.
    case more
  }

  /// The most lines that decide where the first one is broken.
  private static let decidingLines = 16
  /// An object that is longer before its end is believed to be one.
  private static let longestSought = 4 << 20

  /// Judges the beginning of a file; `bytes` are followed by padding that is readable.
  ///
  /// A file is JSON if `isStated`, or if it begins with an object, on one line or several, or an array of objects,
  /// after blank lines and comment lines (`#`, `//`). Where the first line is an object that is broken, or follows a
  /// comment, most of the first 16 lines must be objects.
  static func judge(
    _ bytes: UnsafeRawBufferPointer, isAtEnd: Bool, isStated: Bool, longestDocument: Int
  ) -> Verdict {
    let limit = min(longestSought, longestDocument)
    let (start, comments) = start(of: bytes)
    let hasComments = comments > 0
    // Only white space and comments so far.
    if start == bytes.count {
      if !isAtEnd && start < limit { return .more }
      return isStated ? .layout(.lines) : .text
    }
    let first = bytes[start]
    // Half of the two characters that begin a comment.
    if first == 0x2f && start + 1 == bytes.count && !isAtEnd { return .more }
    guard first == UInt8(ascii: "{") || first == UInt8(ascii: "[") else {
      return isStated ? .layout(.lines) : .text
    }
    if first == UInt8(ascii: "{") {
      let line = bytes[start...].prefix { $0 != 0x0a }
      if line.endIndex == bytes.count && !isAtEnd && line.count <= longestDocument { return .more }
      if isObject(bytes, line.startIndex..<line.endIndex) {
        return isStated || !hasComments ? .layout(.lines) : vote(bytes, from: start, isAtEnd: isAtEnd)
      }
    }
    var values = JSONValueLines()
    var value: [UInt8] = []
    let end =
      start
      + values.append(
        UnsafeRawBufferPointer(rebasing: bytes[start...].prefix(limit)), to: &value, stopsAfterValue: true)
    if values.hasValue && !values.isBroken {
      value.append(contentsOf: repeatElement(0x20, count: JSONLine.padding))
      let isObject = value.withUnsafeBytes {
        Self.isObject($0, 0..<(value.count - JSONLine.padding))
      }
      // Numbers and strings in an array: lines that are no objects, counted as such.
      if isObject || isStated && first == UInt8(ascii: "[") { return .layout(.values) }
    } else if !values.isBroken {
      if end - start < limit && !isAtEnd { return .more }
      if isStated { return .layout(first == UInt8(ascii: "[") || end - start >= limit ? .values : .lines) }
      let isLong = end - start >= limit
      if isLong && value.dropFirst().first(where: { $0 != 0x20 }) == UInt8(ascii: "\"") {
        return .layout(.values)
      }
    }
    if isStated { return .layout(first == UInt8(ascii: "[") ? .values : .lines) }
    return first == UInt8(ascii: "{") || hasComments ? vote(bytes, from: start, isAtEnd: isAtEnd) : .text
  }

  /// Where the first value begins, after white space and comment lines, and how many comments there are.
  static func start(of bytes: UnsafeRawBufferPointer) -> (offset: Int, comments: Int) {
    var (start, comments) = (0, 0)
    while true {
      start = bytes[start...].firstIndex { !Bytes.isWhiteOrMark($0) } ?? bytes.count
      guard start < bytes.count, isComment(bytes[start...]) else { return (start, comments) }
      comments += 1
      guard let end = bytes[start...].firstIndex(of: 0x0a) else { return (bytes.count, comments) }
      start = end + 1
    }
  }

  /// Whether a line is a comment: JSON has none, but writers put headers before it.
  static func isComment(_ line: Slice<UnsafeRawBufferPointer>) -> Bool {
    line.first == UInt8(ascii: "#") || line.starts(with: [0x2f, 0x2f])
  }

  /// Whether most of the first lines are objects.
  private static func vote(_ bytes: UnsafeRawBufferPointer, from start: Int, isAtEnd: Bool) -> Verdict {
    var (objects, others, at) = (0, 0, start)
    while at < bytes.count && objects + others < decidingLines {
      let line = bytes[at...].prefix { $0 != 0x0a }
      if line.endIndex == bytes.count && !isAtEnd && bytes.count < longestSought { return .more }
      if !Bytes.isBlank(line) && !isComment(line) {
        if isObject(bytes, line.startIndex..<line.endIndex) { objects += 1 } else { others += 1 }
      }
      at = line.endIndex + 1
    }
    if at >= bytes.count && objects + others < decidingLines && !isAtEnd && bytes.count < longestSought {
      return .more
    }
    return objects > others ? .layout(.lines) : .text
  }

  private static func isObject(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Bool {
    JSONLine.isObject(UnsafeRawBufferPointer(rebasing: bytes[range]))
  }
}
