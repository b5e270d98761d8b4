import Foundation
import Support

/// Reads one file as blocks of whole documents, in order.
///
/// Not thread-safe. Several files can be read at the same time by a reader each.
package final class BlockReader {
  private let path: String
  let options: ReaderOptions
  let input: DecodedInput
  private let note: (Int) -> Void
  private var source: DocumentSource
  /// Bytes read from the file that are not part of a block yet.
  var rest: [UInt8] = []
  /// The number of bytes to skip before the next document.
  var bytesToSkip = 0
  var line = 1
  private var counts = Summary()
  private var warnings: [String] = []
  /// Whether the end of the file, or of the part before damage, was reached.
  var isAtEnd = false
  private var isDone = false
  /// Whether the input has ended behind ``valueLines``.
  private var hasEnded = false
  /// Whether reading stopped because a pipe had no data for a while.
  private var isPaused = false
  private var damageCount = 0
  private var notedOffset = 0
  private var takenByBlocks = 0

  /// If a pipe delivers nothing for this many milliseconds, its documents are passed on although the batch is
  /// not full.
  private static let patience: Int32 = 50

  /// What ends a document and is no part of it has at most so many bytes: two line ends, CR and LF each.
  private static let longestEnd = 4

  /// Rewrites JSON values to lines, where the file does not hold one object a line.
  private var values: JSONValueLines?
  /// What was rewritten and not yet read.
  private var valueLines: [UInt8] = []
  private var valuesTaken = 0
  /// Whether CR alone ends the lines of the file, and whether the last byte read was one.
  private var lineEnds = CarriageReturns()

  /// What the file is if its bytes are no text, so that it is skipped; see ``ReaderOptions/isFound``.
  package var foreign: FileFormat? { input.foreign }

  /// `note` is called with the number of compressed bytes each time some were read. A file that is no text and was
  /// not named by the user (`isFound`) is skipped and counted.
  init(
    _ input: InputSource, index: Int, options: ReaderOptions, isFound: Bool = false,
    note: @escaping (Int) -> Void
  ) throws {
    (path, self.options, self.note) = (input.name, options, note)
    let stated = options.format ?? DocumentFormat(ofFileNamed: path)
    self.input = try DecodedInput(InputFile(input), format: stated, options: options)
    source = DocumentSource(index: index, path: path, format: .text, splitting: options.splitting)
    if let foreign = self.input.foreign {
      let failure = foreign.failure(file: path)
      guard isFound && !options.isStrict else { throw failure }
      counts.add(.inputsNotTextSkipped)
      warnings.append("\(failure)".replacing(", not text", with: ", not text, skipped"))
      return
    }
    if self.input.holdsRecords {
      source = DocumentSource(index: index, path: path, format: .jsonl, splitting: options.splitting)
      rest = try extended([], to: options.batchBytes)
      return
    }
    rest = try extended([], to: options.batchBytes)
    if rest.starts(with: [0xef, 0xbb, 0xbf]) {
      rest.removeFirst(3)
      counts.add(.bomRemoved)
    }
    let format =
      try options.format ?? (rest.starts(with: Array("WARC/".utf8)) ? .warc : stated ?? jsonOrText())
    if format == .jsonl && values == nil { _ = try findsJSON(isStated: true) }
    if format == .text { try findLineEnds() }
    source = DocumentSource(index: index, path: path, format: format, splitting: options.splitting)
  }

  package var format: DocumentFormat { source.format }

  /// Treats every line as a document, whatever the format. Call this before reading the first block.
  func takeAsLines() {
    source = DocumentSource(index: source.index, path: path, format: .text, splitting: .line)
  }

  private func jsonOrText() throws -> DocumentFormat { try findsJSON(isStated: false) ? .jsonl : .text }

  /// Whether the file begins as JSON; if its objects are not one a line, they are rewritten to be.
  private func findsJSON(isStated: Bool) throws -> Bool {
    while true {
      rest.append(contentsOf: repeatElement(0x20, count: JSONLine.padding))
      let verdict = rest.withUnsafeBytes {
        JSONLayout.judge(
          UnsafeRawBufferPointer(rebasing: $0.dropLast(JSONLine.padding)), isAtEnd: isAtEnd,
          isStated: isStated,
          longestDocument: options.longestDocument)
      }
      rest.removeLast(JSONLine.padding)
      switch verdict {
      case .text: return false
      case .layout(.lines): return true
      case .layout(.values):
        var values = JSONValueLines()
        rest.withUnsafeBytes { bytes in
          let (start, comments) = JSONLayout.start(of: bytes)
          if comments > 0 { counts.add(.jsonCommentsSkipped, comments) }
          values.append(UnsafeRawBufferPointer(rebasing: bytes[start...]), to: &valueLines)
        }
        if isAtEnd { values.finish(&valueLines) }
        self.values = values
        counts.add(.inputsWithJSONValues)
        rest = []
        // What was read is read again, as lines.
        hasEnded = isAtEnd
        isAtEnd = false
        return true
      case .more: rest = try extended(rest, to: max(2 * rest.count, 1 << 12))
      }
    }
  }

  /// Finds out whether the file ends its lines by CR alone, as old Macs do: the first 64 KB hold CR and no LF.
  private func findLineEnds() throws {
    guard !rest.prefix(1 << 16).contains(0x0a), rest.contains(0x0d) else { return }
    while !isAtEnd && rest.count < 1 << 16 && !rest.contains(0x0a) {
      rest = try extended(rest, to: min(2 * rest.count + 64, 1 << 16))
    }
    let sample = rest.prefix(1 << 16)
    guard !sample.contains(0x0a), let first = sample.firstIndex(of: 0x0d) else { return }
    // A last line that ends in CR alone tells nothing.
    if first == rest.count - 1 && isAtEnd { return }
    lineEnds.isActive = true
    counts.add(.inputsWithCRLineEnds)
    let kept = rest.withUnsafeMutableBytes { lineEnds.convert($0) }
    rest.removeLast(rest.count - kept)
  }

  /// Reads decoded bytes; 0 at the end.
  private func readText(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    while true {
      if values == nil {
        let count = try input.read(into: buffer)
        if count == 0 || !lineEnds.isActive { return count }
        let kept = lineEnds.convert(UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]))
        if kept > 0 { return kept }
        continue
      }
      if valuesTaken < valueLines.count {
        let count = min(buffer.count, valueLines.count - valuesTaken)
        valueLines.withUnsafeBytes {
          buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[valuesTaken..<(valuesTaken + count)]))
        }
        valuesTaken += count
        return count
      }
      valueLines.removeAll(keepingCapacity: true)
      valuesTaken = 0
      if hasEnded { return 0 }
      var bytes = [UInt8](repeating: 0, count: 1 << 16)
      let count = try bytes.withUnsafeMutableBytes { try input.read(into: $0) }
      bytes.withUnsafeBytes {
        _ = values!.append(UnsafeRawBufferPointer(rebasing: $0[..<count]), to: &valueLines)
      }
      if count == 0 {
        hasEnded = true
        values!.finish(&valueLines)
      }
    }
  }

  /// The next block, nil after the last.
  package func next() throws -> DocumentBlock? {
    if foreign != nil && !isDone { return takeSkipped() }
    while !isDone {
      if bytesToSkip > 0 { try skipBytes() }
      var bytes = rest
      rest = []
      // If a pipe paused, use what it delivered before waiting for more.
      if bytes.count < options.batchBytes && !isAtEnd && !isPaused {
        bytes = try extended(bytes, to: options.batchBytes)
      }
      isPaused = false
      var records: [WARCRecord] = []
      let (length, lineFeeds) =
        try source.format == .warc
        ? (scanRecords(&bytes, &records), nil) : bounded(cutDocuments(&bytes), bytes)
      if length < bytes.count {
        rest = Array(bytes[length...])
        bytes.removeLast(bytes.count - length)
      }
      if isAtEnd && rest.isEmpty && bytesToSkip == 0 { try endPart() }
      if bytes.isEmpty && counts.entries.isEmpty { continue }
      let block = DocumentBlock(
        bytes: bytes, records: records, inputBytes: input.taken - takenByBlocks, firstLine: line,
        source: source,
        isConverted: input.charset != nil, options: options, counts: counts, warnings: warnings)
      takenByBlocks = input.taken
      line += lineFeeds ?? bytes.withUnsafeBytes { Bytes.count(of: 0x0a, in: $0) }
      (counts, warnings) = (Summary(), [])
      return block
    }
    return nil
  }

  /// A block without documents that reports a file that was skipped.
  private func takeSkipped() -> DocumentBlock {
    isDone = true
    return DocumentBlock(
      bytes: [], records: [], inputBytes: 0, firstLine: 1, source: source, isConverted: false,
      options: options,
      counts: counts, warnings: warnings)
  }

  /// The most lines of a block: what is kept for each document would else be thousands of times as large as empty lines are.
  private static let mostLines = 1 << 15

  /// The length of the whole documents at the start of `bytes`, at most `length`, that are not more than a block may hold,
  /// and their line feeds where they were counted.
  private func bounded(_ length: Int, _ bytes: [UInt8]) -> (length: Int, lineFeeds: Int?) {
    if source.format == .text && source.splitting == .file { return (length, nil) }
    return bytes.withUnsafeBytes { bytes in
      let whole = UnsafeRawBufferPointer(rebasing: bytes[..<length])
      let lineFeeds = Bytes.count(of: 0x0a, in: whole)
      if lineFeeds <= Self.mostLines { return (length, lineFeeds) }
      var end = 0
      for _ in 0..<Self.mostLines {
        guard let feed = memchr(whole.baseAddress! + end, 0x0a, length - end) else { return (length, nil) }
        end = UnsafeRawPointer(feed) - whole.baseAddress! + 1
      }
      return (source.endOfWholeDocuments(UnsafeRawBufferPointer(rebasing: whole[..<end])) ?? length, nil)
    }
  }

  /// Reads until `bytes` contain whole documents, and returns the length of those.
  private func cutDocuments(_ bytes: inout [UInt8]) throws -> Int {
    while true {
      if isAtEnd { return bytes.count }
      if let end = bytes.withUnsafeBytes({ source.endOfWholeDocuments($0) }) { return end }
      if bytes.count > options.longestDocument + Self.longestEnd {
        try skipDocument(&bytes)
        continue
      }
      // Doubling keeps the search for the end of one huge document linear. The size of a whole file may be
      // known.
      let isWhole = source.format == .text && source.splitting == .file
      let wanted = isWhole ? input.bytesLeft.map { bytes.count + $0 + 1 } : nil
      bytes = try extended(
        bytes,
        to: min(
          wanted ?? max(2 * bytes.count, options.batchBytes), options.longestDocument + Self.longestEnd + 1))
    }
  }

  /// Skips the document at the start of `bytes`, which is too long, and continues with what follows it.
  private func skipDocument(_ bytes: inout [UInt8]) throws {
    let start = line
    while true {
      let end = bytes.withUnsafeBytes { source.endOfFirstDocument($0) }
      if let end {
        line += bytes.withUnsafeBytes {
          Bytes.count(of: 0x0a, in: UnsafeRawBufferPointer(rebasing: $0[..<end]))
        }
        bytes.removeFirst(end)
        break
      }
      line += bytes.withUnsafeBytes { Bytes.count(of: 0x0a, in: $0) }
      bytes = []
      if isAtEnd { break }
      bytes = try extended([], to: options.batchBytes)
    }
    try report(
      .documentsTooLong, line: start, "a document of more than \(options.longestDocument) bytes, skipped")
  }

  /// Returns `bytes` extended to `count` bytes; fewer at the end of the file, or if a pipe pauses after some
  /// were read.
  func extended(_ bytes: [UInt8], to count: Int) throws -> [UInt8] {
    // For JSON lines, reserve space for the decoded texts after them, and for short lines also for what later
    // stages make of these, so that the array is not reallocated. Memory that stays unused costs nothing.
    let copies = source.format != .jsonl ? 0 : count > JSONLine.longestBuffered ? 1 : 2
    let capacity = count + JSONLine.padding + copies * count
    return try [UInt8](unsafeUninitializedCapacity: capacity) { buffer, filled in
      let buffer = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count])
      LargePages.advise(buffer)
      bytes.withUnsafeBytes { buffer.copyMemory(from: $0) }
      filled = bytes.count
      while filled < count && !isAtEnd {
        if filled > bytes.count && input.file.isSilent(forMilliseconds: Self.patience) {
          isPaused = true
          break
        }
        let read = try readText(into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
        if read == 0 { isAtEnd = true }
        filled += read
      }
      noteProgress()
    }
  }

  func noteProgress() {
    note(input.file.offset - notedOffset)
    notedOffset = input.file.offset
  }

  /// Reports damage and continues after it, or ends the file.
  private func endPart() throws {
    if let damage = input.damage {
      if options.isStrict {
        throw Failure(.badInput, damage.reason, file: damage.file, offset: damage.offset)
      }
      if counts.count(.inputsDamaged) + damageCount == 0 { counts.add(.inputsDamaged) }
      damageCount += 1
      counts.add(CountName(damage.kind.rawValue))
      let isResumed = try input.resume()
      if damageCount <= 5 {
        let rest =
          isResumed ? "Reading continues \(input.resumedPlace)" : "What came before it was read"
        warnings.append("\(damage). \(rest)")
      }
      if isResumed {
        isAtEnd = false
        hasEnded = false
        if let rows = input.rowsPassed { line = rows + 1 }
        notedOffset = min(notedOffset, input.file.offset)
        return
      }
    }
    if input.file.hasChanged {
      try report(.inputsChanged, line: nil, "the file changed while it was read")
    }
    if let values, values.isCut {
      try report(.jsonLinesBroken, line: nil, "the JSON array does not end")
    }
    input.finish()
    for (name, value) in input.counts.entries {
      if case .count(let count) = value { counts.add(name, count) }
    }
    isDone = true
  }

  func report(_ name: CountName, _ count: Int = 1, line: Int?, _ message: String) throws {
    if options.isStrict {
      throw Failure(.badInput, message, file: path, line: line, remedy: Failure.strictRemedy)
    }
    counts.add(name, count)
    warnings.append(Failure(.badInput, message, file: path, line: line).description)
  }
}

