import Corpus
import Shards
import Support
import Tokenization

/// A batch of documents as it goes to shards.
///
/// Many documents are shared out among threads by the pipeline that reads them; a document of many megabytes is cut here,
/// where its pre-tokens allow it, and its parts are.
struct ShardBatch: Sendable {
  /// Ids as they lie on disk, cut anywhere.
  private(set) var parts: [[UInt8]] = []
  private(set) var rows: [DocumentRow] = []
  private(set) var counts = Summary()

  /// Bytes of text that one thread encodes at a time: with its ids they stay in the processor's cache.
  private static let jobBytes = 1 << 19

  /// Some documents, or a part of one.
  private struct Job {
    let firstDocument: Int
    var ranges: [Range<Int>]
    var bytes: Int
    let continuesDocument: Bool
    let endsDocument: Bool
  }

  private struct Output: Sendable {
    let encoded: PackedBatch
    let words: [Int]
  }

  init(
    _ batch: DocumentBatch, _ encoder: BPEEncoder, terminator: UInt32, tokenBytes: Int, _ pool: WorkerPool
  ) {
    var tokens = [Int](repeating: 0, count: batch.count)
    var words = tokens
    batch.bytes.withUnsafeBufferPointer { text in
      let jobs = Self.jobs(batch, text, encoder)
      let seeds = encoder.seeds(batch)
      var outputs = [Output?](repeating: nil, count: jobs.count)
      outputs.withUnsafeMutableBufferPointer { outputs in
        nonisolated(unsafe) let outputs = outputs
        pool.forEach(jobs.count) { index, _ in
          let job = jobs[index]
          outputs[index] = Output(
            encoded: encoder.encodePacked(
              text, documents: job.ranges, terminator: job.endsDocument ? terminator : nil,
              tokenBytes: tokenBytes, seeds: seeds.map { seeds in { seeds(job.firstDocument + $0) } }),
            words: job.ranges.map { Self.words(of: text, in: $0, continuesDocument: job.continuesDocument) })
        }
      }
      for (job, output) in zip(jobs, outputs) {
        for index in job.ranges.indices {
          tokens[job.firstDocument + index] += output!.encoded.counts[index]
          words[job.firstDocument + index] += output!.words[index]
        }
      }
      if encoder.tokenizer.unknown != nil {
        counts.add("unknown_tokens", outputs.reduce(0) { $0 + $1!.encoded.unknown })
      }
      parts = outputs.map { $0!.encoded.bytes }
    }
    rows = batch.ranges.indices.map {
      DocumentRow(tokens: tokens[$0], textBytes: batch.ranges[$0].count, words: words[$0])
    }
    counts.add("tokens", tokens.reduce(0, +))
    counts.add("text_bytes", batch.textBytes)
    counts.add("words", words.reduce(0, +))
  }

  private static func jobs(_ batch: DocumentBatch, _ text: UnsafeBufferPointer<UInt8>, _ encoder: BPEEncoder)
    -> [Job]
  {
    var jobs: [Job] = []
    var open: Job?
    for (index, range) in batch.ranges.enumerated() {
      if open != nil && open!.bytes + range.count <= 2 * jobBytes {
        open!.ranges.append(range)
        open!.bytes += range.count
        continue
      }
      if let job = open { jobs.append(job) }
      open = nil
      if range.count <= 2 * jobBytes {
        open = Job(
          firstDocument: index, ranges: [range], bytes: range.count, continuesDocument: false,
          endsDocument: true)
        continue
      }
      for part in encoder.parts(of: text, in: range, bytes: jobBytes) {
        jobs.append(
          Job(
            firstDocument: index, ranges: [part], bytes: part.count,
            continuesDocument: part.lowerBound > range.lowerBound,
            endsDocument: part.upperBound == range.upperBound))
      }
    }
    if let job = open { jobs.append(job) }
    return jobs
  }

  /// Words that begin in a range; the one that a cut goes through began before.
  private static func words(
    of text: UnsafeBufferPointer<UInt8>, in range: Range<Int>, continuesDocument: Bool
  ) -> Int {
    func count(_ range: Range<Int>) -> Int {
      Words.count(in: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(text)[range]))
    }
    let start = range.lowerBound
    let isCut = continuesDocument && count((start - 1)..<start) + count(start..<(start + 1)) == 2
    return count(range) - (isCut ? 1 : 0)
  }
}
