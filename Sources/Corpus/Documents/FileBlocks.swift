import CSimdjson
import Foundation
import Support

/// One file cut into blocks of whole documents, in order.
///
/// Used by one thread at a time; several files can be read at once.
package final class FileBlocks {
  private let path: String
  private let options: ReaderOptions
  private let input: DecodedInput
  private let note: (Int) -> Void
  private var source: DocumentSource
  /// Read and not yet part of a block.
  private var rest: [UInt8] = []
  /// Bytes of the file that come next and are not wanted.
  private var unwanted = 0
  private var line = 1
  private var counts = Summary()
  private var warnings: [String] = []
  /// The file has ended, or its part before a damage.
  private var isAtEnd = false
  private var isDone = false
  /// Reading stopped because a pipe is silent.
  private var isPaused = false
  private var notedOffset = 0
  private var takenByBlocks = 0

  /// Milliseconds without input after which a pipe's documents go on although a batch is not full.
  private static let patience: Int32 = 50

  /// `note` is told how many bytes on disk were taken, each time some were.
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
  }

  package var format: DocumentFormat { source.format }

  /// Whatever the format is, the lines are the documents; to be called before the first block is taken.
  func takeAsLines() {
    source = DocumentSource(index: source.index, path: path, format: .text, splitting: .line)
  }

  private func beginsAsJSONLines() throws -> Bool {
    guard let start = rest.firstIndex(where: { $0 != 0x20 && ($0 < 0x09 || $0 > 0x0d) }),
      rest[start] == UInt8(ascii: "{")
    else { return false }
    while true {
      let line = rest[start...].prefix { $0 != UInt8(ascii: "\n") }
      if line.endIndex < rest.count || isAtEnd || line.count > options.longestDocument {
        let range = start..<line.endIndex
        rest.append(contentsOf: repeatElement(0x20, count: pkm_json_padding()))
        defer {
          rest.removeLast(pkm_json_padding())
          if range.count > DocumentBlock.longLine { pkm_json_forget() }
        }
        return rest.withUnsafeBufferPointer {
          UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer($0)[range]).withMemoryRebound(
            to: CChar.self
          ) {
            pkm_json_is_object($0.baseAddress, range.count)
          }
        }
      }
      rest = try extended(rest, to: 2 * rest.count)
    }
  }

  /// The next part of the file that holds whole documents, nil after the last.
  package func next() throws -> DocumentBlock? {
    while !isDone {
      if unwanted > 0 { try skipUnwanted() }
      var bytes = rest
      rest = []
      // What a silent pipe has given is looked at before more is waited for.
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
      if isAtEnd && rest.isEmpty && unwanted == 0 { try endPart() }
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

  /// Reads on until the bytes can be cut behind a document, and returns where.
  private func cutDocuments(_ bytes: inout [UInt8]) throws -> Int {
    while true {
      if isAtEnd { return bytes.count }
      if let cut = bytes.withUnsafeBytes({ DocumentBlock.cut($0, source: source) }) { return cut }
      if bytes.count > options.longestDocument {
        try skipDocument(&bytes)
        continue
      }
      // Doubling keeps the search for a cut in one huge document linear; of a whole file the size may be known.
      let isWhole = source.format == .text && source.splitting == .file
      let wanted = isWhole ? input.bytesLeft.map { bytes.count + $0 + 1 } : nil
      bytes = try extended(
        bytes, to: min(wanted ?? max(2 * bytes.count, options.batchBytes), options.longestDocument + 1))
    }
  }

  /// Passes over the document that `bytes` begin with, which is too long, and reads what follows it.
  private func skipDocument(_ bytes: inout [UInt8]) throws {
    let start = line
    while true {
      let end = bytes.withUnsafeBytes { DocumentBlock.firstCut($0, source: source) }
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

  private func scanRecords(_ bytes: inout [UInt8], _ records: inout [WARCRecord]) throws -> Int {
    var scanner = WARCScanner(longestDocument: options.longestDocument)
    var length: Int?
    while length == nil {
      let left = input.bytesLeft
      let step = bytes.withUnsafeBytes { scanner.advance($0, isAtEnd: isAtEnd, bytesLeft: left) }
      switch step {
      case .cut(let end): length = end
      case .more(let count): bytes = try extended(bytes, to: count)
      case .skip(let from, let count): (length, unwanted) = (from, count)
      }
    }
    records = scanner.records
    if let first = scanner.firstForeign {
      let before = bytes.withUnsafeBytes {
        Bytes.count(of: 0x0a, in: UnsafeRawBufferPointer(rebasing: $0[..<first]))
      }
      try report(
        .warcBytesSkipped, scanner.foreignBytes, line: line + before,
        "\(scanner.foreignBytes) bytes that belong to no WARC record, skipped")
    }
    return length!
  }

  /// Lets the content of a long record pass.
  ///
  /// When a new gzip member begins with a record before that, the record's length was wrong.
  private func skipUnwanted() throws {
    let start = line
    var chunk = rest
    rest = []
    while true {
      if chunk.count >= unwanted {
        line += chunk.withUnsafeBytes {
          Bytes.count(of: 0x0a, in: UnsafeRawBufferPointer(rebasing: $0[..<unwanted]))
        }
        rest = Array(chunk[unwanted...])
        unwanted = 0
        return
      }
      line += chunk.withUnsafeBytes { Bytes.count(of: 0x0a, in: $0) }
      unwanted -= chunk.count
      if isAtEnd { break }
      let isAfterMember = !input.file.isInsideUnit
      chunk = try [UInt8](unsafeUninitializedCapacity: options.batchBytes) { buffer, count in
        count = try input.read(into: UnsafeMutableRawBufferPointer(buffer))
      }
      if chunk.isEmpty { isAtEnd = true }
      noteProgress()
      if isAfterMember && chunk.starts(with: Array("WARC/".utf8)) {
        rest = chunk
        break
      }
    }
    try report(.warcRecordsTruncated, line: start, "the record ends \(unwanted) bytes early")
    unwanted = 0
  }

  /// `bytes` and as many more as make `count`: fewer at the end of the part or, with documents in hand, when a pipe is
  /// silent.
  private func extended(_ bytes: [UInt8], to count: Int) throws -> [UInt8] {
    // JSON lines get room for their decoded texts behind them, and short ones for what is made of these, so that they are
    // not moved once more. What is not used costs no memory.
    let copies = source.format != .jsonl ? 0 : count > DocumentBlock.longLine ? 1 : 2
    let capacity = count + pkm_json_padding() + copies * count
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
        filled += read
      }
      noteProgress()
    }
  }

  private func noteProgress() {
    note(input.file.offset - notedOffset)
    notedOffset = input.file.offset
  }

  /// States what was lost, and goes on behind it where that is possible.
  private func endPart() throws {
    if let damage = input.file.damage {
      if options.isStrict {
        throw Failure(.badInput, damage.reason, file: damage.file, offset: damage.offset)
      }
      if counts.count(.inputsDamaged) + damagesNoted == 0 { counts.add(.inputsDamaged) }
      damagesNoted += 1
      counts.add(CountName(damage.kind.rawValue))
      let isResumed = try input.resume()
      if damagesNoted <= 5 {
        let rest =
          isResumed ? "Reading goes on at byte \(input.file.unitOffset)" : "What came before it was read"
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

  private var damagesNoted = 0

  private func report(_ name: CountName, _ count: Int = 1, line: Int?, _ message: String) throws {
    if options.isStrict {
      throw Failure(.badInput, message, file: path, line: line, remedy: Failure.strictRemedy)
    }
    counts.add(name, count)
    warnings.append(Failure(.badInput, message, file: path, line: line).description)
  }
}

extension Failure {
  static let strictRemedy = "Without --strict the run would go on"
}