extension DocumentSource {
  /// The length of the longest prefix of `bytes` that contains only whole documents; nil if there is none.
  /// `bytes` do not reach the end of the file.
  ///
  /// A ``DocumentSplitting/stream`` can be split between any two characters.
  fileprivate func endOfWholeDocuments(_ bytes: UnsafeRawBufferPointer) -> Int? {
    let lineFeed = UInt8(ascii: "\n")
    if format == .jsonl || splitting == .line {
      return Bytes.lastIndex(of: lineFeed, in: bytes, before: bytes.count).map { $0 + 1 }
    }
    switch splitting {
    case .line, .file: return nil
    case .paragraph:
      var end = bytes.count
      while let newline = Bytes.lastIndex(of: lineFeed, in: bytes, before: end) {
        let previous = Bytes.lastIndex(of: lineFeed, in: bytes, before: newline)
        if let previous, Bytes.isBlank(bytes[(previous + 1)..<newline]) { return newline + 1 }
        end = newline
      }
      return nil
    case .stream:
      // Split before the last character, which may be incomplete. If the last four bytes are all continuation
      // bytes, the text is ill-formed anyway.
      let last = (max(0, bytes.count - 4)..<bytes.count).last { bytes[$0] & 0xc0 != 0x80 } ?? bytes.count
      return last > 0 ? last : nil
    }
  }

  /// The length of the rest of the current document, in which `bytes` begin; nil if its end was not read yet.
  fileprivate func endOfFirstDocument(_ bytes: UnsafeRawBufferPointer) -> Int? {
    if format == .text && splitting == .file { return nil }
    var start = 0
    while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
      let isEnd = format == .jsonl || splitting != .paragraph
      if isEnd || (start > 0 && Bytes.isBlank(bytes[start..<end])) { return end + 1 }
      start = end + 1
    }
    return nil
  }
}

extension Failure {
  static let strictRemedy = "Without --strict the run would continue"
}
