import Foundation

/// A body of chunks (RFC 9112, section 7.1): each a line with its size, the bytes, and a line end.
///
/// Bytes that do not begin with a chunk were joined before and count as no chunks. Bytes behind a broken chunk are
/// appended as they are, so no text is lost.
struct ChunkedBody {
  enum End {
    case whole
    /// The bytes do not begin with a chunk.
    case notChunked
    /// The last chunk is incomplete or missing.
    case truncated
    /// A size is wrong or illegible, or other bytes follow the last chunk and are left out.
    case damaged
  }

  /// nil if the bytes stay as they are.
  private(set) var joined: [UInt8]?
  private(set) var end = End.truncated

  /// The most bytes of a line with a size and its extensions.
  private static let longestLine = 1 << 12

  private let bytes: UnsafeRawBufferPointer

  /// `isCut` says that the record is known to be incomplete: then a first chunk may be longer than the bytes.
  init(_ bytes: UnsafeRawBufferPointer, isCut: Bool) {
    self.bytes = bytes
    guard let first = sizeLine(at: 0) else {
      end = .notChunked
      return
    }
    guard fits(first) || isCut && first.size > bytes.count - first.end else {
      end = .damaged
      return
    }
    join(first)
  }

  private typealias SizeLine = (size: Int, end: Int)

  /// The line at an offset if it is a size, perhaps with extensions, and a line end.
  private func sizeLine(at start: Int) -> SizeLine? {
    let line = bytes[start...].prefix(Self.longestLine)
    guard let lineFeed = line.firstIndex(of: 0x0a), lineFeed > start, bytes[lineFeed - 1] == 0x0d else {
      return nil
    }
    let text = String(decoding: bytes[start..<(lineFeed - 1)].prefix { $0 != 0x3b }, as: UTF8.self)
    guard let size = Int(text.trimmingCharacters(in: .whitespaces), radix: 16), size >= 0 else { return nil }
    return (size, lineFeed + 1)
  }

  /// Whether the chunk is whole; the very last one has no bytes, and its line may be the last.
  private func fits(_ line: SizeLine) -> Bool {
    if line.size == 0 { return trailerEnd(from: line.end) == bytes.count }
    let left = bytes.count - line.end
    return line.size == left || line.size < left && lineEnd(at: line.end + line.size) != nil
  }

  /// The offset after CR LF, or after the end of the bytes within it.
  private func lineEnd(at start: Int) -> Int? {
    let rest = bytes[start...].prefix(2)
    return rest.elementsEqual([0x0d, 0x0a].prefix(rest.count)) ? start + rest.count : nil
  }

  private mutating func join(_ first: SizeLine) {
    var joined: [UInt8] = []
    joined.reserveCapacity(bytes.count)
    defer { self.joined = joined }
    var (at, line) = (0, Optional(first))
    while let (size, start) = line {
      if size == 0 {
        if let trailer = trailerEnd(from: start) {
          end = trailer == bytes.count ? .whole : .damaged
          return
        }
        break
      }
      let data = bytes[start...].prefix(size)
      if data.count == size, lineEnd(at: start + size) == nil { break }
      joined += data
      at = min(bytes.count, start + min(size, bytes.count - start) + 2)
      if at == bytes.count { return }
      line = sizeLine(at: at)
    }
    // A last chunk without its line end loses nothing.
    let rest = bytes[at...]
    if rest.elementsEqual([0x30]) || rest.elementsEqual([0x30, 0x0d]) {
      end = .whole
      return
    }
    joined += rest
    let isCutSize =
      rest.count <= 18 && rest.allSatisfy { Character(UnicodeScalar($0)).isHexDigit || $0 == 0x0d }
    end = isCutSize ? .truncated : .damaged
  }

  /// The end of the fields after the last chunk and of the empty line after them; nil if something else follows.
  private func trailerEnd(from start: Int) -> Int? {
    var at = start
    while at < bytes.count {
      if let end = lineEnd(at: at) { return end }
      let line = bytes[at...].prefix(Self.longestLine).prefix { $0 != 0x0a }
      guard let colon = line.firstIndex(of: 0x3a), colon > at,
        line[..<colon].allSatisfy({ $0 > 0x20 && $0 < 0x7f })
      else { return nil }
      at = min(bytes.count, line.endIndex + 1)
    }
    return at
  }
}
