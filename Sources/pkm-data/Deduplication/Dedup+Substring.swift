import Commands
import Corpus
import Foundation
import Support
import Tokenization

extension Dedup {
  /// Two passes over the input, and between them the search for repeated spans on disk.
  func runSubstring() throws {
    let started = Progress.now()
    let spanOptions = parts.spans(seed: options.seed)
    let tokens = try parts.tokenizer.map { try SpanTokenizer($0) }
    let job = try DeduplicationJob(
      input: allInput, output: output.output, workDirectory: workDir, memory: memory, options: options,
      settings: "substring \(spanOptions) \(tokens?.identity ?? "")", screen: try screen(),
      seenFiles: try seenFiles())
    let spans = try RepeatedSpans(
      spanOptions, directory: job.directory.subdirectory("spans"), memory: job.memory, pool: job.pool)
    try collect(spans, spanOptions, tokens, job)
    if !options.quiet { Log.line("dedup: finding repeated spans") }
    let summary = try cut(try spans.cuts(), spanOptions, tokens, job)
    try options.report(summary, since: started)
    job.finish()
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
    var output = try DedupOutput(self, of: try job.reader().inputs, names: job.names, screen: job.screen)
    for name in ["documents_changed", "documents_emptied", "spans_removed", "span_bytes_removed"] {
      output.add(name, 0)
    }
    let pass = try job.pass("cutting")
    var summary = try pass.run(
      next: pass.reader.nextBlock,
      work: { _, digest, batch, counts in
        let words = counts.addText(of: batch)
        let tokens = try tokens?.tokens(of: batch)
        let lengths = SpanText.lengths(of: batch, unit: spanOptions.unit, tokens: tokens)
        return (batch, words, lengths, tokens, digest)
      },
      consume: { old, oldWords, lengths, tokens, digest in
        var batch = old
        let (removals, emptied) = cuts.apply(
          to: &batch, lengths: lengths, tokens: tokens, blockDigest: digest)
        if output.hasSeen(old) { return }
        let isChanged = !removals.isEmpty || !emptied.isEmpty
        let words = isChanged ? batch.words : oldWords
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

/// The tokens that spans are counted in.
private struct SpanTokenizer: Sendable {
  private let encoder: BPEEncoder
  private let file: String
  /// A hash of the tokenizer's file.
  let identity: String

  init(_ file: String) throws {
    let tokenizer = try TokenizerFile.load(file)
    guard tokenizer.mode == .byteLevel, tokenizer.vocabulary.count <= Int(SpanTokens.idLimit) else {
      throw Failure(
        .usage, "spans cannot be counted in its tokens", file: file,
        remedy: "Give a byte-level tokenizer, or count in words")
    }
    encoder = BPEEncoder(tokenizer)
    self.file = file
    identity = Hashing.hexadecimal(try MappedFile.read(file).withUnsafeBytes { Hashing.xxh64($0) })
  }

  func tokens(of batch: DocumentBatch) throws -> SpanTokens {
    let encoded = batch.bytes.withUnsafeBufferPointer { encoder.encode($0, documents: batch.ranges) }
    var ends: [Int] = []
    ends.reserveCapacity(encoded.ids.count)
    var first = 0
    for (range, last) in zip(batch.ranges, encoded.ends) {
      var end = 0
      for id in encoded.ids[first..<last] {
        end += encoder.tokenizer.vocabulary.range(of: id).count
        ends.append(end)
      }
      guard end == range.count else {
        throw Failure(.usage, "its tokens are not the whole text", file: file, remedy: "Count in words")
      }
      first = last
    }
    return SpanTokens(ids: encoded.ids, ends: encoded.ends, textEnds: ends)
  }
}
