import Foundation
import Support

/// Undoes the codings of an HTTP body (RFC 9110, section 8.4; RFC 9112, section 7).
///
/// Crawlers often store the decoded body below the original head. So a coding that does not fit the bytes was undone
/// before, and the bytes stay as they are. Where warcio and FastWARC agree, the result is theirs.
struct HTTPBody {
  /// What is wrong with a body; its text may be incomplete.
  enum Flaw: Hashable {
    /// The bytes end before a coding does.
    case truncated
    /// Bytes that a coding does not allow: what could be decoded is kept.
    case damaged
  }

  /// nil while the bytes are those of the record, without a copy.
  private(set) var decoded: [UInt8]?
  private(set) var flaws: Set<Flaw> = []
  /// Whether a coding did not fit, though nothing shows damage.
  private(set) var wasDecodedBefore = false
  /// Whether the text is longer than the limit.
  private(set) var isTooLong = false
  /// A coding that is not supported, of bytes that are no text.
  private(set) var unknownCoding: String?

  private let sizeLimit: Int
  private let file: String

  /// More codings than any server uses; the rest would only cost time.
  private static let mostCodings = 8

  /// `codings` are those of the head, the last applied one at the end. `isCut` says that the record is known to be
  /// incomplete. Throws only if memory runs out; `file` is for that message.
  init(
    _ bytes: UnsafeRawBufferPointer, codings: [String], isCut: Bool, sizeLimit: Int, file: String
  ) throws {
    (self.sizeLimit, self.file) = (sizeLimit, file)
    for coding in codings.reversed().prefix(Self.mostCodings) where !bytes.isEmpty {
      if let decoded {
        try decoded.withUnsafeBytes { try undo(coding, $0, isCut: isCut) }
      } else {
        try undo(coding, bytes, isCut: isCut)
      }
      if isTooLong || unknownCoding != nil { return }
    }
  }

  private mutating func undo(_ coding: String, _ bytes: UnsafeRawBufferPointer, isCut: Bool) throws {
    switch coding {
    case "identity", "none", "binary", "utf-8", "utf8": break
    case "chunked":
      let body = ChunkedBody(bytes, isCut: isCut)
      switch body.end {
      case .whole: break
      case .notChunked: wasDecodedBefore = true
      case .truncated: flaws.insert(.truncated)
      case .damaged: flaws.insert(.damaged)
      }
      if let joined = body.joined { decoded = joined }
    case "gzip", "x-gzip", "deflate", "br", "zstd": try decompress(bytes, coding)
    default:
      if Self.isText(bytes) { wasDecodedBefore = true } else { unknownCoding = coding }
    }
  }

  private mutating func decompress(_ bytes: UnsafeRawBufferPointer, _ coding: String) throws {
    let formats = Self.formats(of: bytes, coding)
    var partial: (result: Decompression.Result, format: Decompression.Format)?
    for format in formats {
      let result = try Decompression.decompress(bytes, format, sizeLimit: sizeLimit, file: file)
      if result.end == .tooLong {
        isTooLong = true
        return
      }
      if result.end == .complete && !(result.bytes.isEmpty && Self.isText(bytes)) {
        decoded = result.bytes
        return
      }
      // The first format that yields anything is the best guess.
      if partial == nil || partial!.result.bytes.isEmpty && !result.bytes.isEmpty {
        partial = (result, format)
      }
    }
    guard let (result, format) = partial, !Self.isText(bytes) else {
      // Another coding that is named too may fit these bytes.
      let isOther = formats.isEmpty && (bytes.starts(with: Self.gzip) || bytes.starts(with: Self.zstd))
      if Self.isText(bytes) || isOther { wasDecodedBefore = true } else { flaws.insert(.damaged) }
      return
    }
    flaws.insert(result.end == .truncated ? .truncated : .damaged)
    let isSure = format == .gzip || format == .zstd || (format == .zlib && result.end == .truncated)
    if isSure || !result.bytes.isEmpty || Self.hasControls(bytes) { decoded = result.bytes }
  }

  private static let gzip: [UInt8] = [0x1f, 0x8b]
  private static let zstd: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd]

  /// The formats that bytes of a coding may have, the most probable first; servers confuse gzip and deflate.
  private static func formats(of bytes: UnsafeRawBufferPointer, _ coding: String) -> [Decompression.Format] {
    let isGzip = bytes.starts(with: gzip)
    switch coding {
    case "br": return isGzip ? [] : [.brotli]
    case "zstd": return bytes.starts(with: zstd) ? [.zstd] : []
    default:
      if isGzip { return [.gzip] }
      // The method is deflate, and the first two bytes are a multiple of 31 (RFC 1950).
      let isZlib =
        bytes.count > 1 && bytes[0] & 0x0f == 8 && (Int(bytes[0]) << 8 + Int(bytes[1])) % 31 == 0
      return (isZlib ? [.zlib] : []) + (coding == "deflate" ? [.deflate] : [])
    }
  }

  /// Whether the bytes look like text in any character set, not like compressed data: these have a control character
  /// in every ten bytes.
  private static func isText(_ bytes: UnsafeRawBufferPointer) -> Bool {
    if let mark = CharsetDetection.byteOrderMark(bytes), mark.charset != .utf8 { return true }
    return !hasControls(bytes) && (bytes.count >= 64 || UTF8Repair.isValid(bytes))
  }

  private static func hasControls(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.prefix(1 << 12).contains { byte in
      byte == 0x7f || byte < 0x20 && !(0x09...0x0d).contains(byte) && byte != 0x1b
    }
  }
}
