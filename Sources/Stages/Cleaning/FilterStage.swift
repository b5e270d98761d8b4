import Corpus
import Support

/// Drops, or annotates, documents by the rules of a filter; their order stays.
package struct FilterStage {
  private let input: CorpusInput
  private let output: CorpusOutput
  private let settings: StageSettings
  private let filter: DocumentFilter
  /// The file of the dropped documents.
  private let rejected: String?

  package init(
    input: CorpusInput, output: CorpusOutput, settings: StageSettings, filter: DocumentFilter,
    rejected: String?
  ) {
    (self.input, self.output, self.settings) = (input, output, settings)
    (self.filter, self.rejected) = (filter, rejected)
  }

  package func run() throws -> Summary {
    let filter = filter
    let pass = DocumentPass(reader: try input.reader(), settings: settings, label: "filter")
    let renderer = DocumentRenderer(
      format: filter.annotates ? .jsonl : try output.format(of: pass.reader.inputs))
    let rejectRenderer = DocumentRenderer(format: .jsonl)
    let file = try OutputFile(output.sink, compressionThreads: settings.threads)
    let rejectedFile = try rejected.map { try OutputFile($0, compressionThreads: settings.threads) }
    var summary = try pass.run(
      work: { batch, counts in
        let result = try filter.filter(batch, counts: &counts)
        counts.addText(of: batch)
        counts.addText(of: result.documents, .written)
        let kept = renderer.render(result.documents, counts: &counts)
        let rejected = result.rejected.map { rejectRenderer.render($0, counts: &counts) }
        return (kept, rejected)
      },
      consume: { kept, rejected in
        try file.write(kept)
        if let rejected { try rejectedFile?.write(rejected) }
      })
    try file.finish()
    try rejectedFile?.finish()
    summary.merge(filter.emptyCounts)
    summary.add(.bytesOut, file.bytesWritten)
    return summary
  }
}
