import Support

/// How documents are stored in a file.
package enum DocumentFormat: String, Sendable, CaseIterable {
  /// Plain text, split into documents as ``DocumentSplitting`` says.
  case text
  /// One JSON object per line.
  case jsonl
  /// Records of a web crawl, WARC or WET. Records of plain text are documents.
  case warc

  /// The format that a file name implies, ignoring `.gz` and `.zst`; nil if it implies none.
  package init?(ofFileNamed path: String) {
    var name = Path.name(of: path).lowercased()
    for suffix in [".gz", ".zst", ".zstd"] where name.hasSuffix(suffix) { name.removeLast(suffix.count) }
    if [".warc", ".wet", ".wat"].contains(where: name.hasSuffix) {
      self = .warc
    } else if [".jsonl", ".ndjson", ".json"].contains(where: name.hasSuffix) {
      self = .jsonl
    } else {
      return nil
    }
  }
}
