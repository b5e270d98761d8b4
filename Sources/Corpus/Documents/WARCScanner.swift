import Foundation
import Support

/// Finds the records in part of a WARC file. The caller extends the part until the records are whole.
///
/// `Content-Length` is trusted if another record or the end of the file follows at that offset, or the two line ends
/// that close a record. Otherwise the record ends before the next line `WARC/1.0` (of any version) that is followed by a
/// header field. Bytes that belong to no record are skipped.
struct WARCScanner {
  enum Step: Equatable {
    /// The bytes up to this offset contain only whole records, or nothing that belongs to a record.
    case cut(Int)
    /// This many bytes are needed to continue.
    case more(Int)
    /// Like `cut`, and the next `count` bytes of the file after `from` are not needed.
    case skip(from: Int, count: Int)
  }

  private(set) var records: [WARCRecord] = []
  /// The number of bytes between records other than line ends, and the offset of the first.
  private(set) var foreignBytes = 0
  private(set) var firstForeign: Int?

  private var position = 0
  private let longestDocument: Int

  /// Longer records are kept in memory only if they may be text.
  private static let longestUnread = 16 << 20
  private static let longestHeader = 1 << 20

  init(longestDocument: Int) { self.longestDocument = longestDocument }

  /// Continues the scan.
  ///
  /// `bytes` are the bytes of the last call and those that follow them. `bytesLeft` is the number of bytes
  /// that remain in the file, if known.
  mutating func advance(_ bytes: UnsafeRawBufferPointer, isAtEnd: Bool, bytesLeft: Int?) -> Step {
    while true {
      while position < bytes.count, bytes[position] == 0x0d || bytes[position] == 0x0a { position += 1 }
      let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
      if rest.isEmpty && isAtEnd { return .cut(bytes.count) }
      if rest.count < Self.lookahead && !isAtEnd { return incomplete(needs: position + (1 << 16)) }

      guard Self.isVersionLine(rest, at: 0) else {
        let next = Self.nextVersionLine(bytes, from: position) ?? (isAtEnd ? bytes.count : nil)
        guard let next = next ?? Self.endOfForeign(bytes, from: position) else {
          return incomplete(needs: 2 * bytes.count)
        }
        skip(upTo: next)
        continue
      }
      guard let headerLength = HeaderFields.length(of: rest), headerLength <= Self.longestHeader else {
        if !isAtEnd && rest.count <= Self.longestHeader { return incomplete(needs: bytes.count + (1 << 16)) }
        let next = Self.nextVersionLine(bytes, from: position + 5) ?? (isAtEnd ? bytes.count : nil)
        skip(upTo: next ?? Self.endOfForeign(bytes, from: position) ?? bytes.count)
        continue
      }
      let header = position..<(position + headerLength)
      let start = header.upperBound
      let length = Self.contentLength(UnsafeRawBufferPointer(rebasing: bytes[header]))
      // A length beyond the end of the file must be wrong.
      let isPossible = length.map { $0 <= bytes.count - start + (bytesLeft ?? .max / 2) } ?? false

      if let length, isPossible {
        let isTooLong = length > longestDocument
        if isTooLong || (length > Self.longestUnread && !Self.mayBeText(bytes[header])) {
          records.append(WARCRecord(header: header, content: start..<start, state: .skipped(length)))
          return .skip(from: start, count: length)
        }
        let end = start + length
        if end + Self.lookahead > bytes.count && !isAtEnd { return incomplete(needs: end + Self.lookahead) }
        if Self.isBoundary(bytes, at: end, after: header) {
          records.append(WARCRecord(header: header, content: start..<end, state: .whole))
          position = end
          continue
        }
      }
      // The length is unknown or wrong, so the next record ends this one.
      if let next = Self.nextVersionLine(bytes, from: start) {
        let end = Self.endOfContent(bytes, from: start, to: next)
        records.append(WARCRecord(header: header, content: start..<end, state: .measured))
        position = next
      } else if isAtEnd {
        let isCut = length.map { start + $0 > bytes.count } ?? false
        let end = isCut ? bytes.count : Self.endOfContent(bytes, from: start, to: bytes.count)
        records.append(
          WARCRecord(header: header, content: start..<end, state: isCut ? .truncated : .measured))
        position = bytes.count
      } else if bytes.count - start > longestDocument {
        // The next record may begin in the last bytes.
        let end = Self.endOfForeign(bytes, from: start) ?? bytes.count
        records.append(
          WARCRecord(header: header, content: start..<start, state: .skipped(bytes.count - start)))
        return .skip(from: start, count: end - start)
      } else {
        return incomplete(needs: 2 * bytes.count)
      }
    }
  }

  /// Returns the records found so far before asking for more bytes.
  private func incomplete(needs count: Int) -> Step { position > 0 ? .cut(position) : .more(count) }

