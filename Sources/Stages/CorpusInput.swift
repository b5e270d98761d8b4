import Corpus
import Support

/// Which documents a stage reads, and how.
package struct CorpusInput: Sendable {
  package var sources: [InputSource]
  package var options: ReaderOptions

  package init(_ sources: [InputSource], options: ReaderOptions) {
    (self.sources, self.options) = (sources, options)
  }

  package func reader() throws -> DocumentReader { try DocumentReader(inputs: sources, options: options) }

  /// The format of a regular file, by its name or its beginning.
  package func format(of file: String) throws -> DocumentFormat {
    try DocumentInputs.format(of: file, options: options)
  }

  /// The same with files before it; no sources mean standard input.
  func preceded(by files: [String]) -> CorpusInput {
    if files.isEmpty { return self }
    return CorpusInput(
      files.map { .path($0) } + (sources.isEmpty ? [.path("-")] : sources), options: options)
  }
}
