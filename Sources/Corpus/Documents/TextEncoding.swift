/// The character set of the input, as a command line says it.
package enum TextEncoding: Sendable, Equatable {
  /// UTF-8; files that begin with the mark of UTF-16 or UTF-32 are converted.
  case utf8
  /// Found out for each file, or for each record of a WARC file.
  case automatic
  case named(Charset)

  var name: String {
    switch self {
    case .utf8: "utf-8"
    case .automatic: "auto"
    case .named(let charset): charset.name
    }
  }
}
