import Foundation

/// The header fields of WARC, HTTP and mail: a first line, then `Name: value` lines up to an empty line.
///
/// Names are case-insensitive. A line that begins with white space continues the previous one. Lines may end
/// in a bare LF.
struct HeaderFields {
  /// The length up to and including the empty line.
  let length: Int
  /// The lines, followed by the values that were joined from several lines.
  private var text: [UInt8]
  private var first = 0..<0
  private var fields: [(name: Range<Int>, value: Range<Int>)] = []

  /// nil if there is no empty line.
  init?(_ bytes: UnsafeRawBufferPointer) {
    guard let length = Self.length(of: bytes) else { return nil }
    self.length = length
    let bytes = UnsafeRawBufferPointer(rebasing: bytes[..<length])
    text = Array(bytes)
    for (number, line) in Bytes.lines(of: bytes).enumerated() where !line.isEmpty {
      let byte = bytes[line.lowerBound]
      if number == 0 {
        first = line
      } else if byte == 0x20 || byte == 0x09 {
        guard let last = fields.popLast() else { continue }
        let joined = text[last.value] + [0x20] + text[Self.trimmed(line, of: bytes)]
        fields.append((last.name, text.count..<(text.count + joined.count)))
        text += joined
      } else if let colon = bytes[line].firstIndex(of: 0x3a) {
        let value = Self.trimmed((colon + 1)..<line.upperBound, of: bytes)
        fields.append((Self.trimmed(line.lowerBound..<colon, of: bytes), value))
      }
    }
  }

  private static func trimmed(_ range: Range<Int>, of bytes: UnsafeRawBufferPointer) -> Range<Int> {
    let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 || byte == 0x0d }
    let start = bytes[range].firstIndex { !isBlank($0) } ?? range.upperBound
    let end = bytes[start..<range.upperBound].lastIndex { !isBlank($0) }.map { $0 + 1 } ?? start
    return start..<end
  }

  /// The first line.
  var start: String { String(decoding: text[first], as: UTF8.self) }

  /// The first value of a field; nil if it is missing or empty. `name` must be in lower case.
  subscript(name: String) -> String? {
    let wanted = name.utf8
    let field = fields.first { field in
      field.name.count == wanted.count
        && zip(text[field.name], wanted).allSatisfy { ($0 &- 0x41 < 26 ? $0 | 0x20 : $0) == $1 }
    }
    guard let value = field?.value, !value.isEmpty else { return nil }
    return String(decoding: text[value], as: UTF8.self)
  }

  /// The length up to and including the first empty line; nil if there is none.
  static func length(of bytes: UnsafeRawBufferPointer) -> Int? {
    var at = 0
    while at < bytes.count, let found = memchr(bytes.baseAddress! + at, 0x0a, bytes.count - at) {
      let end = UnsafeRawPointer(found) - bytes.baseAddress!
      if end == at || (end == at + 1 && bytes[at] == 0x0d) { return end + 1 }
      at = end + 1
    }
    return nil
  }
}
