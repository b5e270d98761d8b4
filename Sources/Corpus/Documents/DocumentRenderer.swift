import Support

/// Renders batches as the bytes of a file. This half of writing can run on many threads.
///
/// As text, a document is written as
/// - a line: line ends inside it become spaces (counted as `line_ends_to_spaces`);
/// - a paragraph, followed by a blank line: blank lines inside it are dropped (`blank_lines_dropped`);
/// - a file: unchanged, with a line end added if the last one is missing;
/// - part of a stream: unchanged.
///
/// As JSON lines, a document that was read from JSON keeps its other fields byte for byte, and a document
/// that was read from text becomes `{"text":"…"}`. Documents of WARC files are written as JSON lines unless
/// text is asked for.
package struct DocumentRenderer: Sendable {
  /// The output format; nil means the format of the source, and JSON lines for WARC.
  package let format: DocumentFormat?

  package init(format: DocumentFormat? = nil) { self.format = format }

  package func render(_ batch: DocumentBatch, counts: inout Summary) -> [UInt8] {
    if (format ?? batch.source.format) == .text, batch.isItsOwnText { return batch.bytes }
    var out: [UInt8] = []
    // A guess that leaves some space for escapes.
    let text = batch.textBytes
    out.reserveCapacity(text + text / 16 + batch.count * 16 + batch.envelopeBytes)
    switch format ?? batch.source.format {
    case .jsonl, .warc: renderJSON(batch, into: &out)
    case .text: renderText(batch, into: &out, counts: &counts)
    }
    return out
  }

  private static let opening = Array("{\"text\":".utf8)

  private func renderJSON(_ batch: DocumentBatch, into out: inout [UInt8]) {
    batch.bytes.withUnsafeBytes { bytes in
      for (index, range) in batch.ranges.enumerated() {
        let text = UnsafeRawBufferPointer(rebasing: bytes[range])
        if batch.envelopes.isEmpty {
          out.append(contentsOf: Self.opening)
          JSONText.quote(text, into: &out)
          out.append(UInt8(ascii: "}"))
        } else {
          let envelope = batch.envelopes[index]
          if envelope.isVerbatim {
            out.append(
              contentsOf: UnsafeRawBufferPointer(
                rebasing: bytes[envelope.before.lowerBound..<envelope.after.upperBound]))
          } else {
            out.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[envelope.before]))
            JSONText.quote(text, into: &out)
            out.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[envelope.after]))
          }
        }
        out.append(UInt8(ascii: "\n"))
      }
    }
  }

  private func renderText(_ batch: DocumentBatch, into out: inout [UInt8], counts: inout Summary) {
    let lineFeed = UInt8(ascii: "\n")
    if let lines = batch.consecutiveLines, lines.count == batch.textBytes + batch.count - 1 {
      out.append(contentsOf: batch.bytes[lines])
      out.append(lineFeed)
      return
    }
    batch.bytes.withUnsafeBytes { bytes in
      for range in batch.ranges {
        let text = UnsafeRawBufferPointer(rebasing: bytes[range])
        switch batch.source.splitting {
        case .line:
          let start = out.count
          out.append(contentsOf: text)
          let lineEnds = Bytes.count(of: lineFeed, in: text)
          if lineEnds > 0 {
            for index in start..<out.count where out[index] == lineFeed { out[index] = 0x20 }
            counts.add(.lineEndsToSpaces, lineEnds)
          }
          out.append(lineFeed)
        case .paragraph:
          for line in Bytes.lines(of: text) {
            if Bytes.isBlank(text[line]) {
              counts.add(.blankLinesDropped)
            } else {
              out.append(contentsOf: text[line])
              out.append(lineFeed)
            }
          }
          out.append(lineFeed)
        case .file:
          out.append(contentsOf: text)
          if let last = text.last, last != lineFeed { out.append(lineFeed) }
        case .stream:
          out.append(contentsOf: text)
        }
      }
    }
  }
}

extension DocumentBatch {
  /// Whether the bytes are exactly the output: lines of text, each with its line end. Then they need not be
  /// copied.
  fileprivate var isItsOwnText: Bool {
    guard bytes.last == UInt8(ascii: "\n"), let lines = consecutiveLines else { return false }
    return lines == 0..<(bytes.count - 1) && lines.count == textBytes + count - 1
  }
}
