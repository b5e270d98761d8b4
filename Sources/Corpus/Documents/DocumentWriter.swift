import Support

/// A file of documents.
///
/// It appears under its name when ``finish()`` has returned.
package final class DocumentWriter {
  private let file: OutputFile
  private let renderer: DocumentRenderer
  /// What had to be changed to fit the format, by name.
  package private(set) var counts = Summary()

  /// A format of nil is that of each batch's source.
  package init(_ sink: OutputSink, format: DocumentFormat? = nil, compressionThreads: Int = 1) throws {
    file = try OutputFile(sink, compressionThreads: compressionThreads)
    renderer = DocumentRenderer(format: format)
  }

  /// Uncompressed bytes.
  package var bytesWritten: Int { file.bytesWritten }

  package func write(_ batch: DocumentBatch) throws {
    try file.write(renderer.render(batch, counts: &counts))
  }

  package func finish() throws { try file.finish() }
}
