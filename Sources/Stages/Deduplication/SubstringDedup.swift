import Corpus
import Support

/// Cuts spans of text that occur before, in two passes with a search on disk between them.
struct SubstringDedup {
  let options: DedupOptions

  func run() throws -> Summary {
    let spanOptions = options.substring.spans
    let tokens = try options.substring.tokenizer.map { try SpanTokenizer.load($0) }
    let job = try DeduplicationJob.open(
      options, identity: "substring \(spanOptions) \(tokens?.identity ?? "")",
      workDirectory: options.workDirectory, decontamination: try options.decontaminationFilter())
    let spans = try RepeatedSpans(
      spanOptions, directory: job.directory.subdirectory("spans"), owner: job.directory.tag,
      memory: options.memory, pool: job.pool)
    try collect(spans, spanOptions, tokens, job)
    if !options.settings.isQuiet { Log.line("dedup: finding repeated spans") }
    let summary = try cut(try spans.cuts(), spanOptions, tokens, job)
    job.finish()
    return summary
  }

  private func collect(
    _ spans: RepeatedSpans, _ spanOptions: SpanOptions, _ tokens: SpanTokenizer?, _ job: DeduplicationJob
  ) throws {
    let pass = try job.pass("reading")
    _ = try pass.run(
      next: DeduplicationJob.blocks(
        of: pass.reader, after: spans.finishedBatches, digest: spans.finishedDigest),
      work: { _, digest, batch, _ in
        (SpanText(batch, spanOptions, tokens: try tokens?.tokens(of: batch)), batch, digest)
      },
      consume: { text, batch, digest in try spans.add(text, of: batch, blockDigest: digest) })
  }

  private func cut(
    _ cuts: SpanCuts, _ spanOptions: SpanOptions, _ tokens: SpanTokenizer?, _ job: DeduplicationJob
  ) throws -> Summary {
    var output = try DedupOutput(
      options, of: try job.reader().inputs, names: job.names, decontamination: job.decontamination)
    for name in [CountName.documentsChanged, .documentsEmptied, .spansRemoved, .spanBytesRemoved] {
      output.add(name, 0)
    }
    let pass = try job.pass("cutting")
    var summary = try pass.run(
      isWhole: true, next: pass.reader.nextBlock,
      work: { _, digest, batch, counts in
        let words = counts.addText(of: batch)
        let tokens = try tokens?.tokens(of: batch)
        let lengths = SpanText.lengths(of: batch, unit: spanOptions.unit, tokens: tokens)
        return (batch, words, lengths, tokens, digest)
      },
      consume: { old, oldWords, lengths, tokens, digest in
        var batch = old
        let (removals, emptied) = try cuts.apply(
          to: &batch, lengths: lengths, tokens: tokens, blockDigest: digest)
        if output.hasSeen(old) { return }
        let isChanged = !removals.isEmpty || !emptied.isEmpty
        let words = isChanged ? batch.words : oldWords
        let changed = Set(removals.map(\.oldIndex))
        output.add(.documentsChanged, changed.subtracting(emptied).count)
        for removal in removals {
          output.add(.spansRemoved, 1)
          output.add(.spanBytesRemoved, removal.range.count)
          old.bytes.withUnsafeBytes {
            let text = UnsafeRawBufferPointer(rebasing: $0[old.ranges[removal.oldIndex]])
            output.addSample(of: .spansRemoved, UnsafeRawBufferPointer(rebasing: text[removal.range]))
          }
          try output.reportLine(removal.location, "repeated_span") { json in
            json.member("start", removal.range.lowerBound)
            json.member("bytes", removal.range.count)
            json.key("duplicate_of")
            json.object { output.write(removal.first, to: &$0) }
          }
        }
        for index in emptied {
          let location = DocumentLocation(source: old.source.index, line: old.lines[index])
          if changed.contains(index) {
            output.add(.documentsEmptied, 1)
            try output.reportLine(location, "emptied")
          } else {
            try output.removeEmpty(at: location)
          }
        }
        try output.write(batch, words: words)
      }, onMatches: { try output.report($0) })
    try cuts.finish()
    try output.finish(&summary)
    return summary
  }
}
