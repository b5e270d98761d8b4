import CSimdjson
import Support

extension DocumentBlock {
  /// Bytes of a JSON line that is not usual: what its parser takes is not kept for the next.
  static let longLine = 8 << 20

  /// One document for each line that holds a text.
  func parseJSON(into batch: inout DocumentBatch, dropsInvalid: Bool) throws {
    let lines = batch.bytes.withUnsafeBytes { Bytes.lines(of: $0) }
    batch.bytes.append(contentsOf: repeatElement(0x20, count: pkm_json_padding()))
    for (number, line) in lines.enumerated() {
      let lineNumber = firstLine + number
      var found = pkm_json_text()
      var reason: UnsafePointer<CChar>?
      defer { if line.count > Self.longLine { pkm_json_forget() } }
      let isBlank = batch.bytes.withUnsafeBytes { Bytes.isBlank($0[line]) }
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
      let status = batch.bytes.withUnsafeBytes {
        pkm_json_find_text(
          ($0.baseAddress! + line.lowerBound).assumingMemoryBound(to: CChar.self), line.count,
          options.textField,
          &found, &reason)
      }
      switch Int(status) {
      case PKM_JSON_OK: break
      case PKM_JSON_BROKEN:
        try note(
          .jsonLinesBroken, line: lineNumber, "a broken JSON line, skipped (\(String(cString: reason!)))",
          in: &batch)
        continue
      case PKM_JSON_NOT_TEXT:
        try note(
          .jsonTextsMissing, line: lineNumber, "\"\(options.textField)\" is not a string, skipped",
          in: &batch)
        continue
      default:
        try note(
          .jsonTextsMissing, line: lineNumber, "no field \"\(options.textField)\", skipped", in: &batch)
        continue
      }
      if found.lone_surrogates > 0 {
        try note(
          .loneSurrogatesReplaced, found.lone_surrogates, line: lineNumber,
          "half of an escaped surrogate pair, replaced by U+FFFD", in: &batch)
      }
      let value = (line.lowerBound + found.start)..<(line.lowerBound + found.end)
      let isPlain = found.length == value.count - 2
      if isPlain {
        // Nothing was escaped: every escape is longer than what it stands for.
        batch.ranges.append((value.lowerBound + 1)..<(value.upperBound - 1))
      } else {
        let start = batch.bytes.count
        batch.bytes.append(contentsOf: UnsafeRawBufferPointer(start: found.text, count: found.length))
        batch.ranges.append(start..<batch.bytes.count)
      }
      batch.lines.append(lineNumber)
      batch.envelopes.append(
        JSONEnvelope(
          before: line.lowerBound..<value.lowerBound, after: value.upperBound..<line.upperBound,
          isVerbatim: found.lone_surrogates == 0))
    }
  }
}
