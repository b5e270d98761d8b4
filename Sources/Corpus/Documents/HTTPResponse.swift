import Foundation
import Support

/// An HTTP response as it was sent: the content of a WARC record.
struct HTTPResponse {
  let head: HeaderFields
  /// The decoded body; nil if its content coding is not supported.
  let body: [UInt8]?

  /// nil if there is no valid head.
  init?(_ bytes: UnsafeRawBufferPointer, sizeLimit: Int) {
    guard bytes.starts(with: Array("HTTP/".utf8)), let head = HeaderFields(bytes) else { return nil }
    self.head = head
    var body = Array(bytes[head.length...])
    // Crawlers often store the body with its chunks already joined but keep the header field. Then the body
    // is used as it is.
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

  /// The status code; nil if the status line is broken.
  var status: Int? {
    let words = head.start.split(separator: " ", maxSplits: 2)
    return words.count < 2 ? nil : Int(words[1])
  }

  /// The joined chunks up to the first broken one (RFC 9112, section 7.1); nil if the first one is broken.
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
