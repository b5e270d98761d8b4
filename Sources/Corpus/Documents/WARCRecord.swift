import Foundation
import Support

/// A record of a WARC file (ISO 28500) as it lies in a block of bytes.
struct WARCRecord: Sendable {
  /// From the version line to the empty line, that one included.
  let header: Range<Int>
  /// As much of its content as is there.
  let content: Range<Int>
  let state: State

  enum State: Sendable {
    case whole
    /// `Content-Length` is missing or wrong: the content reaches to the next record.
    case measured
    /// The file, or its readable part, ends inside.
    case truncated
    /// Of this length and left unread: too long, or long and without text.
    case passedOver(Int)
  }
}

/// Named fields as WARC, HTTP and mail write them: a first line, then `Name: value` lines up to an empty one.
///
/// Names are compared without case. A line that begins with white space continues the one before. Bare line feeds will
/// do.
struct HeaderFields {
  /// Bytes up to and with the empty line.
  let length: Int
  /// The lines, and behind them the values that were joined of several.
  private var text: [UInt8]
  private var first = 0..<0
  private var fields: [(name: Range<Int>, value: Range<Int>)] = []

  /// nil when no empty line comes.
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

  /// The first value of a field, nil where it is missing or empty.
  ///
  /// `name` is in small letters.
  subscript(name: String) -> String? {
    let wanted = name.utf8
    let field = fields.first { field in
      field.name.count == wanted.count
        && zip(text[field.name], wanted).allSatisfy { ($0 &- 0x41 < 26 ? $0 | 0x20 : $0) == $1 }
    }
    guard let value = field?.value, !value.isEmpty else { return nil }
    return String(decoding: text[value], as: UTF8.self)
  }

  /// Bytes up to and with the first empty line; nil when none comes.
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

/// A media type: `text/html; charset=utf-8`.
struct MediaType {
  /// `text/html`, in small letters.
  let type: String
  let charset: Charset?

  init(_ text: String) {
    let parts = text.split(separator: ";").map { $0.trimmingCharacters(in: .whitespaces) }
    type = parts.first?.lowercased() ?? ""
    let declared = parts.dropFirst().first { $0.lowercased().hasPrefix("charset=") }
    charset = declared.flatMap {
      Charset($0.dropFirst(8).trimmingCharacters(in: CharacterSet(charactersIn: " \t\"'")))
    }
  }

  /// One word for it, of a fixed set, such as `html`.
  var kind: String {
    let (group, detail) = (type.prefix { $0 != "/" }, type.drop { $0 != "/" }.dropFirst())
    if ["image", "audio", "video", "font"].contains(group) { return String(group) }
    if detail == "html" || detail == "xhtml+xml" { return "html" }
    for word in ["json", "xml", "css", "javascript", "pdf", "warc-fields", "plain"]
    where detail.contains(word) {
      return word.replacing("-", with: "_")
    }
    return "other"
  }
}

/// An HTTP response as it came over the wire: the content of a WARC record.
struct HTTPResponse {
  let head: HeaderFields
  /// Without chunk lengths and compression; nil where the compression is none that is undone here.
  let body: [UInt8]?

  /// nil when there is no head.
  init?(_ bytes: UnsafeRawBufferPointer, sizeLimit: Int) {
    guard bytes.starts(with: Array("HTTP/".utf8)), let head = HeaderFields(bytes) else { return nil }
    self.head = head
    var body = Array(bytes[head.length...])
    // Crawlers often store the body already put together and leave the field: then it is taken as it is.
    if head["transfer-encoding"]?.lowercased().contains("chunked") == true {
      body = Self.unchunked(body) ?? body
    }
    let coding = head["content-encoding"]?.lowercased() ?? "identity"
    switch coding {
    case "identity", "none", "utf-8": break
    case "gzip", "x-gzip":
      if body.starts(with: [0x1f, 0x8b]) { body = Inflation.inflate(body, .gzip, sizeLimit: sizeLimit) }
    case "deflate":
      body = Inflation.inflate(body, .zlib, sizeLimit: sizeLimit)
    default:
      self.body = nil
      return
    }
    self.body = body
  }

  /// The status code; nil where the first line is broken.
  var status: Int? {
    let words = head.start.split(separator: " ", maxSplits: 2)
    return words.count < 2 ? nil : Int(words[1])
  }

  /// The chunks joined, up to the first that is broken (RFC 9112, section 7.1); nil when the first one is.
  private static func unchunked(_ bytes: [UInt8]) -> [UInt8]? {
    var joined: [UInt8] = []
    var at = 0
    while let end = bytes[at...].firstIndex(of: UInt8(ascii: "\n")) {
      let line = String(decoding: bytes[at..<end], as: UTF8.self)
      let digits = line.prefix { $0 != ";" }.trimmingCharacters(in: .whitespacesAndNewlines)
      guard let length = Int(digits, radix: 16), length >= 0, digits.utf8.count <= 8 else { break }
      let start = end + 1
      if length == 0 { return joined }
      joined += bytes[start..<min(bytes.count, start + length)]
      guard bytes.count - start > length else { return joined }
      at = start + length
      // The line end after the chunk.
      if bytes[at] == 0x0d, at + 1 < bytes.count { at += 1 }
      if bytes[at] == 0x0a { at += 1 }
    }
    return joined.isEmpty ? nil : joined
  }
}
