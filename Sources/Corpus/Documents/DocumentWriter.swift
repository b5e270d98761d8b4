import Support

/// Writes documents to a file, which appears under its name when ``finish()`` returns.
package final class DocumentWriter {
  private let file: DocumentFile
  private let renderer: DocumentRenderer
  /// The number of changes needed to fit the format, by name.
  package private(set) var counts = Summary()

  /// A nil format means the format of each batch's source.
  package init(_ sink: OutputSink, format: DocumentFormat? = nil, compressionThreads: Int = 1) throws {
    file = try DocumentFile(sink, compressionThreads: compressionThreads)
    renderer = DocumentRenderer(format: format)
  }

  /// Uncompressed bytes written so far.
  package var bytesWritten: Int { file.bytesWritten }

  package func write(_ batch: DocumentBatch) throws {
    try file.write(renderer.render(batch, counts: &counts))
  }

  package func finish() throws { try file.finish() }
}
