/// What to read as documents, and how.
package struct ReaderOptions: Sendable {
  /// nil finds out: a file that begins with `WARC/` holds records, `.warc`, `.wet`, `.jsonl`, `.ndjson` and `.json`
  /// (before `.gz` or `.zst`) say what they are, and a first line that is a JSON object makes JSON lines; everything
  /// else is text.
  package var format: DocumentFormat?
  package var splitting: DocumentSplitting
  package var encoding: TextEncoding
  /// Where a JSON line holds its text.
  ///
  /// `meta.body` is the field of that name or, where there is none, the field `body` of the object `meta`.
  package var textField: String
  /// What happens to ill-formed UTF-8, and to bytes that mean nothing in the input's character set.
  package var invalid: InvalidTextPolicy
  /// Fail with exit code 65 at the first repair or skip.
  package var isStrict: Bool
  /// Bytes of the longest document, or JSON line, that is read; longer ones are skipped.
  package var longestDocument: Int
  /// Bytes of input to a batch, not counting that a document is never cut.
  package var batchBytes: Int

  package init(
    format: DocumentFormat? = nil, splitting: DocumentSplitting = .line, encoding: TextEncoding = .utf8,
    textField: String = "text", invalid: InvalidTextPolicy = .replace, isStrict: Bool = false,
    longestDocument: Int = 1 << 30, batchBytes: Int = 1 << 20
  ) {
    self.format = format
    self.splitting = splitting
    self.encoding = encoding
    self.textField = textField
    self.invalid = invalid
    self.isStrict = isStrict
    self.longestDocument = longestDocument
    self.batchBytes = batchBytes
  }
}
