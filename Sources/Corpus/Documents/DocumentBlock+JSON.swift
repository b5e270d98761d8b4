import CSimdjson
import Support

extension DocumentBlock {
  /// Parses one document per line. Lines without a text are skipped and counted.
  func parseJSON(into batch: inout DocumentBatch, dropsInvalid: Bool) throws {
    let lines = batch.bytes.withUnsafeBytes { Bytes.lines(of: $0) }
    batch.bytes.append(contentsOf: repeatElement(0x20, count: JSONLine.padding))
    for (number, line) in lines.enumerated() {
      let lineNumber = firstLine + number
      let isBlank = batch.bytes.withUnsafeBytes { Bytes.isBlankASCII($0[line]) }
      if isBlank {
        batch.counts.add(.blankLinesSkipped)
        continue
      }
      if line.count > options.longestDocument {
        try noteTooLong(line: lineNumber, in: &batch)
        continue
      }
      if dropsInvalid
        && !batch.bytes.withUnsafeBytes({ UTF8Repair.isValid(UnsafeRawBufferPointer(rebasing: $0[line])) })
      {
        try noteDropped(line: lineNumber, in: &batch)
        continue
      }
      try parse(line, number: lineNumber, into: &batch)
    }
  }

  /// The line without a byte order mark or record separator before it; nil for a comment.
  private func trimmed(_ line: Range<Int>, in batch: inout DocumentBatch) -> Range<Int>? {
    var line = line
    if batch.bytes[line].starts(with: [0xef, 0xbb, 0xbf]) {
      line = (line.lowerBound + 3)..<line.upperBound
      batch.counts.add(.bomRemoved)
    }
    if batch.bytes[line].first == 0x1e { line = (line.lowerBound + 1)..<line.upperBound }
    let isComment = batch.bytes.withUnsafeBytes { bytes in
      JSONLayout.isComment(bytes[line].drop { $0 == 0x20 || $0 == 0x09 })
    }
    return isComment ? nil : line
  }

  private func parse(_ line: Range<Int>, number: Int, into batch: inout DocumentBatch, isPart: Bool = false)
    throws
  {
    guard let line = trimmed(line, in: &batch) else { return batch.counts.add(.jsonCommentsSkipped) }
    if line.isEmpty { return batch.counts.add(.blankLinesSkipped) }
    let result = batch.bytes.withUnsafeBytes {
      JSONLine.findText(in: options.textField, of: UnsafeRawBufferPointer(rebasing: $0[line]))
    }
    defer { JSONLine.freeBuffers(ofLineWith: line.count) }
    let found: pkm_json_text
    switch result {
    case .success(let text): found = text
    case .failure(let problem):
      if case .broken = problem, !isPart, let parts = appendValues(of: line, to: &batch) {
        batch.counts.add(.jsonLinesSplit)
        batch.counts.add(.jsonValuesSplit, parts.count)
        for part in parts { try parse(part, number: number, into: &batch, isPart: true) }
        return
      }
      return try note(problem, of: line, line: number, in: &batch)
    }
    if found.lone_surrogates > 0 {
      try note(
        .loneSurrogatesReplaced, found.lone_surrogates, line: number,
        "half of an escaped surrogate pair, replaced by U+FFFD", in: &batch)
    }
    let value = (line.lowerBound + found.start)..<(line.lowerBound + found.end)
    let isPlain = found.length == value.count - 2
    if isPlain {
      // The text has no escapes, because every escape is longer than the character that it stands for.
      batch.ranges.append((value.lowerBound + 1)..<(value.upperBound - 1))
    } else {
      let start = batch.bytes.count
      batch.bytes.append(contentsOf: UnsafeRawBufferPointer(start: found.text, count: found.length))
      batch.ranges.append(start..<batch.bytes.count)
    }
    batch.lines.append(number)
    batch.envelopes.append(
      JSONEnvelope(
        before: line.lowerBound..<value.lowerBound, after: value.upperBound..<line.upperBound,
        isVerbatim: found.lone_surrogates == 0))
  }

  /// The values of a line that is not one object, appended to the bytes; nil if they are not all objects.
  private func appendValues(of line: Range<Int>, to batch: inout DocumentBatch) -> [Range<Int>]? {
    guard let byte = batch.bytes[line].first(where: { $0 > 0x20 }),
      byte == UInt8(ascii: "{") || byte == UInt8(ascii: "[")
    else { return nil }
    var values = JSONValueLines()
    var text: [UInt8] = []
    batch.bytes.withUnsafeBytes { _ = values.append(UnsafeRawBufferPointer(rebasing: $0[line]), to: &text) }
    values.finish(&text)
    let parts = text.withUnsafeBytes { Bytes.lines(of: $0) }
    guard let first = parts.first, parts.count > 1 || first.count < line.count else { return nil }
    // The parser reads beyond the last one.
    text.append(contentsOf: repeatElement(0x20, count: JSONLine.padding))
    let areObjects = text.withUnsafeBytes { bytes in
      parts.allSatisfy { JSONLine.isObject(UnsafeRawBufferPointer(rebasing: bytes[$0])) }
    }
    if !areObjects { return nil }
    let start = batch.bytes.count
    batch.bytes += text
    return parts.map { (start + $0.lowerBound)..<(start + $0.upperBound) }
  }

  private func note(
    _ problem: JSONLine.Problem, of bytes: Range<Int>, line: Int, in batch: inout DocumentBatch
  ) throws {
    switch problem {
    case .broken(let reason):
      try note(.jsonLinesBroken, line: line, "a broken JSON line, skipped (\(reason))", in: &batch)
    case .notAString:
      try note(
        .jsonTextsMissing, line: line, "\"\(options.textField)\" is not a string, skipped", in: &batch)
    case .fieldMissing:
      if batch.otherFields == nil { batch.otherFields = fieldNames(of: Array(batch.bytes[bytes])) }
      let others = batch.otherFields.map { "; there are \($0)" } ?? ""
      try note(
        .jsonTextsMissing, line: line, "no field \"\(options.textField)\", skipped\(others)", in: &batch)
    }
  }

  /// The first fields of an object, as a message lists them.
  private func fieldNames(of line: [UInt8]) -> String? {
    guard case .object(let members)? = try? JSONValue(parsing: line), !members.isEmpty else { return nil }
    let names = members.prefix(Self.namesListed).map { member in
      JSONText.quote(String(decoding: member.key.prefix(Self.longestName), as: UTF8.self))
    }
    return names.joined(separator: ", ") + (members.count > names.count ? ", …" : "")
  }

  private static let namesListed = 12
  private static let longestName = 60
}
