import Commands

extension InputOptions {
  /// Throws if an option that says how documents are read was given although none are read.
  ///
  /// `mode` is what would read documents.
  func checkReading(_ mode: String, _ isChosen: Bool) throws {
    try OptionUse.check(
      mode, isChosen,
      [
        "--input-format": inputFormat != .auto, "--documents": documents, "--text-field": textField != "text",
        "--encoding": encoding != "utf-8", "--invalid": invalid != .replace,
        "--max-document-size": maxDocumentSize.bytes != 1 << 30, "--strict": strict,
      ])
  }
}

extension InputOptions {
  func validate() throws {
    try OptionUse.check(
      "JSON lines", inputFormat == .auto || inputFormat == .jsonl, ["--text-field": textField != "text"])
    try OptionUse.check(
      "plain text", inputFormat == .auto || inputFormat == .text, ["--documents": documents])
  }
}
