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
      switch try textContent(of: record, header, in: batch.bytes) {
      case .failure(let kind):
        if kind.isTooLong {
          try noteTooLong(line: line, in: &batch)
          continue
        }
        let name = CountName.warcRecordsSkipped(kind.name)
        if let loss = kind.loss {
          try note(name, line: line, loss, in: &batch)
        } else {
          batch.counts.add(name)
        }
        continue
      case .success(let found): content = found
      }
      try noteFlaws(of: content, line: line, in: &batch)
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
    /// The names of what is wrong with the body of a response.
    var flaws: [CountName] = []
  }

  private typealias Decoded = (charset: Charset, text: [UInt8]?, isValid: Bool)

  /// The kind of a record without plain text, by which it is counted.
  private struct Kind: Error {
    let name: String
    /// Why the text of the record is lost; nil if it has none.
    var loss: String?
    /// Whether its decoded body is longer than any document may be.
    var isTooLong = false
  }

  private func textContent(of record: WARCRecord, _ header: HeaderFields, in bytes: [UInt8]) throws
    -> Result<Content, Kind>
  {
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
    return try bytes.withUnsafeBytes {
      try textBody(
        of: UnsafeRawBufferPointer(rebasing: $0[record.content]), at: record.content.lowerBound,
        isCut: record.state == .truncated || header["warc-truncated"] != nil)
    }
  }

  /// The text of an HTTP response that begins at an offset of the block. `isCut` says that the record is known to be
  /// incomplete.
  private func textBody(of bytes: UnsafeRawBufferPointer, at offset: Int, isCut: Bool) throws -> Result<
    Content, Kind
  > {
    guard let response = HTTPResponse(bytes) else {
      let loss = "an HTTP response without a head that can be read, skipped"
      return .failure(Kind(name: "broken_http", loss: bytes.isEmpty ? nil : loss))
    }
    guard response.media.type == "text/plain" else { return .failure(Kind(name: response.media.kind)) }
    guard let status = response.status, (200..<300).contains(status) else {
      return .failure(Kind(name: "http_errors"))
    }
    let body = try HTTPBody(
      UnsafeRawBufferPointer(rebasing: bytes[response.bodyStart...]), codings: response.codings,
      isCut: isCut, sizeLimit: options.longestDocument, file: source.path)
    if body.isTooLong { return .failure(Kind(name: "too_long", isTooLong: true)) }
    if let coding = body.unknownCoding {
      let name = JSONText.quote(String(coding.prefix(40)))
      return .failure(
        Kind(name: "unknown_coding", loss: "a body with the unknown Content-Encoding \(name), skipped"))
    }
    let range = (offset + response.bodyStart)..<(offset + bytes.count)
    var flaws: [CountName] = []
    let isShort = response.plainLength.map { $0 > range.count } ?? false
    if body.flaws.contains(.truncated) || isShort { flaws.append(.httpBodiesTruncated) }
    if body.flaws.contains(.damaged) { flaws.append(.httpBodiesDamaged) }
    if body.wasDecodedBefore { flaws.append(.httpBodiesDecodedBefore) }
    return .success(
      Content(
        location: body.decoded.map { .bytes($0) } ?? .range(range), declared: response.media.charset,
        flaws: flaws))
  }

  /// Counts what is wrong with a body. That it was decoded before the crawler stored it loses nothing.
  private func noteFlaws(of content: Content, line: Int, in batch: inout DocumentBatch) throws {
    for flaw in content.flaws {
      switch flaw {
      case .httpBodiesTruncated:
        try note(flaw, line: line, "an HTTP body that ends early, read to its end", in: &batch)
      case .httpBodiesDamaged:
        try note(
          flaw, line: line, "an HTTP body whose coding is damaged, decoded as far as possible", in: &batch)
      default: batch.counts.add(flaw)
      }
    }
  }

  /// Converts the content to valid UTF-8 and appends it; nil if the document is dropped.
  private func appendText(_ content: Content, line: Int, to batch: inout DocumentBatch) throws -> Range<Int>?
  {
    let decoded: Decoded
    switch content.location {
    case .range(let range):
      decoded = try batch.bytes.withUnsafeBytes {
        try decode(UnsafeRawBufferPointer(rebasing: $0[range]), declared: content.declared)
      }
    case .bytes(let bytes): decoded = try bytes.withUnsafeBytes { try decode($0, declared: content.declared) }
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
  private func decode(_ bytes: UnsafeRawBufferPointer, declared: Charset?) throws -> Decoded {
    let charset: Charset
    let mark = CharsetDetection.byteOrderMark(bytes)
    switch options.encoding {
    case .named(let named): charset = named
    case .automatic: charset = try CharsetDetection.detect(bytes, isWhole: true, declared: declared)
    case .utf8:
      if let mark {
        charset = mark.charset
      } else if UTF8Repair.isValid(bytes) {
        return (.utf8, nil, true)
      } else {
        charset = declared ?? .utf8
      }
    }
    let body = UnsafeRawBufferPointer(rebasing: bytes.dropFirst(mark?.charset == charset ? mark!.length : 0))
    if charset == .utf8 {
      let isValid = UTF8Repair.isValid(body)
      return (charset, body.count == bytes.count ? nil : Array(body), isValid)
    }
    let text = try charset.decode(body)
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
