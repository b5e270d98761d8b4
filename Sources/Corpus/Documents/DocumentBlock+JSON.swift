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
      let result = batch.bytes.withUnsafeBytes {
        JSONLine.findText(in: options.textField, of: UnsafeRawBufferPointer(rebasing: $0[line]))
      }
      defer { JSONLine.freeBuffers(ofLineWith: line.count) }
      let found: pkm_json_text
      switch result {
      case .success(let text): found = text
      case .failure(let problem):
        try note(problem, line: lineNumber, in: &batch)
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
        // The text has no escapes, because every escape is longer than the character that it stands for.
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

  private func note(_ problem: JSONLine.Problem, line: Int, in batch: inout DocumentBatch) throws {
    switch problem {
    case .broken(let reason):
      try note(.jsonLinesBroken, line: line, "a broken JSON line, skipped (\(reason))", in: &batch)
    case .notAString:
      try note(
        .jsonTextsMissing, line: line, "\"\(options.textField)\" is not a string, skipped", in: &batch)
    case .fieldMissing:
      try note(.jsonTextsMissing, line: line, "no field \"\(options.textField)\", skipped", in: &batch)
    }
  }
}
