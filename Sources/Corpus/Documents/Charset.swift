import CICU
import Support

/// A character set, by its name in lower case: `windows-1252`.
package struct Charset: Sendable, Hashable {
  package let name: String

  static let utf8 = Charset(standardName: "utf-8")

  private init(standardName: String) { name = standardName }

  /// The character set of a name: what the Encoding Standard of WHATWG means by it or, if it has no such label,
  /// what ICU means.
  ///
  /// nil if neither knows the name.
  package init?(_ name: String) {
    let label = EncodingLabels.charset(of: name)
    guard !name.isEmpty, name.utf8.count < 64, let standard = pkm_charset_name(label ?? name),
      let converter = pkm_charset_open(label ?? name)
    else { return nil }
    pkm_charset_close(converter)
    let preferred = String(cString: standard).lowercased()
    // A name that the standard gives to another set would open that one.
    self.name = label ?? (EncodingLabels.charset(of: preferred) == nil ? preferred : name.lowercased())
  }

  /// Whether characters outside ASCII take several bytes: Chinese, Japanese and Korean sets.
  var isMultibyte: Bool {
    ["gb18030", "big5-hkscs", "windows-31j", "windows-949", "euc-jp"].contains(name)
  }

  /// Whether each line can be converted by itself and ASCII stands for itself: no UTF-16 and no ISO 2022.
  var keepsLines: Bool {
    !["utf-16", "utf-32", "utf-7", "iso-2022", "hz"].contains { name.hasPrefix($0) }
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
}