  private mutating func skip(upTo end: Int) {
    let end = max(end, position + 1)
    firstForeign = firstForeign ?? position
    foreignBytes += end - position
    position = end
  }

  /// The end of the version, `WARC/1.0` or `WARC/0.18`, if it begins at an offset and a line end follows.
  private static func endOfVersion(_ bytes: UnsafeRawBufferPointer, at start: Int) -> Int? {
    let line = bytes[start...].prefix(longestVersion)
    guard line.starts(with: mark) else { return nil }
    let major = line.dropFirst(mark.count).prefix(while: isDigit)
    guard !major.isEmpty, line[major.endIndex...].first == 0x2e else { return nil }
    let minor = line[(major.endIndex + 1)...].prefix(while: isDigit)
    guard !minor.isEmpty, let end = line[minor.endIndex...].first, end == 0x0d || end == 0x0a else {
      return nil
    }
    return minor.endIndex
  }

  private static func isVersionLine(_ bytes: UnsafeRawBufferPointer, at start: Int) -> Bool {
    endOfVersion(bytes, at: start) != nil
  }

  private static let mark = Array("WARC/".utf8)
  private static let longestVersion = 16
  /// The bytes behind a record that decide whether it ends there.
  private static let lookahead = 32

  private static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

  /// The offset of the next line `WARC/1.0` that is followed by a header field.
  static func nextVersionLine(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
    var at = start
    while let found = ByteSearch.first(mark, in: bytes, from: at) {
      if found == 0 || bytes[found - 1] == 0x0a, let end = endOfVersion(bytes, at: found),
        isField(bytes, after: end)
      {
        return found
      }
      at = found + mark.count
    }
    return nil
  }

  /// Whether a line end and `Name:` follow.
  private static func isField(_ bytes: UnsafeRawBufferPointer, after lineEnd: Int) -> Bool {
    let line = bytes[lineEnd...].drop { $0 == 0x0d }.dropFirst().prefix(longestName)
    let name = line.prefix { $0 == 0x2d || isDigit($0) || ($0 | 0x20) &- 0x61 < 26 }
    return !name.isEmpty && name.endIndex < line.endIndex && line[name.endIndex] == 0x3a
  }

  private static let longestName = 64
  /// A foreign line of more bytes is skipped before its end is known.
  private static let longestForeignLine = 1 << 16

  /// An offset after `start` before which no record begins: that of the last line of which enough was read to tell
  /// whether it is a version line, or one within a long line. nil if more bytes are needed.
  static func endOfForeign(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
    let end = bytes.count - longestName - longestVersion
    guard end > start else { return nil }
    if let lineFeed = Bytes.lastIndex(of: 0x0a, in: bytes, before: end), lineFeed >= start {
      return lineFeed + 1
    }
    guard end - start > longestForeignLine else { return nil }
    // The bytes after this offset will look like the beginning of a line.
    return bytes[end...].starts(with: mark) ? end - 1 : end
  }

  /// Whether a record can end here: only line ends come before the next record or the end of the file, or the two line
  /// ends that close a record come before something else.
  ///
  /// In the latter case the content must not contain what looks like another record: then the length is wrong.
  private static func isBoundary(
    _ bytes: UnsafeRawBufferPointer, at end: Int, after header: Range<Int>
  ) -> Bool {
    guard end <= bytes.count else { return false }
    let rest = bytes[end...].prefix(lookahead)
    let next = rest.firstIndex { $0 != 0x0d && $0 != 0x0a } ?? rest.endIndex
    if next == bytes.count || isVersionLine(bytes, at: next) { return true }
    let closing: [UInt8] = bytes[header].suffix(2).first == 0x0d ? [0x0d, 0x0a, 0x0d, 0x0a] : [0x0a, 0x0a]
    let content = UnsafeRawBufferPointer(rebasing: bytes[..<end])
    return rest.starts(with: closing) && nextVersionLine(content, from: header.upperBound) == nil
  }

  /// The end of the content without the two line ends that follow it.
  private static func endOfContent(_ bytes: UnsafeRawBufferPointer, from start: Int, to next: Int) -> Int {
    var end = next
    for _ in 0..<2 where end > start && bytes[end - 1] == 0x0a {
      end -= 1
      if end > start && bytes[end - 1] == 0x0d { end -= 1 }
    }
    return end
  }

  private static func contentLength(_ header: UnsafeRawBufferPointer) -> Int? {
    guard let text = HeaderFields(header)?["content-length"], text.utf8.allSatisfy(isDigit) else {
      return nil
    }
    return Int(text)
  }

  private static func mayBeText(_ header: Slice<UnsafeRawBufferPointer>) -> Bool {
    let type = HeaderFields(UnsafeRawBufferPointer(rebasing: header))?["warc-type"]?.lowercased() ?? ""
    return ["conversion", "resource", "response"].contains(type)
  }
}
