import Commands
import Corpus
import Support

extension InputOptions {
  /// Throws if an option that says how documents are read was given although none are read.
  ///
  /// `mode` is what would read documents.
  func checkReading(_ mode: String, _ isChosen: Bool) throws {
    try OptionUse.check(
      mode, isChosen,
      [
        "--input-format": inputFormat != .auto, "--documents": documents, "--text-field": givenTextField,
        "--columns": givenColumns, "--encoding": encoding != "utf-8", "--invalid": givenInvalid,
        "--max-document-size": maxDocumentSize.bytes != 1 << 30, "--strict": strict,
        "--allow-empty": allowEmpty, "--expect-documents": expectDocuments,
      ])
  }

  /// Throws if an option is for a format that none of the files has that the user names.
  ///
  /// Directories, patterns and pipes may hold every format, so nothing is said of them. `others` are files that are read
  /// in the same way.
  func checkFormats(and others: [String] = []) throws {
    if inputFormat != .auto || givenTextField == nil && documents == nil || inputs.isEmpty { return }
    var formats: Set<DocumentFormat> = []
    for input in inputs + others {
      guard Path.isRegularFile(input) else { return }
      formats.insert(try corpus().format(of: input))
    }
    let found = formats.map { $0 == .text ? "plain text" : $0 == .jsonl ? "JSON lines" : "WARC" }.sorted()
    let these = "; the input is \(found.joined(separator: " and "))"
    try OptionUse.check("JSON lines\(these)", formats.contains(.jsonl), ["--text-field": givenTextField])
    try OptionUse.check("plain text\(these)", formats.contains(.text), ["--documents": documents])
  }
}

extension InputOptions {
  func validate() throws {
    try OptionUse.check(
      "JSON lines", inputFormat == .auto || inputFormat == .jsonl, ["--text-field": givenTextField])
    try OptionUse.check(
      "plain text", inputFormat == .auto || inputFormat == .text, ["--documents": documents])
    // Both stop at the first byte that is not valid text.
    try OptionUse.check("reading without --strict", !strict, ["--invalid": givenInvalid])
    try OptionUse.check(
      "input of which no document is expected", expectDocuments == nil || expectDocuments == "0",
      ["--allow-empty": allowEmpty])
  }
}
