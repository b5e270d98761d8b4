/// The file that a batch was read from.
package struct DocumentSource: Sendable, Equatable {
  /// The index of the file among the inputs.
  package let index: Int
  /// `-` for standard input.
  package let path: String
  package let format: DocumentFormat
  package let splitting: DocumentSplitting

  package init(index: Int, path: String, format: DocumentFormat, splitting: DocumentSplitting) {
    self.index = index
    self.path = path
    self.format = format
    self.splitting = splitting
  }
}
