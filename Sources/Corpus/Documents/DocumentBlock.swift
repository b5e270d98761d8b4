import Foundation
import Support

/// Whole documents of one file as they were read: the unit of parallel parsing.
package struct DocumentBlock: Sendable {
  var bytes: [UInt8]
  /// The records of a WARC file within `bytes`.
  let records: [WARCRecord]
  /// The number of bytes of uncompressed input that the block covers, skipped ones included.
  package let inputBytes: Int
  let firstLine: Int
  let source: DocumentSource
  /// Whether the bytes were converted from another character set. Then 0xff stands for bytes that were
  /// invalid there.
  let isConverted: Bool
  let options: ReaderOptions
  /// Counts and warnings of the reader: damage, a removed byte order mark.
  let counts: Summary
  let warnings: [String]
  /// The index of the block among all blocks of the input, if they are read one after the other.
  package internal(set) var number = 0

  /// A hash of the bytes as they were read. A second pass over the input compares it to detect changes.
  package var digest: UInt64 { bytes.withUnsafeBytes { Hashing.xxh3($0, seed: UInt64(source.index)) } }

  /// The digest of all blocks read so far, extended by the digest of the next block.
  package static func chain(_ digest: UInt64, _ block: UInt64) -> UInt64 {
    RandomGenerator.mix(digest &* 3 &+ block)
  }

  /// The block without its bytes, for use after its documents have taken them over.
  package var frame: DocumentBlock {
    DocumentBlock(
      bytes: [], records: records, inputBytes: inputBytes, firstLine: firstLine, source: source,
      isConverted: isConverted, options: options, counts: Summary(), warnings: [], number: number)
  }

  /// The maximum number of warnings per block. The counts are always complete.
  private static let warningLimit = 5

  /// Validates, repairs and parses the documents.
  ///
  /// Throws only if the options are strict or treat invalid text as an error. The block's bytes are moved
  /// into the batch and not copied.
  package consuming func documents() throws -> DocumentBatch {
    var batch = DocumentBatch(source: source, counts: counts, warnings: warnings)
    swap(&batch.bytes, &bytes)
    batch.readBytes = batch.bytes.count
    if source.format == .warc {
      try parseRecords(into: &batch)
      return batch
    }
    let isValid = batch.bytes.withUnsafeBytes { UTF8Repair.isValid($0) }
    let dropsInvalid = !isValid && options.invalid == .drop && !options.isStrict
    if !isValid && !dropsInvalid { try repair(&batch) }
    switch (source.format, source.splitting) {
    case (.jsonl, _): try parseJSON(into: &batch, dropsInvalid: dropsInvalid)
    case (_, .line): splitLines(of: &batch)
    case (_, .paragraph): splitParagraphs(of: &batch)
    case (_, .file), (_, .stream):
      if !batch.bytes.isEmpty {
        batch.ranges = [0..<batch.bytes.count]
        batch.lines = [firstLine]
      }
    }
    if dropsInvalid && source.format == .text { try dropInvalid(from: &batch) }
    if source.splitting != .stream || source.format != .text { try dropLong(from: &batch) }
    return batch
  }

  /// Replaces ill-formed UTF-8. Lines stay the same.
  private func repair(_ batch: inout DocumentBatch) throws {
    let (text, replaced, first, line) = batch.bytes.withUnsafeBytes { bytes in
      let (text, replaced, first) = UTF8Repair.repair(bytes)
      return (
        text, replaced, first, Bytes.count(of: 0x0a, in: UnsafeRawBufferPointer(rebasing: bytes[..<first]))
      )
    }
    try noteInvalid(replaced, at: first, line: firstLine + line, isConverted: isConverted, in: &batch)
    batch.bytes = text
    batch.readBytes = text.count
  }

  /// Records `count` replaced sequences, or throws if the options say so.
  func noteInvalid(_ count: Int, at offset: Int, line: Int, isConverted: Bool, in batch: inout DocumentBatch)
    throws
  {
    let (name, what) =
      isConverted
      ? (CountName.invalidCharactersReplaced, "bytes that are invalid in the character set of the input")
      : (CountName.invalidUTF8Replaced, "bytes that are not UTF-8")
    if options.invalid == .error {
      throw Failure(
        .badInput, what, file: source.path, line: line,
        remedy:
          "--invalid replace turns them into U+FFFD, --invalid drop skips the document, --encoding names another "
          + "character set")
    }
    try note(name, count, line: line, "\(what), replaced by U+FFFD", in: &batch)
  }

  private func dropInvalid(from batch: inout DocumentBatch) throws {
    let isValid = batch.bytes.withUnsafeBytes { bytes in
      batch.ranges.map { UTF8Repair.isValid(UnsafeRawBufferPointer(rebasing: bytes[$0])) }
    }
    for (index, isValid) in isValid.enumerated() where !isValid {
      try noteDropped(line: batch.lines[index], in: &batch)
    }
    batch.keep { isValid[$0] }
  }

  func noteDropped(line: Int, in batch: inout DocumentBatch) throws {
    try note(.documentsInvalid, line: line, "a document that is not valid text, dropped", in: &batch)
  }

  private func dropLong(from batch: inout DocumentBatch) throws {
    guard batch.bytes.count > options.longestDocument else { return }
    for index in 0..<batch.count where batch.ranges[index].count > options.longestDocument {
      try noteTooLong(line: batch.lines[index], in: &batch)
    }
    let ranges = batch.ranges
    batch.keep { ranges[$0].count <= options.longestDocument }
  }

  func noteTooLong(line: Int, in batch: inout DocumentBatch) throws {
    try note(
      .documentsTooLong, line: line, "a document of more than \(options.longestDocument) bytes, skipped",
      in: &batch)
  }

  func note(
    _ name: CountName, _ count: Int = 1, line: Int, _ message: @autoclosure () -> String,
    in batch: inout DocumentBatch
  ) throws {
    if options.isStrict {
      throw Failure(.badInput, message(), file: source.path, line: line, remedy: Failure.strictRemedy)
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
}
