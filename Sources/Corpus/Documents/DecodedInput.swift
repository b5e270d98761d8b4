import Foundation
import Parquet
import Support

/// Reads a file and converts it to UTF-8.
///
/// Ill-formed UTF-8 is passed on as it is, and byte sequences that are invalid in the file's character set
/// become 0xff. ``DocumentBlock/documents()`` repairs both.
///
/// Detection looks at the first 64 KB from the first byte that is not ASCII. Where it finds a legacy character set,
/// lines in UTF-8 are passed on all the same. JSON lines are detected one by one: see ``LineCharsets``.
final class DecodedInput {
  let file: InputFile
  /// What the file is if its bytes are no text.
  private(set) var foreign: FileFormat?
  /// Uncompressed bytes read from the file so far.
  private(set) var taken = 0
  /// The character set that the text is converted from; nil while the bytes are passed on unchanged.
  private(set) var charset: Charset?
  /// Counts: a removed byte order mark, the detected character set.
  var counts = Summary()

  /// The number of bytes still to come; nil if unknown because the file is compressed or converted.
  var bytesLeft: Int? {
    if case .passing = state { return file.plainBytesLeft.map { $0 + raw.count } }
    return nil
  }

  private enum State {
    case passing
    /// Only ASCII so far. The first other byte starts the detection.
    case undecided
    case converting(CharsetConverter)
    case lines(LineCharsets)
  }

  private var state = State.passing
  /// Whether every line is a document, whose character set is detected by itself.
  private let linesAreDocuments: Bool
  /// Whether a first line of ASCII was already passed on. Then the text is not UTF-16 or UTF-32, whose line
  /// ends contain zeros.
  private var hasPassedLine = false
  /// Bytes read from the file and not yet passed on or converted.
  private var raw: [UInt8] = []
  /// The rows of a Parquet file, which are read instead of its bytes.
  private var records: RecordLines?
  private var converted: [UInt8] = []
  private var convertedStart = 0
  private var isAtEnd = false

  /// `format` is the format that the user or the file name states; nil if the first bytes decide.
  ///
  /// Records of WARC have character sets of their own, so that the bytes of such a file are passed on unchanged.
  init(_ file: InputFile, format: DocumentFormat?, options: ReaderOptions) throws {
    self.file = file
    var isAtEnd = false
    var raw: [UInt8] = []
    var taken = 0
    // Read no more than needed: a user who types the input expects an answer to the first line.
    while !isAtEnd
      && (raw.isEmpty || raw.count < 5 && Self.mayBeMark(raw)
        || raw.withUnsafeBytes({ FileFormat.mayContinue($0) }))
    {
      try Self.fill(&raw, atLeast: raw.count + 1, from: file, &isAtEnd, &taken)
    }
    (self.raw, self.isAtEnd, self.taken) = (raw, isAtEnd, taken)
    let first = raw.first { !Bytes.isWhiteOrMark($0) }
    linesAreDocuments = format == .jsonl || format == nil && first == UInt8(ascii: "{")
    let isWARC = raw.starts(with: Array("WARC/".utf8))
    let mark = raw.withUnsafeBytes { CharsetDetection.byteOrderMark($0) }
    foreign = try raw.withUnsafeBytes { bytes in
      if let found = FileFormat.recognize(bytes), !found.isGuess || options.format == nil { return found }
      let isStated = options.format != nil || format == .warc || isWARC || mark != nil
      return try isStated ? nil : FileFormat.binary(bytes, encoding: options.encoding)
    }
    if foreign?.isParquet == true && options.format == nil { try openRecords(options) }
    if foreign != nil || records != nil || format == .warc || options.format == nil && isWARC { return }
    // As in the Encoding Standard, a mark overrules the name.
    if let mark, mark.charset != .utf8 {
      self.raw.removeFirst(mark.length)
      counts.add(.bomRemoved)
      counts.add(mark.charset.countName)
      try convert(from: mark.charset)
    } else if mark != nil {
      if options.encoding == .automatic { counts.add(Charset.utf8.countName) }
    } else {
      switch options.encoding {
      case .named(let charset): if charset != .utf8 { try convert(from: charset) }
      case .automatic: state = .undecided
      case .utf8: break
      }
    }
  }

  /// Whether the input is read as JSON lines, whatever its bytes are.
  var holdsRecords: Bool { records != nil }

  private func openRecords(_ options: ReaderOptions) throws {
    if file.size == nil || !file.isPlain {
      foreign = file.size == nil ? .pipedParquet : .compressedParquet
      return
    }
    do {
      records = try RecordLines(file, options: options)
      foreign = nil
      taken = 0
    } catch let error as ParquetError {
      foreign = .parquet(error)
    }
  }

  /// What stopped the reading before the end.
  var damage: Damage? { records?.damage ?? file.damage }

  /// Where reading goes on after damage, for messages.
  var resumedPlace: String {
    records == nil ? "at byte \(file.unitOffset)" : "with the next row group"
  }

  /// The rows before the next one; nil where the input has no rows.
  var rowsPassed: Int? { records?.rowsPassed }

  /// Whether the bytes are the beginning of `WARC/` or of a byte order mark.
  private static func mayBeMark(_ bytes: [UInt8]) -> Bool {
    guard let first = bytes.first else { return true }
    return first >= 0xef || first == 0 || Array("WARC/".utf8).starts(with: bytes)
  }

