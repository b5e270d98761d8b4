import Foundation

/// A media type: `text/html; charset=utf-8`.
struct MediaType {
  /// `text/html`, in lower case.
  let type: String
  let charset: Charset?

  init(_ text: String) {
    let parts = text.split(separator: ";").map { $0.trimmingCharacters(in: .whitespaces) }
    type = parts.first?.lowercased() ?? ""
    let declared = parts.dropFirst().first { $0.lowercased().hasPrefix("charset=") }
    charset = declared.flatMap {
      Charset($0.dropFirst(8).trimmingCharacters(in: CharacterSet(charactersIn: " \t\"'")))
    }
  }

  /// The kind of content as one word of a fixed set, such as `html`.
  var kind: String {
    let (group, detail) = (type.prefix { $0 != "/" }, type.drop { $0 != "/" }.dropFirst())
    if ["image", "audio", "video", "font"].contains(group) { return String(group) }
    if detail == "html" || detail == "xhtml+xml" { return "html" }
    for word in ["json", "xml", "css", "javascript", "pdf", "warc-fields", "plain"]
    where detail.contains(word) {
      return word.replacing("-", with: "_")
    }
    return "other"
  }
}
