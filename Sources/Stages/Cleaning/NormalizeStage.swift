import Corpus
import Support

/// Normalizes the text of documents; their order stays.
package struct NormalizeStage {
  private let input: CorpusInput
  private let output: CorpusOutput
  private let settings: StageSettings
  private let options: NormalizationOptions

  package init(
    input: CorpusInput, output: CorpusOutput, settings: StageSettings, options: NormalizationOptions
  ) {
    (self.input, self.output, self.settings, self.options) = (input, output, settings, options)
  }

  package func run() throws -> Summary {
    let normalizer = try Normalizer(options)
    let pass = DocumentPass(reader: try input.reader(), settings: settings, label: "normalize")
    let format = try output.format(of: pass.reader.inputs)
    let renderer = DocumentRenderer(format: format)
    let file = try DocumentFile(output.sink, compressionThreads: settings.threads)
    var summary = try pass.run(
      work: { batch, counts in
        let isLines = (format ?? batch.source.format) == .text && batch.source.splitting == .line
        let normalized = try normalizer.normalize(batch, sentencesAreDocuments: isLines)
        counts = normalized.counts
        counts.addText(of: batch)
        // The next stage counts the words that come out: counting them here costs as much as normalizing plain lines.
        counts.add(.textBytesOut, normalized.textBytes)
        counts.add(.documentsOut, normalized.count)
        return renderer.render(normalized, counts: &counts)
      },
      consume: { bytes in try file.write(bytes) })
    try file.finish()
    summary.add(.documentsOut, 0)
    summary.add(.bytesOut, file.bytesWritten)
    summary[.icuVersion] = .text(Normalizer.icuVersion)
    summary[.unicodeVersion] = .text(Normalizer.unicodeVersion)
    return summary
  }
}
