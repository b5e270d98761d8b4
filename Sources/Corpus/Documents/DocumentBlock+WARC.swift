import Foundation
import Support

extension DocumentBlock {
  /// Makes a document of each record of plain text: `conversion` records (WET), and `resource` and `response`
  /// records of type text/plain.
  ///
  /// The envelope of a document holds fields from the record's header: `url`, `date`, `id`, `language`. All
  /// other records are counted by kind.
  func parseRecords(into batch: inout DocumentBatch) throws {
    guard !records.isEmpty else { return }
    batch.counts.add(.warcRecords, records.count)
    let opening = Array("{\"text\":".utf8)
    let before = batch.bytes.count..<(batch.bytes.count + opening.count)
    // Otherwise the array might be reallocated for every record.
    batch.bytes.reserveCapacity(batch.bytes.count + batch.bytes.count / 4 + 4096)
    batch.bytes += opening
    var line = firstLine
    var counted = 0
    for record in records {
      line += batch.bytes.withUnsafeBytes {
        Bytes.count(of: 0x0a, in: UnsafeRawBufferPointer(rebasing: $0[counted..<record.header.lowerBound]))
      }
      counted = record.header.lowerBound
      let header = batch.bytes.withUnsafeBytes {
        HeaderFields(UnsafeRawBufferPointer(rebasing: $0[record.header]))!
      }
      switch record.state {
      case .whole: break
      case .measured:
        try note(
          .warcLengthsWrong, line: line,
          "a WARC record with a missing or wrong Content-Length, read up to the next record", in: &batch)
      case .truncated:
        try note(
          .warcRecordsTruncated, line: line, "a truncated WARC record, read to its end",
          in: &batch)
      case .skipped(let length):
        if length > options.longestDocument {
          try noteTooLong(line: line, in: &batch)
          continue
        }
      }
      if header["warc-truncated"] != nil { batch.counts.add(.warcRecordsMarkedTruncated) }
      let content: Content
      switch textContent(of: record, header, in: batch.bytes) {
      case .failure(let kind):
        batch.counts.add(.warcRecordsSkipped(kind.name))
        continue
      case .success(let found): content = found
      }
      guard let range = try appendText(content, line: line, to: &batch) else { continue }
      if range.count > options.longestDocument {
        try noteTooLong(line: line, in: &batch)
        continue
      }
      batch.ranges.append(range)
      batch.lines.append(line)
      let start = batch.bytes.count
      appendFields(of: header, to: &batch.bytes)
      batch.envelopes.append(
        JSONEnvelope(before: before, after: start..<batch.bytes.count, isVerbatim: false))
    }
  }

  /// The text of a record before its character set is known.
  private struct Content {
    enum Location {
      /// A range of the block's bytes.
      case range(Range<Int>)
      case bytes([UInt8])
    }

    let location: Location
    let declared: Charset?
  }

  private typealias Decoded = (charset: Charset, text: [UInt8]?, isValid: Bool)

  /// The kind of a record without plain text, by which it is counted.
  private struct Kind: Error { let name: String }

  private func textContent(of record: WARCRecord, _ header: HeaderFields, in bytes: [UInt8]) -> Result<
    Content, Kind
  > {
    let type = header["warc-type"]?.lowercased() ?? "unknown"
    let media = MediaType(header["content-type"] ?? (type == "conversion" ? "text/plain" : ""))
    switch type {
    case "conversion", "resource", "response": break
    case "warcinfo", "request", "metadata", "revisit", "continuation": return .failure(Kind(name: type))
    default: return .failure(Kind(name: "unknown"))
    }
    guard type == "response", media.type == "application/http" || media.type.isEmpty else {
      return media.type == "text/plain"
        ? .success(Content(location: .range(record.content), declared: media.charset))
        : .failure(Kind(name: media.kind))
    }
    let response = bytes.withUnsafeBytes {
      HTTPResponse(UnsafeRawBufferPointer(rebasing: $0[record.content]), sizeLimit: options.longestDocument)
    }
    guard let response else { return .failure(Kind(name: "broken_http")) }
    let body = MediaType(response.head["content-type"] ?? "")
    guard body.type == "text/plain" else { return .failure(Kind(name: body.kind)) }
    guard let status = response.status, (200..<300).contains(status) else {
      return .failure(Kind(name: "http_errors"))
    }
    guard let text = response.body else { return .failure(Kind(name: "unknown_coding")) }
    return .success(Content(location: .bytes(text), declared: body.charset))
  }

