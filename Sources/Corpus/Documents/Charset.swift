import CICU
import Foundation
import Support

/// A character set that text may be written in, by the name that MIME prefers, in small letters: `windows-1252`.
package struct Charset: Sendable, Hashable {
  package let name: String

  static let utf8 = Charset(standardName: "utf-8")

  private init(standardName: String) { name = standardName }

  /// nil where ICU knows no character set of that name.
  package init?(_ name: String) {
    guard !name.isEmpty, name.utf8.count < 64, let standard = pkm_charset_name(name),
      let converter = pkm_charset_open(name)
    else { return nil }
    pkm_charset_close(converter)
    self.name = String(cString: standard).lowercased()
  }

  /// The names of all character sets that can be read, sorted.
  package static var names: [String] {
    let names = (0..<pkm_charset_count()).compactMap {
      pkm_charset_at($0).map { String(cString: $0).lowercased() }
    }
    return Set(names).sorted()
  }

  /// `charset_windows_1252`, under which texts in it are counted.
  var countName: String {
    "charset_" + String(name.map { $0.isLetter || $0.isNumber ? $0 : "_" })
  }

  /// The larger set in which text declared or detected as this one is commonly written (WHATWG, Encoding Standard,
  /// section 4.2): people say ISO-8859-1 and mean windows-1252.
  var superset: Charset {
    let larger =
      switch name {
      case "us-ascii", "iso-8859-1": "windows-1252"
      case "iso-8859-9": "windows-1254"
      case "iso-8859-11", "tis-620": "windows-874"
      case "gb2312", "gbk": "gb18030"
      case "euc-kr", "ks_c_5601-1987": "windows-949"
      case "shift_jis": "windows-31j"
      case "iso-8859-8-i": "iso-8859-8"
      default: name
      }
    return Charset(larger) ?? self
  }

  /// Valid UTF-8 but for one byte 0xff for each sequence that means nothing.
  func decode(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
    let converter = CharsetConverter(self)
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count + bytes.count / 2 + 256)
    converter.convert(bytes, isLast: true, into: &text)
    return text
  }
}

/// A stream of bytes in some character set on its way to UTF-8.
final class CharsetConverter {
  private let converter: OpaquePointer

  init(_ charset: Charset) { converter = pkm_charset_open(charset.name)! }

  deinit { pkm_charset_close(converter) }

  /// Appends the text of the next bytes; see ``Charset/decode(_:)``.
  func convert(_ bytes: UnsafeRawBufferPointer, isLast: Bool, into text: inout [UInt8]) {
    var source = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
    let end = source.map { $0 + bytes.count }
    withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 64) { scratch in
      let room = scratch.assumingMemoryBound(to: UInt8.self)
      while true {
        let count = pkm_charset_convert(converter, &source, end, isLast, room.baseAddress, room.count)
        text.append(contentsOf: room[..<count])
        // A call that had room left has taken everything.
        if source == end && count + 3 * 64 < room.count { return }
      }
    }
  }
}

/// Finding out what character set bytes are in.
enum CharsetDetection {
  /// Bytes of a file that a decision is based on.
  static let sampleBytes = 1 << 16

  /// The character set that a byte order mark names, and the mark's length.
  static func byteOrderMark(_ bytes: UnsafeRawBufferPointer) -> (charset: Charset, length: Int)? {
    let marks: [([UInt8], String)] = [
      ([0xef, 0xbb, 0xbf], "utf-8"), ([0xff, 0xfe, 0, 0], "utf-32le"), ([0, 0, 0xfe, 0xff], "utf-32be"),
      ([0xff, 0xfe], "utf-16le"), ([0xfe, 0xff], "utf-16be"),
    ]
    for (mark, name) in marks where bytes.starts(with: mark) {
      return (name == "utf-8" ? .utf8 : Charset(name)!, mark.count)
    }
    return nil
  }

