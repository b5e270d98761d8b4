import CSimdjson
import Foundation
import Support

/// Part of one file as it was read, cut at document boundaries: the unit of parallel parsing.
package struct DocumentBlock: Sendable {
  let bytes: [UInt8]
  let firstLine: Int
  let source: DocumentSource
  let options: ReaderOptions
  /// News of the reader: damage, a byte order mark.
  let counts: Summary
  let warnings: [String]
  /// Its number among all blocks of the input, from 0.
  package let number: Int

  /// Bytes of uncompressed input in the block.
  package var inputBytes: Int { bytes.count }

  /// A hash of the bytes as they were read: whoever reads the input a second time can tell whether it is the same.
  package var digest: UInt64 { bytes.withUnsafeBytes { Hashing.xxh3($0, seed: UInt64(source.index)) } }

  /// The most warnings a block words; the counts are always complete.
  private static let warningLimit = 5

  /// Checks, repairs and parses.
  ///
  /// Throws only when the options are strict.
  package func documents() throws -> DocumentBatch {
    var batch = DocumentBatch(source: source, counts: counts, warnings: warnings)
    batch.bytes = try repaired(&batch)
    switch (source.format, source.splitting) {
    case (.jsonl, _): try parseJSON(into: &batch)
    case (.text, .line): splitLines(of: &batch)
    case (.text, .paragraph): splitParagraphs(of: &batch)
    case (.text, .file), (.text, .stream):
      if !batch.bytes.isEmpty {
        batch.ranges = [0..<batch.bytes.count]
        batch.lines = [firstLine]
      }
    }
    return batch
  }

  /// Valid UTF-8 of the same lines.
  private func repaired(_ batch: inout DocumentBatch) throws -> [UInt8] {
    try bytes.withUnsafeBytes { bytes in
      if UTF8Repair.isValid(bytes) { return self.bytes }
      let (text, replaced, first) = UTF8Repair.repair(bytes)
      let before = UnsafeRawBufferPointer(rebasing: bytes[..<first])
      try note(
        "invalid_utf8_replaced", replaced, line: firstLine + Bytes.count(of: UInt8(ascii: "\n"), in: before),
        "bytes that are not UTF-8, replaced by U+FFFD", in: &batch)
      return text
    }
  }

  private func note(
    _ name: String, _ count: Int = 1, line: Int, _ message: @autoclosure () -> String,
    in batch: inout DocumentBatch
  ) throws {
    if options.isStrict {
      throw Failure(
        .badInput, message(), file: source.path, line: line, remedy: "Without --strict the run would go on")
    }
    batch.counts.add(name, count)
    if batch.warnings.count < Self.warningLimit {
      batch.warnings.append(Failure(.badInput, message(), file: source.path, line: line).description)
    }
  }

  private func splitLines(of batch: inout DocumentBatch) {
    let lines = batch.bytes.withUnsafeBytes { Bytes.lines(of: $0) }
    batch.ranges = lines
    batch.lines = Array(firstLine..<(firstLine + lines.count))
  }

  private func splitParagraphs(of batch: inout DocumentBatch) {
    batch.bytes.withUnsafeBytes { bytes in
      var open: (start: Int, end: Int, line: Int)?
      for (number, line) in Bytes.lines(of: bytes).enumerated() {
        if Bytes.isBlank(bytes[line]) {
          if let paragraph = open {
            batch.ranges.append(paragraph.start..<paragraph.end)
            batch.lines.append(paragraph.line)
          }
          open = nil
        } else {
          open = (open?.start ?? line.lowerBound, line.upperBound, open?.line ?? firstLine + number)
        }
      }
      if let paragraph = open {
        batch.ranges.append(paragraph.start..<paragraph.end)
        batch.lines.append(paragraph.line)
      }
    }
  }

  private func parseJSON(into batch: inout DocumentBatch) throws {
    let lines = batch.bytes.withUnsafeBytes { Bytes.lines(of: $0) }
    batch.bytes.append(contentsOf: repeatElement(0x20, count: pkm_json_padding()))
    for (number, line) in lines.enumerated() {
      let lineNumber = firstLine + number
      var found = pkm_json_text()
      var reason: UnsafePointer<CChar>?
      let isBlank = batch.bytes.withUnsafeBytes { Bytes.isBlank($0[line]) }
      if isBlank {
        batch.counts.add("blank_lines_skipped")
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
          "json_lines_broken", line: lineNumber, "a broken JSON line, skipped (\(String(cString: reason!)))",
          in: &batch)
        continue
      case PKM_JSON_NOT_TEXT:
        try note(
          "json_texts_missing", line: lineNumber, "\"\(options.textField)\" is not a string, skipped",
          in: &batch)
        continue
      default:
        try note(
          "json_texts_missing", line: lineNumber, "no field \"\(options.textField)\", skipped", in: &batch)
        continue
      }
      if found.lone_surrogates > 0 {
        try note(
          "lone_surrogates_replaced", found.lone_surrogates, line: lineNumber,
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

// Where a stream may be cut.
extension DocumentBlock {
  /// The length of the longest part of `bytes`, which is not the end of its file, that holds whole documents.
  ///
  /// A ``DocumentSplitting/stream`` is cut between any two characters.
  static func cut(_ bytes: UnsafeRawBufferPointer, source: DocumentSource) -> Int? {
    let lineFeed = UInt8(ascii: "\n")
    if source.format == .jsonl || source.splitting == .line {
      return bytes.lastIndex(of: lineFeed).map { $0 + 1 }
    }
    switch source.splitting {
    case .line, .file: return nil
    case .paragraph:
      var end = bytes.count
      while let newline = bytes[..<end].lastIndex(of: lineFeed) {
        let previous = bytes[..<newline].lastIndex(of: lineFeed)
        if let previous, Bytes.isBlank(bytes[(previous + 1)..<newline]) { return newline + 1 }
        end = newline
      }
      return nil
    case .stream:
      // Before the last character, which may go on; of four bytes 10xxxxxx the last belongs to none.
      let last = (max(0, bytes.count - 4)..<bytes.count).last { bytes[$0] & 0xc0 != 0x80 } ?? bytes.count
      return last > 0 ? last : nil
    }
  }
}
