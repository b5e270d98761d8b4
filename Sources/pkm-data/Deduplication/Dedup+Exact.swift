import Commands
import Corpus
import Foundation
import Support

extension Dedup {
  private struct Hashed: Sendable {
    let block: DocumentBlock
    let batch: DocumentBatch
    let hashes: [UInt128?]
    let words: [Int]
  }

  /// One pass, documents streaming through; what comes when the memory is full is spooled and read again.
  func runExact() throws {
    let started = Progress.now()
    let reader = try allInput.reader()
    let screen = try screen()
    var output = try DedupOutput(self, names: reader.files, screen: screen)
    var deduplicator = ExactDeduplicator(
      remembersFirst: report != nil, memory: DeduplicationJob.bytes(of: memory))
    var rest: (spool: BlockSpool, directory: String, pool: WorkerPool)?
    defer { if let rest { try? FileManager.default.removeItem(atPath: rest.directory) } }

    let (key, seed) = (ExactKey(rawValue: key.rawValue)!, options.givenSeed ?? 0)
    let work = { @Sendable (block: DocumentBlock, batch: DocumentBatch, counts: inout Summary) in
      let words = Self.words(of: batch)
      counts.add("words_in", words.reduce(0, +))
      counts.add("text_bytes_in", batch.textBytes)
      return Hashed(
        block: block, batch: batch, hashes: ExactDeduplicator.hashes(of: batch, key: key, seed: seed),
        words: words)
    }
    var pass = DocumentPass(
      reader: reader, options: options, label: "dedup", screen: screen?.body, countsFrom: try seenFiles())
    var summary = try pass.run(next: reader.nextBlock, work: work) { hashed in
      if deduplicator.isFull {
        if rest == nil {
          let directory =
            workDir.map { Path.join($0, "exact") }
            ?? DeduplicationJob.temporaryDirectory(beside: self.output.output)
          try? FileManager.default.removeItem(atPath: directory)
          try SystemCall.makeDirectories(directory)
          let spool = try BlockSpool(Path.join(directory, "rest"), options: try input.readerOptions())
          rest = (spool, directory, WorkerPool(threads: options.threadCount))
          if !options.quiet { Log.line("dedup: the memory is full, the rest goes by way of \(directory)") }
        }
        try rest!.spool.append(hashed.block)
        try deduplicator.postpone(
          hashed.batch, hashes: hashed.hashes, directory: rest!.directory, pool: rest!.pool)
      } else {
        try Self.deduplicate(hashed, with: &deduplicator, into: &output)
      }
    } found: {
      try output.report($0)
    }
    if let rest {
      try deduplicator.resolvePostponed()
      pass.warns = false
      _ = try pass.run(next: rest.spool.nextBlock, work: work) {
        try Self.deduplicate($0, with: &deduplicator, into: &output)
      }
    }
    output.addClusters(deduplicator.clusterSizes())
    try output.finish(&summary)
    try options.report(summary, since: started)
  }

  private static func deduplicate(
    _ hashed: Hashed, with deduplicator: inout ExactDeduplicator, into output: inout DedupOutput
  ) throws {
    let removals = try deduplicator.removals(from: hashed.batch, hashes: hashed.hashes)
    for removal in removals {
      if let first = removal.first {
        try output.remove(at: removal.location, duplicateOf: first, similarity: 1)
      } else {
        try output.removeEmpty(at: removal.location)
      }
    }
    try output.write(hashed.batch, words: hashed.words, without: removals.map(\.index))
  }

  static func words(of batch: DocumentBatch) -> [Int] {
    var words: [Int] = []
    words.reserveCapacity(batch.count)
    batch.forEachDocument { _, text in words.append(Words.count(in: text)) }
    return words
  }
}
