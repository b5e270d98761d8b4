/// What a document is in plain text.
package enum DocumentSplitting: String, Sendable, CaseIterable {
  /// Every line, without its line end; an empty line is an empty document.
  case line
  /// Lines between blank lines (empty or only spaces and tabs), without the last line end.
  case paragraph
  /// The whole file.
  case file
  /// No documents at all: the bytes in order, line ends included, in pieces cut between any two characters.
  case stream
}
