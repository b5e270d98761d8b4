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
  /// Whether reading stopped because a pipe had no data for a while.
  private var isPaused = false
  /// Whether each CR is read as LF.
  private var endsLinesInCR = false
  private var damageCount = 0
  private var notedOffset = 0
  private var takenByBlocks = 0

  /// If a pipe delivers nothing for this many milliseconds, its documents are passed on although the batch is
  /// not full.
  private static let patience: Int32 = 50
  /// The bytes in which a text without LF must have a CR for CR to end its lines.
  private static let lineEndSample = 1 << 16

  /// `note` is called with the number of compressed bytes each time some were read.
  init(_ input: InputSource, index: Int, options: ReaderOptions, note: @escaping (Int) -> Void) throws {
    (path, self.options, self.note) = (input.name, options, note)
    let named = DocumentFormat(ofFileNamed: path)
    self.input = try DecodedInput(InputFile(input), encoding: options.encoding) {
      (options.format ?? named) == .warc || options.format == nil && $0.starts(with: Array("WARC/".utf8))
    }
    source = DocumentSource(index: index, path: path, format: .text, splitting: options.splitting)
    rest = try extended([], to: options.batchBytes)
    if rest.starts(with: [0xef, 0xbb, 0xbf]) {
      rest.removeFirst(3)
      counts.add(.bomRemoved)
    }
    let format =
      try options.format
      ?? (rest.starts(with: Array("WARC/".utf8)) ? .warc : named ?? (beginsAsJSONLines() ? .jsonl : .text))
    source = DocumentSource(index: index, path: path, format: format, splitting: options.splitting)
    if format == .text { try findLineEnds() }
  }

  package var format: DocumentFormat { source.format }

  /// Treats every line as a document, whatever the format. Call this before reading the first block.
  func takeAsLines() {
    source = DocumentSource(index: source.index, path: path, format: .text, splitting: .line)
  }

  /// Decides by the first bytes whether the lines of the text end in a bare CR, as on a classic Macintosh.
  private func findLineEnds() throws {
    let (lineFeed, carriageReturn) = (UInt8(ascii: "\n"), UInt8(ascii: "\r"))
    var sample: ArraySlice<UInt8> { rest.prefix(Self.lineEndSample) }
    // The answer must not depend on how much a pipe delivers at once.
    while sample.count < Self.lineEndSample, !isAtEnd, sample.contains(carriageReturn),
      !sample.contains(lineFeed)
    {
      rest = try extended(rest, to: Self.lineEndSample)
    }
    guard sample.contains(carriageReturn), !sample.contains(lineFeed) else { return }
    counts.add(.inputsWithCRLineEnds)
    endsLinesInCR = true
    rest.withUnsafeMutableBytes { Self.replaceCarriageReturns(in: $0) }
  }

  private static func replaceCarriageReturns(in bytes: UnsafeMutableRawBufferPointer) {
    for index in bytes.indices where bytes[index] == UInt8(ascii: "\r") { bytes[index] = UInt8(ascii: "\n") }
  }

  private func beginsAsJSONLines() throws -> Bool {
    guard let start = rest.firstIndex(where: { $0 != 0x20 && ($0 < 0x09 || $0 > 0x0d) }),
      rest[start] == UInt8(ascii: "{")
    else { return false }
    while true {
      let line = rest[start...].prefix { $0 != UInt8(ascii: "\n") }
      if line.endIndex < rest.count || isAtEnd || line.count > options.longestDocument {
        let range = start..<line.endIndex
        rest.append(contentsOf: repeatElement(0x20, count: JSONLine.padding))
        defer { rest.removeLast(JSONLine.padding) }
        return rest.withUnsafeBytes { JSONLine.isObject(UnsafeRawBufferPointer(rebasing: $0[range])) }
      }
      rest = try extended(rest, to: 2 * rest.count)
    }
  }

  /// The next block, nil after the last.
  package func next() throws -> DocumentBlock? {
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
      let length = try source.format == .warc ? scanRecords(&bytes, &records) : cutDocuments(&bytes)
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
      line += bytes.withUnsafeBytes { Bytes.count(of: UInt8(ascii: "\n"), in: $0) }
      (counts, warnings) = (Summary(), [])
      return block
    }
    return nil
  }

  /// Reads until `bytes` contain whole documents, and returns the length of those.
  private func cutDocuments(_ bytes: inout [UInt8]) throws -> Int {
    while true {
      if isAtEnd { return bytes.count }
      if let end = bytes.withUnsafeBytes({ source.endOfWholeDocuments($0) }) { return end }
      if bytes.count > options.longestDocument {
        try skipDocument(&bytes)
        continue
      }
      // Doubling keeps the search for the end of one huge document linear. The size of a whole file may be
      // known.
      let isWhole = source.format == .text && source.splitting == .file
      let wanted = isWhole ? input.bytesLeft.map { bytes.count + $0 + 1 } : nil
      bytes = try extended(
        bytes, to: min(wanted ?? max(2 * bytes.count, options.batchBytes), options.longestDocument + 1))
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
        let read = try input.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
        if read == 0 { isAtEnd = true }
        if endsLinesInCR {
          Self.replaceCarriageReturns(
            in: UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<(filled + read)]))
        }
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
    if let damage = input.file.damage {
      if options.isStrict {
        throw Failure(.badInput, damage.reason, file: damage.file, offset: damage.offset)
      }
      if counts.count(.inputsDamaged) + damageCount == 0 { counts.add(.inputsDamaged) }
      damageCount += 1
      counts.add(CountName(damage.kind.rawValue))
      let isResumed = try input.resume()
      if damageCount <= 5 {
        let rest =
          isResumed ? "Reading continues at byte \(input.file.unitOffset)" : "What came before it was read"
        warnings.append("\(damage). \(rest)")
      }
      if isResumed {
        isAtEnd = false
        notedOffset = min(notedOffset, input.file.offset)
        return
      }
    }
    if input.file.hasChanged {
      try report(.inputsChanged, line: nil, "the file changed while it was read")
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
