import Support

/// How documents lie in a file.
package enum DocumentFormat: String, Sendable, CaseIterable {
  /// Plain text, cut into documents as ``DocumentSplitting`` says.
  case text
  /// One JSON object a line.
  case jsonl
  /// Records of a web crawl, WARC or WET, of which those of plain text are documents.
  case warc

  /// What the name of a file, without `.gz` and `.zst`, says it holds; nil where it says nothing.
  package init?(ofFileNamed path: String) {
    var name = Path.name(of: path).lowercased()
    for suffix in [".gz", ".zst"] where name.hasSuffix(suffix) { name.removeLast(suffix.count) }
    if [".warc", ".wet", ".wat"].contains(where: name.hasSuffix) {
      self = .warc
    } else if [".jsonl", ".ndjson", ".json"].contains(where: name.hasSuffix) {
      self = .jsonl
    } else {
      return nil
    }
  }
}
