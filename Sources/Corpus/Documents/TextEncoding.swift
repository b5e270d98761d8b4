/// The character set of the input, as given on the command line.
package enum TextEncoding: Sendable, Equatable {
  /// UTF-8. Files that begin with a byte order mark of UTF-16 or UTF-32 are converted.
  case utf8
  /// Detected for each file, or for each record of a WARC file.
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
