/// How plain text is split into documents.
package enum DocumentSplitting: String, Sendable, CaseIterable {
  /// Every line, without its line end; an empty line is an empty document.
  case line
  /// Each group of lines between blank lines (empty or only white space), without the last line end.
  case paragraph
  /// The whole file.
  case file
  /// No documents at all: all bytes in order, line ends included, in parts that are split between any two
  /// characters.
  case stream
}