  private func convert(from charset: Charset) throws {
    self.charset = charset
    state = .converting(try CharsetConverter(charset))
  }

  /// Call this once, at the end of the file.
  func finish() {
    switch state {
    case .undecided: if taken > 0 { counts.add(Charset.utf8.countName) }
    case .lines(let lines): counts.merge(lines.counts)
    case .passing, .converting: break
    }
  }

  /// Reads the next bytes. Returns 0 at the end of the file or at the point where it is damaged.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    if let records {
      let count = try records.read(into: buffer)
      taken += count
      return count
    }
    while true {
      if convertedStart < converted.count {
        let count = min(buffer.count, converted.count - convertedStart)
        _ = converted.withUnsafeBytes {
          memcpy(buffer.baseAddress!, $0.baseAddress! + convertedStart, count)
        }
        convertedStart += count
        return count
      }
      switch state {
      case .passing:
        if !raw.isEmpty { return passRaw(upTo: raw.count, into: buffer) }
        let count = try file.readSome(into: buffer)
        taken += count
        return count
      case .undecided:
        try fillRaw(atLeast: 1)
        if raw.isEmpty { return 0 }
        let plain = raw.withUnsafeBytes { CharsetDetection.endOfASCII($0) }
        if plain < raw.count && (plain == 0 || !hasPassedLine) {
          try decide()
        } else if hasPassedLine || isAtEnd || raw.contains(0x0a) {
          hasPassedLine = true
          return passRaw(upTo: linesAreDocuments ? endOfLines(before: plain) : plain, into: buffer)
        } else {
          try fillRaw(atLeast: raw.count + 1)
        }
      case .converting(let converter):
        if raw.isEmpty && isAtEnd { return 0 }
        try fillRaw(atLeast: 1)
        converted.removeAll(keepingCapacity: true)
        convertedStart = 0
        raw.withUnsafeBytes { converter.convert($0, isLast: isAtEnd, into: &converted) }
        raw.removeAll(keepingCapacity: true)
        if converted.isEmpty && isAtEnd { return 0 }
      case .lines(let lines):
        if raw.isEmpty && isAtEnd { return 0 }
        try fillRaw(atLeast: 1)
        // Whole lines, unless one is longer than a document that is detected at once needs to be.
        var end = raw.lastIndex(of: 0x0a).map { $0 + 1 }
        while end == nil && !isAtEnd && raw.count < Self.longestLine {
          let seen = raw.count
          try fillRaw(atLeast: seen + 1)
          end = raw[seen...].lastIndex(of: 0x0a).map { $0 + 1 }
        }
        let count = isAtEnd ? raw.count : end ?? lines.cut(raw)
        converted.removeAll(keepingCapacity: true)
        convertedStart = 0
        try raw.withUnsafeBytes {
          try lines.decode(UnsafeRawBufferPointer(rebasing: $0[..<count]), into: &converted)
        }
        raw.removeFirst(count)
        if converted.isEmpty && isAtEnd { return 0 }
      }
    }
  }

  /// A line that is longer is converted in parts of this size.
  private static let longestLine = 8 << 20

  /// The end of the last line before `end`; `end` itself where that would be 0.
  private func endOfLines(before end: Int) -> Int {
    if end == raw.count { return end }
    return raw[..<end].lastIndex(of: 0x0a).map { $0 + 1 } ?? end
  }

  /// Continues after the damaged part of the file. Returns false if that is not possible.
  func resume() throws -> Bool {
    if let records {
      records.resume()
      return true
    }
    isAtEnd = false
    return try file.resume()
  }

  private func decide() throws {
    try fillRaw(atLeast: CharsetDetection.sampleBytes)
    if linesAreDocuments,
      try raw.withUnsafeBytes({ try CharsetDetection.keepsLines($0, mayBeWide: !hasPassedLine) })
    {
      state = .lines(LineCharsets(file: nil))
      return
    }
    let charset = try raw.withUnsafeBytes {
      try CharsetDetection.detect($0, isWhole: isAtEnd, mayBeWide: !hasPassedLine)
    }
    counts.add(charset.countName)
    if charset == .utf8 {
      state = .passing
    } else if charset.keepsLines {
      self.charset = charset
      state = .lines(LineCharsets(file: charset))
    } else {
      try convert(from: charset)
    }
  }

  private func passRaw(upTo limit: Int, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    let count = min(limit, buffer.count)
    _ = raw.withUnsafeBytes { memcpy(buffer.baseAddress!, $0.baseAddress!, count) }
    if count == raw.count { raw.removeAll(keepingCapacity: true) } else { raw.removeFirst(count) }
    return count
  }

  /// Reads until `raw` holds at least `count` bytes or the file ends.
  private func fillRaw(atLeast count: Int) throws {
    try Self.fill(&raw, atLeast: count, from: file, &isAtEnd, &taken)
  }

  private static func fill(
    _ raw: inout [UInt8], atLeast count: Int, from file: InputFile, _ isAtEnd: inout Bool, _ taken: inout Int
  ) throws {
    try withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 64) { scratch in
      while raw.count < count && !isAtEnd {
        let read = try file.readSome(into: scratch)
        if read == 0 { isAtEnd = true }
        taken += read
        raw.append(contentsOf: scratch[..<read])
      }
    }
  }
}
