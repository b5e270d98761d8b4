import Commands
import Corpus
import Support

extension Dedup {
  func runExact() throws {
    let started = Progress.now()
    let summary = try workDir == nil ? exactInOnePass() : exactInDirectory()
    try options.report(summary, since: started)
  }

  private var hashes: @Sendable (DocumentBatch) -> [UInt128?] {
    let (key, seed) = (ExactKey(rawValue: key.rawValue)!, options.givenSeed ?? 0)
    return { ExactDeduplicator.hashes(of: $0, key: key, seed: seed) }
  }

  private func exactInOnePass() throws -> Summary {
    let reader = try allInput.reader()
    let screen = try screen()
    var output = try DedupOutput(self, of: reader.inputs, names: reader.files, screen: screen)
    var deduplicator = try ExactDeduplicator(
      remembersFirst: report != nil, memory: DeduplicationJob.bytes(of: memory))
    var summary = try StreamingPass(self, reader: reader, screen: screen).run(
      work: hashes, isFull: { deduplicator.isFull },
      take: { try output.write($0, without: deduplicator.removals(from: $0, hashes: $1), words: $2) },
      postpone: { batch, digest, hashes, rest in
        try deduplicator.postpone(
          batch, hashes: hashes, blockDigest: digest, directory: rest.directory, pool: rest.pool)
      },
      resolve: { try deduplicator.resolvePostponed() },
      found: { try output.report($0) })
    output.addClusters(deduplicator.clusterSizes())
    try output.finish(&summary)
    return summary
  }

  /// In a named directory: the hashes of all documents, sorted on disk, and then a second pass over the input.
  private func exactInDirectory() throws -> Summary {
    let job = try DeduplicationJob(
      input: allInput, output: output.output, workDirectory: workDir, memory: memory, options: options,
      settings: "exact \(key.rawValue) \(options.givenSeed ?? 0)", screen: try screen(),
      seenFiles: try seenFiles())
    defer { job.finish() }
    let (directory, hashes) = (try job.directory.subdirectory("hashes"), hashes)
    var deduplicator = try ExactDeduplicator(directory: directory, memory: job.memory, pool: job.pool)
    if !deduplicator.isResolved {
      let (pass, finished) = (try job.pass("hashes"), deduplicator.finished)
      _ = try pass.run(
        next: DeduplicationJob.blocks(of: pass.reader, after: finished.blocks, digest: finished.digest),
        work: { block, batch, _ in (batch, hashes(batch), block.digest) },
        consume: { batch, hashes, digest in
          try deduplicator.postpone(
            batch, hashes: hashes, blockDigest: digest, directory: directory, pool: job.pool)
        })
      try deduplicator.resolvePostponed()
    }
    var output = try DedupOutput(self, of: try job.reader().inputs, names: job.names, screen: job.screen)
    let pass = try job.pass("dedup")
    var digest: UInt64 = 0
    var summary = try pass.run(
      next: pass.reader.nextBlock,
      work: { block, batch, counts in (batch, hashes(batch), counts.addText(of: batch), block.digest) },
      consume: { batch, hashes, words, blockDigest in
        digest = SignatureSet.chain(digest, blockDigest)
        try output.write(batch, without: deduplicator.removals(from: batch, hashes: hashes), words: words)
      }, found: { try output.report($0) })
    if digest != deduplicator.finished.digest { throw DeduplicationJob.hasChanged }
    output.addClusters(deduplicator.clusterSizes())
    try output.finish(&summary)
    return summary
  }
}

extension DedupOutput {
  fileprivate mutating func write(_ batch: DocumentBatch, without removals: [Removal], words: Int) throws {
    for removal in removals {
      if let first = removal.first {
        try remove(at: removal.location, duplicateOf: first, similarity: 1)
      } else {
        try removeEmpty(at: removal.location)
      }
    }
    try write(batch, words: words, without: removals.map(\.index))
  }
}