  /// Where ASCII ends: the first byte above it, an escape sequence of ISO 2022, or NUL, which UTF-16 is full of.
  static func endOfASCII(_ bytes: UnsafeRawBufferPointer) -> Int {
    bytes.firstIndex { $0 >= 0x80 || $0 == 0x1b || $0 == 0 } ?? bytes.count
  }

  /// The character set of a text, or of its beginning (then `isWhole` is false and the last character may be cut).
  ///
  /// In this order: a byte order mark; well-formed UTF-8; what was declared; ICU's detection.
  static func detect(
    _ bytes: UnsafeRawBufferPointer, isWhole: Bool, declared: Charset? = nil, mayBeWide: Bool = true
  )
    -> Charset
  {
    if let mark = byteOrderMark(bytes) { return mark.charset }
    let hasEscapes = bytes.contains { $0 == 0x1b || $0 == 0 }
    if !hasEscapes && isUTF8(bytes, isWhole: isWhole) { return .utf8 }
    if let declared, declared != .utf8 { return declared.superset }
    if mayBeWide, let wide = wideCharset(bytes) { return wide }
    let sample = UnsafeRawBufferPointer(rebasing: bytes.prefix(sampleBytes))
    var guesses = [pkm_charset_guess](repeating: pkm_charset_guess(), count: 16)
    let count = pkm_charset_detect(
      sample.baseAddress?.assumingMemoryBound(to: UInt8.self), sample.count, &guesses, guesses.count)
    for guess in guesses[..<count] where guess.confidence >= 10 {
      // Of wide characters without a mark the test above decides, and of UTF-8 the strict one.
      guard let charset = guess.name.flatMap({ Charset(String(cString: $0)) })?.superset,
        !charset.name.hasPrefix("utf-")
      else { continue }
      return charset
    }
    return isUTF8(bytes, isWhole: isWhole) ? .utf8 : Charset("windows-1252")!
  }

  private static func isUTF8(_ bytes: UnsafeRawBufferPointer, isWhole: Bool) -> Bool {
    var end = bytes.count
    if !isWhole {
      // Without the last character, if it may be cut.
      while end > 0, bytes.count - end < 3, bytes[end - 1] & 0xc0 == 0x80 { end -= 1 }
      if end > 0, bytes[end - 1] >= 0xc0 { end -= 1 } else { end = bytes.count }
    }
    return UTF8Repair.isValid(UnsafeRawBufferPointer(rebasing: bytes[..<end]))
  }

  /// UTF-16 or UTF-32 without a mark: of the four, that in which the sample has most spaces, line ends and ideographic
  /// punctuation, if nearly nothing in it is a control character, unassigned or for private use.
  private static func wideCharset(_ bytes: UnsafeRawBufferPointer) -> Charset? {
    let sample = UnsafeRawBufferPointer(rebasing: bytes.prefix(min(sampleBytes, bytes.count) & ~3))
    // Spaces and line ends have zeros, in text of any language.
    guard sample.contains(0) else { return nil }
    var best: (charset: Charset, common: Int)?
    for name in ["utf-32le", "utf-32be", "utf-16le", "utf-16be"] {
      let charset = Charset(name)!
      let text = charset.decode(sample)
      let invalid = text.count { $0 == 0xff }
      var (common, strange, all) = (0, invalid, invalid)
      for scalar in String(decoding: text.filter { $0 != 0xff }, as: UTF8.self).unicodeScalars {
        all += 1
        switch scalar.value {
        case 0x09, 0x0a, 0x0d, 0x20, 0x3000...0x3002, 0xff0c: common += 1
        case 0..<0x20, 0x7f..<0xa0, 0xe000..<0xf900: strange += 1
        default: if !pkm_unicode_is_assigned(scalar.value) { strange += 1 }
        }
      }
      if strange * 50 <= all, common > best?.common ?? 0 { best = (charset, common) }
    }
    return best?.charset
  }
}
