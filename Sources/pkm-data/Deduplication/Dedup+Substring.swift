import Commands
import Corpus
import Foundation
import Support

extension Dedup {
  /// Two passes over the input, and between them the search for repeated spans on disk.
  func runSubstring() throws {
    let started = Progress.now()
    let spanOptions = parts.spans(seed: options.seed)
    let job = try DeduplicationJob(
      input: allInput, output: output.output, workDirectory: workDir, memory: memory, options: options,
      settings: "substring \(spanOptions)", screen: try screen(), seenFiles: try seenFiles())
    let spans = try RepeatedSpans(
      spanOptions, directory: job.directory.subdirectory("spans"), memory: job.memory, pool: job.pool)
    try collect(spans, spanOptions, job)
    if !options.quiet { Log.line("dedup: finding repeated spans") }
    let summary = try cut(try spans.cuts(), spanOptions, job)
    try options.report(summary, since: started)
    job.finish()
  }

  private func collect(_ spans: RepeatedSpans, _ spanOptions: SpanOptions, _ job: DeduplicationJob) throws {
    let pass = try job.pass("reading")
    var digest: UInt64 = 0
    _ = try pass.run(
      next: {
        while let block = try pass.reader.nextBlock() {
          if block.number >= spans.finishedBatches { return block }
          digest = SignatureSet.chain(digest, block.digest)
          if block.number + 1 == spans.finishedBatches && digest != spans.finishedDigest {
            throw Failure(
              .badInput, "the input has changed since the work directory was made",
              remedy: "Remove the work directory and run again")
          }
        }
        return nil
      },
      work: { block, batch, _ in (SpanText(batch, spanOptions), batch, block.digest) },
      consume: { text, batch, digest in try spans.add(text, of: batch, blockDigest: digest) })
  }

  private func cut(_ cuts: SpanCuts, _ spanOptions: SpanOptions, _ job: DeduplicationJob) throws -> Summary {
    var output = try DedupOutput(self, names: job.names, screen: job.screen)
    for name in ["documents_changed", "documents_emptied", "spans_removed", "span_bytes_removed"] {
      output.add(name, 0)
    }
    let pass = try job.pass("cutting")
    var summary = try pass.run(
      next: pass.reader.nextBlock,
      work: { block, batch, counts in
        let words = Self.words(of: batch)
        counts.add("words_in", words.reduce(0, +))
        counts.add("text_bytes_in", batch.textBytes)
        var lengths: [Int] = []
        batch.forEachDocument { _, text in
          lengths.append(SpanText.length(of: text, unit: spanOptions.unit))
        }
        return (batch, words, lengths, block.digest)
      },
      consume: { old, oldWords, lengths, digest in
        var batch = old
        let (removals, emptied) = cuts.apply(to: &batch, lengths: lengths, blockDigest: digest)
        if output.hasSeen(old) { return }
        let isChanged = !removals.isEmpty || !emptied.isEmpty
        let words = isChanged ? Self.words(of: batch).reduce(0, +) : oldWords.reduce(0, +)
        let changed = Set(removals.map(\.oldIndex))
        output.add("documents_changed", changed.subtracting(emptied).count)
        for removal in removals {
          output.add("spans_removed", 1)
          output.add("span_bytes_removed", removal.range.count)
          old.bytes.withUnsafeBytes {
            let text = UnsafeRawBufferPointer(rebasing: $0[old.ranges[removal.oldIndex]])
            output.addSample(of: "spans_removed", UnsafeRawBufferPointer(rebasing: text[removal.range]))
          }
          try output.reportLine(
            removal.location,
            """
            "repeated_span","start":\(removal.range.lowerBound),"bytes":\(removal.range.count),\
            "duplicate_of":{\(output.place(removal.first))}
            """)
        }
        for index in emptied {
          let location = DocumentLocation(source: old.source.index, line: old.lines[index])
          if changed.contains(index) {
            output.add("documents_emptied", 1)
            try output.reportLine(location, "\"emptied\"")
          } else {
            try output.removeEmpty(at: location)
          }
        }
        try output.write(batch, words: words)
      }, found: { try output.report($0) })
    try cuts.finish()
    try output.finish(&summary)
    return summary
  }
}
