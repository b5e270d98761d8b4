import Corpus
import Support

/// One pass that drops or marks documents that share words with evaluation sets; all others pass unchanged.
struct Decontamination {
  let options: DedupOptions

  func run() throws -> Summary {
    let reader = try options.input.reader()
    let filter = try options.decontaminationFilter()
    var output = try DedupOutput(options, of: reader.inputs, decontamination: filter)
    let pass = DocumentPass(
      reader: reader, settings: options.settings, label: "decontaminate", decontamination: filter)
    var summary = try pass.run(
      work: { batch, counts in (batch, counts.addText(of: batch)) },
      consume: { batch, words in try output.write(batch, words: words) },
      onMatches: { try output.report($0) })
    try output.finish(&summary)
    return summary
  }
}
