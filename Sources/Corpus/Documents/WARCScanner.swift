import Foundation
import Support

/// Finds the records in part of a WARC file. The caller extends the part until the records are whole.
///
/// `Content-Length` is trusted if a record, or the end of the file, follows at that offset. Otherwise the
/// record ends before the next line `WARC/1.0` that is followed by a header field. Bytes that belong to no
/// record are skipped.
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
      if rest.count < 16 && !isAtEnd { return incomplete(needs: position + (1 << 16)) }

      guard Self.isVersionLine(rest, at: 0) else {
        let next = Self.nextVersionLine(bytes, from: position) ?? (isAtEnd ? bytes.count : nil)
        guard let next = next ?? Self.lastLine(bytes, from: position) else {
          return incomplete(needs: 2 * bytes.count)
        }
        skip(upTo: next)
        continue
      }
      guard let headerLength = HeaderFields.length(of: rest), headerLength <= Self.longestHeader else {
        if !isAtEnd && rest.count <= Self.longestHeader { return incomplete(needs: bytes.count + (1 << 16)) }
        skip(upTo: Self.nextVersionLine(bytes, from: position + 5) ?? bytes.count)
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
        if end + 16 > bytes.count && !isAtEnd { return incomplete(needs: end + 16) }
        switch Self.isBoundary(bytes, at: end, isAtEnd: isAtEnd) {
        case true?:
          records.append(WARCRecord(header: header, content: start..<end, state: .whole))
          position = end
          continue
        case nil: return incomplete(needs: bytes.count + 1024)
        case false?: break
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
        records.append(
          WARCRecord(header: header, content: start..<start, state: .skipped(bytes.count - start)))
        return .skip(from: start, count: bytes.count - start)
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

  private static func isVersionLine(_ bytes: UnsafeRawBufferPointer, at start: Int) -> Bool {
    guard start + 9 <= bytes.count else { return false }
    let line = bytes[start..<(start + 9)]
    return line.starts(with: Array("WARC/".utf8)) && isDigit(bytes[start + 5]) && bytes[start + 6] == 0x2e
      && isDigit(bytes[start + 7]) && (bytes[start + 8] == 0x0d || bytes[start + 8] == 0x0a)
  }

  private static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

  /// The offset of the next line `WARC/1.0` that is followed by a header field.
  private static func nextVersionLine(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
    let mark = Array("WARC/".utf8)
    var at = start
    while let found = ByteSearch.first(mark, in: bytes, from: at) {
      if found == 0 || bytes[found - 1] == 0x0a, isVersionLine(bytes, at: found),
        isField(bytes, after: found + 8)
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

  /// The start of the last line, after `start`, of which enough was read to tell whether it is a version
  /// line.
  private static func lastLine(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
    let end = bytes.count - longestName - 16
    guard end > start, let lineFeed = bytes[start..<end].lastIndex(of: 0x0a) else { return nil }
    return lineFeed + 1
  }

  /// Whether a record can end here: only line ends come before the next record or the end of the file.
  ///
  /// nil if more bytes are needed.
  private static func isBoundary(_ bytes: UnsafeRawBufferPointer, at end: Int, isAtEnd: Bool) -> Bool? {
    guard end <= bytes.count else { return false }
    let next = bytes[end...].firstIndex { $0 != 0x0d && $0 != 0x0a } ?? bytes.count
    if bytes.count - next < 9 && !isAtEnd { return nil }
    return next == bytes.count || isVersionLine(bytes, at: next)
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
