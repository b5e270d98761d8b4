import Foundation
import Support

/// Reads a file and converts it to UTF-8.
///
/// Ill-formed UTF-8 is passed on as it is, and byte sequences that are invalid in the file's character set
/// become 0xff. ``DocumentBlock/documents()`` repairs both.
final class DecodedInput {
  let file: InputFile
  /// Uncompressed bytes read from the file so far.
  private(set) var taken = 0
  /// The character set that the text is converted from; nil while the bytes are passed on unchanged.
  private(set) var charset: Charset?
  /// Counts: a removed byte order mark, the detected character set.
  var counts = Summary()

  /// The number of bytes still to come; nil if unknown because the file is compressed or converted.
  var bytesLeft: Int? { charset == nil ? file.plainBytesLeft.map { $0 + raw.count } : nil }

  private enum State {
    case passing
    /// Only ASCII so far. The first other byte starts the detection.
    case undecided
    case converting(CharsetConverter)
  }

  private var state = State.passing
  /// Whether a first line of ASCII was already passed on. Then the text is not UTF-16 or UTF-32, whose line
  /// ends contain zeros.
  private var hasPassedLine = false
  /// Bytes read from the file and not yet passed on or converted.
  private var raw: [UInt8] = []
  private var converted: [UInt8] = []
  private var convertedStart = 0
  private var isAtEnd = false

  /// If `isRecords` returns true for the first bytes, the file consists of records with character sets of
  /// their own, and its bytes are passed on unchanged.
  init(_ file: InputFile, encoding: TextEncoding, isRecords: (UnsafeRawBufferPointer) -> Bool) throws {
    self.file = file
    // Read no more than needed: a user who types the input expects an answer to the first line.
    while raw.count < 5 && !isAtEnd && Self.mayBeMark(raw) { try fillRaw(atLeast: raw.count + 1) }
    let (isWARC, mark) = raw.withUnsafeBytes { (isRecords($0), CharsetDetection.byteOrderMark($0)) }
    if isWARC { return }
    switch encoding {
    case .named(let charset):
      // The caller drops a byte order mark at the start of the converted text.
      if charset != .utf8 { convert(from: charset) }
    case .utf8, .automatic:
      if let mark {
        if mark.charset != .utf8 {
          raw.removeFirst(mark.length)
          counts.add(.bomRemoved)
          convert(from: mark.charset)
        }
        if mark.charset != .utf8 || encoding == .automatic { counts.add(mark.charset.countName) }
      } else if encoding == .automatic {
        state = .undecided
      }
    }
  }

  /// Whether the bytes are the beginning of `WARC/` or of a byte order mark.
  private static func mayBeMark(_ bytes: [UInt8]) -> Bool {
    guard let first = bytes.first else { return true }
    return first >= 0xef || first == 0 || Array("WARC/".utf8).starts(with: bytes)
  }

  private func convert(from charset: Charset) {
    self.charset = charset
    state = .converting(CharsetConverter(charset))
  }

  /// Call this once, at the end of the file.
  func finish() {
    if case .undecided = state, taken > 0 { counts.add(Charset.utf8.countName) }
  }

  /// Reads the next bytes. Returns 0 at the end of the file or at the point where it is damaged.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    while true {
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
          return passRaw(upTo: plain, into: buffer)
        } else {
          try fillRaw(atLeast: raw.count + 1)
        }
      case .converting(let converter):
        if convertedStart < converted.count {
          let count = min(buffer.count, converted.count - convertedStart)
          _ = converted.withUnsafeBytes {
            memcpy(buffer.baseAddress!, $0.baseAddress! + convertedStart, count)
          }
          convertedStart += count
          return count
        }
        if raw.isEmpty && isAtEnd { return 0 }
        try fillRaw(atLeast: 1)
        converted.removeAll(keepingCapacity: true)
        convertedStart = 0
        raw.withUnsafeBytes { converter.convert($0, isLast: isAtEnd, into: &converted) }
        raw.removeAll(keepingCapacity: true)
        if converted.isEmpty && isAtEnd { return 0 }
      }
    }
  }

  /// Continues after the damaged part of the file. Returns false if that is not possible.
  func resume() throws -> Bool {
    isAtEnd = false
    return try file.resume()
  }

  private func decide() throws {
    try fillRaw(atLeast: CharsetDetection.sampleBytes)
    let charset = raw.withUnsafeBytes {
      CharsetDetection.detect($0, isWhole: isAtEnd, mayBeWide: !hasPassedLine)
    }
    counts.add(charset.countName)
    if charset == .utf8 { state = .passing } else { convert(from: charset) }
  }

  private func passRaw(upTo limit: Int, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    let count = min(limit, buffer.count)
    _ = raw.withUnsafeBytes { memcpy(buffer.baseAddress!, $0.baseAddress!, count) }
    if count == raw.count { raw.removeAll(keepingCapacity: true) } else { raw.removeFirst(count) }
    return count
  }

  /// Reads until `raw` holds at least `count` bytes or the file ends.
  private func fillRaw(atLeast count: Int) throws {
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
