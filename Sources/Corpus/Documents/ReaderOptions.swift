/// How to read documents.
package struct ReaderOptions: Sendable {
  /// The format of the input. nil detects it: a file that begins with `WARC/` contains records; `.warc`,
  /// `.wet`, `.jsonl`, `.ndjson` and `.json` (before `.gz` or `.zst`) state the format; a beginning as
  /// ``JSONLayout`` describes it means JSON lines; everything else is text, unless it is a ``FileFormat``.
  package var format: DocumentFormat?
  package var splitting: DocumentSplitting
  package var encoding: TextEncoding
  /// The field with the text in a JSON line.
  package var textField: String
  /// The columns of Parquet files that are read besides the text; nil means all.
  package var columns: [String]?
  /// How to treat ill-formed UTF-8 and bytes that are invalid in the input's character set.
  package var invalid: InvalidTextPolicy
  /// Whether the first repair or skip is an error (exit code 65).
  package var isStrict: Bool
  /// The length in bytes of the longest document or JSON line that is read. Longer ones are skipped.
  package var longestDocument: Int
  /// Files that were found in a directory or by a pattern. One that is no text is skipped; one that the user has named
  /// is an error.
  package var foundFiles: Set<String> = []
  /// Whether inputs that are not empty may hold no document at all.
  package var allowsEmpty = false
  /// What the user says about the number of documents.
  package var expected: ExpectedDocuments?
  /// Bytes of input per batch. A document is never split, so a batch may be larger.
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
