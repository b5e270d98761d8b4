import Foundation

/// The header fields of WARC, HTTP and mail: a first line, then `Name: value` lines up to an empty line.
///
/// Names are case-insensitive. A line that begins with white space continues the previous one. Lines may end
/// in a bare LF.
struct HeaderFields {
  /// The length up to and including the empty line.
  let length: Int
  private let text: [UInt8]
  private var first = 0..<0
  private var fields: [Field] = []
  /// The parts of all values, one for each line.
  private var parts: [Range<Int>] = []

  private struct Field {
    let name: Range<Int>
    /// The parts of its value, a range of `parts`.
    var value: Range<Int>
  }

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
        if fields.isEmpty { continue }
        parts.append(Self.trimmed(line, of: bytes))
        fields[fields.count - 1].value = fields[fields.count - 1].value.lowerBound..<parts.count
      } else if let colon = bytes[line].firstIndex(of: 0x3a) {
        parts.append(Self.trimmed((colon + 1)..<line.upperBound, of: bytes))
        let name = Self.trimmed(line.lowerBound..<colon, of: bytes)
        fields.append(Field(name: name, value: (parts.count - 1)..<parts.count))
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
    guard let field = fields.first(where: { isNamed($0, name) }) else { return nil }
    let value = value(of: field)
    return value.isEmpty ? nil : value
  }

  /// The values of all fields of a name, which must be in lower case.
  func values(of name: String) -> [String] { fields.filter { isNamed($0, name) }.map(value) }

  private func isNamed(_ field: Field, _ name: String) -> Bool {
    let wanted = name.utf8
    return field.name.count == wanted.count
      && zip(text[field.name], wanted).allSatisfy { ($0 &- 0x41 < 26 ? $0 | 0x20 : $0) == $1 }
  }

  /// The lines of a value, joined by spaces.
  private func value(of field: Field) -> String {
    if field.value.count == 1 { return String(decoding: text[parts[field.value.lowerBound]], as: UTF8.self) }
    let lines = parts[field.value].map { text[$0] }
    return String(decoding: Array(lines.joined(separator: [0x20])), as: UTF8.self)
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
