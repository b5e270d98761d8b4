import Commands
import Corpus
import Support

extension Dedup {
  /// What `--against` asks for; nil where it is not given.
  func screen() throws -> DocumentScreen? {
    evaluation.against.isEmpty
      ? nil
      : try DocumentScreen(evaluation, ngram: chosenMethod == .minhash ? nil : minhash.ngram, input: input)
  }

  /// One pass: documents that share words with evaluation sets are dropped or marked, everything else goes through.
  func runDecontamination() throws {
    let started = Progress.now()
    let reader = try input.reader()
    let screen = try screen()
    var output = try DedupOutput(self, of: reader.inputs, names: reader.files, screen: screen)
    let pass = DocumentPass(reader: reader, options: options, label: "decontaminate", screen: screen?.body)
    var summary = try pass.run(
      work: { batch, counts in
        (batch, counts.addText(of: batch))
      },
      consume: { batch, words in try output.write(batch, words: words) },
      found: { try output.report($0) })
    try output.finish(&summary)
    try options.report(summary, since: started)
  }
}
