import CICU
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
  var countName: CountName {
    CountName("charset_" + String(name.map { $0.isLetter || $0.isNumber ? $0 : "_" }))
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