  /// Converts the content to valid UTF-8 and appends it; nil if the document is dropped.
  private func appendText(_ content: Content, line: Int, to batch: inout DocumentBatch) throws -> Range<Int>?
  {
    let decoded: Decoded
    switch content.location {
    case .range(let range):
      decoded = batch.bytes.withUnsafeBytes {
        decode(UnsafeRawBufferPointer(rebasing: $0[range]), declared: content.declared)
      }
    case .bytes(let bytes): decoded = bytes.withUnsafeBytes { decode($0, declared: content.declared) }
    }
    if options.encoding == .automatic || decoded.charset != .utf8 {
      batch.counts.add(decoded.charset.countName)
    }
    var text: [UInt8]
    switch (decoded.text, content.location) {
    case (let converted?, _): text = converted
    case (nil, .bytes(let bytes)): text = bytes
    case (nil, .range(let range)):
      if decoded.isValid { return range }
      text = Array(batch.bytes[range])
    }
    if !decoded.isValid {
      let isConverted = decoded.charset != .utf8
      if options.invalid == .drop && !options.isStrict {
        try noteDropped(line: line, in: &batch)
        return nil
      }
      let repaired = text.withUnsafeBytes { UTF8Repair.repair($0) }
      try noteInvalid(repaired.replaced, at: 0, line: line, isConverted: isConverted, in: &batch)
      text = repaired.text
    }
    let start = batch.bytes.count
    batch.bytes += text
    return start..<batch.bytes.count
  }

  /// Detects the character set of a record and converts it to UTF-8. `text` is nil if the bytes can be used
  /// unchanged.
  private func decode(_ bytes: UnsafeRawBufferPointer, declared: Charset?) -> Decoded {
    let charset: Charset
    let mark = CharsetDetection.byteOrderMark(bytes)
    switch options.encoding {
    case .named(let named): charset = named
    case .automatic: charset = CharsetDetection.detect(bytes, isWhole: true, declared: declared)
    case .utf8:
      if let mark {
        charset = mark.charset
      } else if UTF8Repair.isValid(bytes) {
        return (.utf8, nil, true)
      } else {
        charset = declared?.superset ?? .utf8
      }
    }
    let body = UnsafeRawBufferPointer(rebasing: bytes.dropFirst(mark?.charset == charset ? mark!.length : 0))
    if charset == .utf8 {
      let isValid = UTF8Repair.isValid(body)
      return (charset, body.count == bytes.count ? nil : Array(body), isValid)
    }
    let text = charset.decode(body)
    return (charset, text, text.withUnsafeBytes { UTF8Repair.isValid($0) })
  }

  private static let fields = [
    ("url", "warc-target-uri"), ("date", "warc-date"), ("id", "warc-record-id"),
    ("language", "warc-identified-content-language"),
  ]

  private func appendFields(of header: HeaderFields, to bytes: inout [UInt8]) {
    for (name, field) in Self.fields {
      guard var value = header[field] else { continue }
      // wget writes the URL in angle brackets.
      if name == "url", value.hasPrefix("<"), value.hasSuffix(">") {
        value = String(value.dropFirst().dropLast())
      }
      bytes += ",\"\(name)\":".utf8
      value.withUTF8 { JSONText.quote(UnsafeRawBufferPointer($0), into: &bytes) }
    }
    bytes.append(UInt8(ascii: "}"))
  }
}
