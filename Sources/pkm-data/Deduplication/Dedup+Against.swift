import Commands
import Corpus
import Support

extension Dedup {
  private struct Searched: Sendable {
    let batch: DocumentBatch
    let words: [Int]
    let overlaps: [(index: Int, overlap: Decontaminator.Overlap)]
  }

  /// One pass: documents that share words with evaluation sets are dropped or marked, everything else goes through.
  func runDecontamination() throws {
    let started = Progress.now()
    let reader = try input.reader()
    var texts = EvaluationSet(ngram: minhash.ngram ?? 13)
    try texts.add(
      files: evaluation.against, options: input.readerOptions(), textField: evaluation.againstField)
    for warning in texts.warnings.prefix(20) { Log.warn(warning) }
    if texts.textCount == 0 {
      Log.warn("no evaluation text has \(texts.ngram) words or more: nothing will be found")
    }
    let decontaminator = Decontaminator(texts)
    var marked = self
    // A mark needs somewhere to be.
    if evaluation.mark && output.format == nil { marked.output.outputFormat = .jsonl }
    var output = try DedupOutput(marked, names: reader.files)
    output.add(evaluation.mark ? "documents_marked" : "documents_contaminated", 0)
    let pass = DocumentPass(reader: reader, options: options, label: "decontaminate")
    var summary = try pass.run(
      work: { batch, counts in
        let words = Self.words(of: batch)
        counts.add("words_in", words.reduce(0, +))
        counts.add("text_bytes_in", batch.textBytes)
        var worker = Decontaminator.Worker(decontaminator)
        var overlaps: [(index: Int, overlap: Decontaminator.Overlap)] = []
        batch.forEachDocument { index, text in
          if let overlap = worker.overlap(of: text) { overlaps.append((index, overlap)) }
        }
        return Searched(batch: batch, words: words, overlaps: overlaps)
      },
      consume: { searched in
        var batch = searched.batch
        for (index, overlap) in searched.overlaps {
          let fields = Self.fields(of: overlap, decontaminator)
          let location = DocumentLocation(source: batch.source.index, line: batch.lines[index])
          try output.reportLine(location, "\"contaminated\",\(fields)")
          output.add(evaluation.mark ? "documents_marked" : "documents_contaminated", 1)
          if evaluation.mark { output.note("contamination", json: "{\(fields)}", at: index, of: &batch) }
        }
        try output.write(
          batch, words: searched.words, without: evaluation.mark ? [] : searched.overlaps.map(\.index))
      })
    summary.add("evaluation_texts", texts.textCount)
    summary.add("evaluation_texts_too_short", texts.shortTextCount)
    summary.add("evaluation_ngrams", decontaminator.ngramCount)
    for (name, value) in texts.counts.entries {
      if case .count(let count) = value { summary.add("evaluation_" + name, count) }
    }
    try output.finish(&summary)
    try options.report(summary, since: started)
  }

  /// Where the first shared words stand, what they are, and how many runs of words are shared.
  private static func fields(of overlap: Decontaminator.Overlap, _ decontaminator: Decontaminator) -> String {
    let place = decontaminator.place(of: overlap)
    return """
      "evaluation":{"file":\(JSONText.quote(place.file)),"line":\(place.line)},\
      "ngram":\(JSONText.quote(decontaminator.ngram(of: overlap))),\
      "shared_ngrams":\(overlap.sharedNgrams),"ngrams":\(overlap.ngrams)
      """
  }
}
