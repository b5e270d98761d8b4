import CICU
import Support

/// A character set, named as MIME prefers and in lower case: `windows-1252`.
package struct Charset: Sendable, Hashable {
  package let name: String

  static let utf8 = Charset(standardName: "utf-8")

  private init(standardName: String) { name = standardName }

  /// nil if ICU knows no character set of that name.
  package init?(_ name: String) {
    guard !name.isEmpty, name.utf8.count < 64, let standard = pkm_charset_name(name),
      let converter = pkm_charset_open(name)
    else { return nil }
    pkm_charset_close(converter)
    self.name = String(cString: standard).lowercased()
  }

  /// The names of all character sets that ICU can convert, sorted.
  package static var names: [String] {
    let names = (0..<pkm_charset_count()).compactMap {
      pkm_charset_at($0).map { String(cString: $0).lowercased() }
    }
    return Set(names).sorted()
  }

  /// The key under which documents in this character set are counted: `charset_windows_1252`.
  var countName: CountName {
    CountName("charset_" + String(name.map { $0.isLetter || $0.isNumber ? $0 : "_" }))
  }

  /// The superset that text declared or detected as this character set is usually written in (WHATWG,
  /// Encoding Standard, section 4.2). For example, pages that claim ISO-8859-1 are often windows-1252.
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
}
