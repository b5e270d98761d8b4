import Foundation
import Support

/// The bytes of a file as UTF-8, or what should be it: parts that are ill-formed, or mean nothing in the file's
/// character set, are left in it (as 0xff) for the repair of each block.
final class DecodedInput {
  let file: InputFile
  /// Uncompressed bytes taken from the file so far.
  private(set) var taken = 0
  /// What the text is converted from; nil where it passes as it is.
  private(set) var charset: Charset?
  /// News: a byte order mark, the character set decided for.
  var counts = Summary()

  /// Bytes still to come where nothing is decompressed or converted; nil where that is not known.
  var bytesLeft: Int? { charset == nil ? file.plainBytesLeft.map { $0 + raw.count } : nil }

  private enum State {
    case passing
    /// Nothing but ASCII so far, and any other byte will decide.
    case undecided
    case converting(CharsetConverter)
  }

  private var state = State.passing
  /// Whether the first line was passed on undecided: then the text is not UTF-16 or UTF-32, whose line ends hold zeros.
  private var hasPassedLine = false
  /// Read and not yet passed on or converted.
  private var raw: [UInt8] = []
  private var converted: [UInt8] = []
  private var convertedStart = 0
  private var isAtEnd = false

  /// `isRecords` says that the file holds records with character sets of their own: bytes pass as they are.
  init(_ file: InputFile, encoding: TextEncoding, isRecords: (UnsafeRawBufferPointer) -> Bool) throws {
    self.file = file
    // No more than needed: whoever types waits for an answer to the first line.
    while raw.count < 5 && !isAtEnd && Self.mayBeMark(raw) { try fillRaw(atLeast: raw.count + 1) }
    let (isWARC, mark) = raw.withUnsafeBytes { (isRecords($0), CharsetDetection.byteOrderMark($0)) }
    if isWARC { return }
    switch encoding {
    case .named(let charset):
      // A byte order mark in the converted text is dropped by whoever reads it.
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

  /// To be called when the file has ended, once.
  func finish() {
    if case .undecided = state, taken > 0 { counts.add(Charset.utf8.countName) }
  }

  /// The next bytes, 0 at the end of the file or of its part before a damage.
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

  /// Goes on behind a damage of the file.
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

  /// Reads on until `raw` holds that many bytes or the file ends.
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
