import Support
import Tokenization

/// Where decoded documents go: as lines of text, or as JSON lines.
package struct DecodeOutput: Sendable {
  package enum Format: Sendable { case text, jsonl }

  package var path: String?
  package var format: Format

  package init(_ path: String?, format: Format) { (self.path, self.format) = (path, format) }

  /// Turns the text from `start` on into a line of the output.
  func endDocument(_ lines: inout ByteBuffer, from start: Int) {
    if format == .jsonl {
      // A dataset from another tool may hold ids that split a character.
      let text = String(
        decoding: UnsafeBufferPointer(start: lines.bytes + start, count: lines.count - start), as: UTF8.self)
      var line = Array("{\"text\":".utf8)
      Array(text.utf8).withUnsafeBytes { JSONText.quote($0, into: &line) }
      lines.count = start
      lines.append(line)
      lines.append([UInt8(ascii: "}")])
    }
    lines.append([UInt8(ascii: "\n")])
  }
}
