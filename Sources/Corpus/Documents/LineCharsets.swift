import Support

/// Converts lines to UTF-8 that are not all in one character set.
///
/// A line in UTF-8 stays as it is, also with a small share of ill-formed bytes. Any other line is in the
/// character set of the file or, where each line is a document, in one that is detected: from the line itself if it
/// has enough letters outside ASCII, otherwise from the first lines that are not UTF-8.
final class LineCharsets {
  /// The converted lines by character set, if each line is a document.
  private(set) var counts = Summary()
  /// The character set of the whole file, if it was decided on.
  private let file: Charset?
  /// The character set of the first lines that were not UTF-8.
  private var usual: Charset?

  /// A line with so many bytes outside ASCII is enough for a detection of its own.
  private static let enough = 64

  init(file: Charset?) { self.file = file }

  /// Appends the text of whole lines.
  func decode(_ bytes: UnsafeRawBufferPointer, into text: inout [UInt8]) throws {
    if (file == nil || !file!.isMultibyte) && UTF8Repair.isValid(bytes) {
      text.append(contentsOf: bytes)
      if file == nil && !isCounted { counts.add(Charset.utf8.countName) }
      isCounted = true
      return
    }
    if file == nil && usual == nil { usual = try usualCharset(of: bytes) }
    // Neighbors in one character set are converted at once.
    var run = 0..<0
    var charset: Charset?
    func convertRun() throws {
      let part = UnsafeRawBufferPointer(rebasing: bytes[run])
      if let charset { text += try charset.decode(part) } else { text.append(contentsOf: part) }
    }
    try forEachLine(of: bytes) { range in
      let line = UnsafeRawBufferPointer(rebasing: bytes[range])
      if line.allSatisfy({ $0 < 0x80 }) {
        run = run.lowerBound..<range.upperBound
        return
      }
      let found = try self.charset(of: line)
      if file == nil { counts.add((found ?? .utf8).countName) }
      isCounted = true
      if found != charset {
        try convertRun()
        run = range
        charset = found
      }
      run = run.lowerBound..<range.upperBound
    }
    try convertRun()
  }

  /// Whether a line was counted, or all of them as one where all are UTF-8.
  private var isCounted = false

  /// Where a line that is too long to be kept may be cut: after the last ASCII byte.
  func cut(_ bytes: [UInt8]) -> Int { bytes.lastIndex { $0 <= 0x20 }.map { $0 + 1 } ?? bytes.count }

  /// nil for UTF-8.
  private func charset(of line: UnsafeRawBufferPointer) throws -> Charset? {
    if let file {
      // Short text in a multi-byte set can look like UTF-8.
      let (weight, illFormed) = UTF8Repair.measure(line, isWhole: true)
      let isUTF8 =
        illFormed == 0 ? weight >= (file.isMultibyte ? 4 : 1) : weight >= 8 && weight >= 8 * illFormed
      return isUTF8 ? nil : file
    }
    if UTF8Repair.isValid(line) || CharsetDetection.isMostlyUTF8(line) { return nil }
    if line.count(where: { $0 >= 0x80 }) >= Self.enough || usual == nil {
      return Self.legacy(try CharsetDetection.detect(line, isWhole: true, mayBeWide: false))
    }
    return usual
  }

  private static func legacy(_ charset: Charset) -> Charset? {
    charset == .utf8 || !charset.keepsLines ? nil : charset
  }

  /// The character set of all lines together that are not UTF-8.
  private func usualCharset(of bytes: UnsafeRawBufferPointer) throws -> Charset? {
    var foreign: [UInt8] = []
    forEachLine(of: bytes) { range in
      let line = UnsafeRawBufferPointer(rebasing: bytes[range])
      if foreign.count < CharsetDetection.sampleBytes && !UTF8Repair.isValid(line)
        && !CharsetDetection.isMostlyUTF8(line)
      {
        foreign.append(contentsOf: line)
      }
    }
    if foreign.isEmpty { return nil }
    return try foreign.withUnsafeBytes {
      Self.legacy(try CharsetDetection.detect($0, isWhole: true, mayBeWide: false))
    }
  }

  private func forEachLine(of bytes: UnsafeRawBufferPointer, _ body: (Range<Int>) throws -> Void) rethrows {
    var start = 0
    while start < bytes.count {
      let end = bytes[start...].firstIndex(of: 0x0a).map { $0 + 1 } ?? bytes.count
      try body(start..<end)
      start = end
    }
  }
}
