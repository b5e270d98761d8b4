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
    let isGiven = givenTextField != nil || documents != nil || givenColumns != nil
    if inputFormat != .auto || !isGiven || inputs.isEmpty { return }
    var formats: Set<DocumentFormat> = []
    var names: Set<String> = []
    for input in inputs + others {
      guard Path.isRegularFile(input) else { return }
      let format = try corpus().format(of: input)
      formats.insert(format)
      let isTable = try format == .jsonl && TableDescription.isTable(input)
      names.insert(
        isTable ? "Parquet" : format == .text ? "plain text" : format == .jsonl ? "JSON lines" : "WARC")
    }
    let these = "; the input is \(names.sorted().joined(separator: " and "))"
    try OptionUse.check("Parquet files\(these)", names.contains("Parquet"), ["--columns": givenColumns])
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
    try OptionUse.check("Parquet files", inputFormat == .auto, ["--columns": givenColumns])
    // Both stop at the first byte that is not valid text.
    try OptionUse.check("reading without --strict", !strict, ["--invalid": givenInvalid])
    try OptionUse.check(
      "input of which no document is expected", expectDocuments == nil || expectDocuments == "0",
      ["--allow-empty": allowEmpty])
  }
}
