import Corpus
import Support

/// Where a stage writes documents, and in which format.
package struct CorpusOutput: Sendable {
  package var sink: OutputSink
  /// The format that the user asked for.
  package var givenFormat: DocumentFormat?

  package init(_ sink: OutputSink, givenFormat: DocumentFormat? = nil) {
    (self.sink, self.givenFormat) = (sink, givenFormat)
  }

  /// The format of all documents, or nil for that of each document's source.
  func format(of inputs: DocumentInputs) throws -> DocumentFormat? {
    if let givenFormat { return givenFormat }
    // A reader of JSON lines would lose the lines of text among them.
    if sink.isParquet { return .jsonl }
    let isJSON = try sink.name.flatMap { DocumentFormat(ofFileNamed: $0) } == .jsonl || inputs.mixFormats()
    return isJSON ? .jsonl : nil
  }
}
