import Commands
import Corpus
import Support

extension Dedup {
  func runExact() throws {
    let started = Progress.now()
    let (key, seed) = (ExactKey(rawValue: key.rawValue)!, options.givenSeed ?? 0)
    let pass = try StreamingPass(self, settings: "exact \(key.rawValue) \(seed)")
    let memory = DeduplicationJob.bytes(of: memory)
    var deduplicator =
      if let place = try pass.place() {
        try ExactDeduplicator(directory: place.directory, memory: memory, pool: place.pool)
      } else {
        try ExactDeduplicator(remembersFirst: report != nil, memory: memory)
      }
    let finished = deduplicator.finished
    var output = try DedupOutput(self, of: pass.inputs, names: pass.names, screen: pass.screen)
    var summary = try pass.run(
      finished: (finished.blocks, finished.digest, deduplicator.isResolved),
      work: { ExactDeduplicator.hashes(of: $0, key: key, seed: seed) },
      isFull: { deduplicator.isFull },
      take: { try output.write(&$0, without: deduplicator.removals(from: $0, hashes: $1), words: $2) },
      postpone: { batch, digest, hashes, place in
        try deduplicator.postpone(
          batch, hashes: hashes, blockDigest: digest, directory: place.directory, pool: place.pool)
      },
      resolve: { try deduplicator.resolvePostponed() },
      found: { try output.report($0) })
    output.addClusters(deduplicator.clusterSizes())
    try output.finish(&summary)
    try options.report(summary, since: started)
  }
}

extension DedupOutput {
  fileprivate mutating func write(_ batch: inout DocumentBatch, without removals: [Removal], words: Int)
    throws
  {
    for removal in removals {
      if let first = removal.first {
        try remove(at: removal.location, duplicateOf: first, similarity: 1)
      } else {
        try removeEmpty(at: removal.location)
      }
    }
    try write(&batch, words: words, without: removals.map(\.index))
  }
}
