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
    let file = try DocumentFile(output.sink, compressionThreads: settings.threads)
    let rejectedFile = try rejected.map { try DocumentFile(.path($0), compressionThreads: settings.threads) }
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
    warnIfAllDropped(summary, pass.reader.inputs.options)
    warnIfNoneHasURL(summary)
    return summary
  }

  /// A wrong --url-field would look like a clean corpus.
  private func warnIfNoneHasURL(_ summary: Summary) {
    let read = summary.count(.documentsIn)
    guard read > 0 && summary.count(.documentsWithoutURL) == read else { return }
    Log.warn(
      "none of the \(read) documents has a URL in the field \"\(filter.urlField)\", so that the list of URLs blocks nothing. "
        + "--url-field names another field")
  }

  /// An empty output is seldom meant: most often a line is no document, and a rule asks for more than one line has.
  private func warnIfAllDropped(_ summary: Summary, _ options: ReaderOptions) {
    let (read, written) = (summary.count(.documentsIn), summary.count(.documentsOut))
    guard read > 0 && written == 0 else { return }
    let rules = summary.entries.filter {
      $0.name.rawValue.hasPrefix("dropped_") && summary.count($0.name) > 0
    }
    .map { "\($0.name.rawValue.dropFirst("dropped_".count)) \(summary.count($0.name))" }
    let hint =
      options.splitting == .line
      ? ". In plain text each line was a document: --documents paragraph or file makes larger ones" : ""
    Log.warn(
      "all \(read) documents were dropped" + (rules.isEmpty ? "" : " (\(rules.joined(separator: ", ")))")
        + hint)
  }
}
