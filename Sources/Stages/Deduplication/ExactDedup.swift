import Corpus
import Support

/// Removes documents with the same bytes, or the same words, as an earlier one.
struct ExactDedup {
  let options: DedupOptions

  func run() throws -> Summary {
    let (key, keep, seed) = (options.exactKey, options.keep, options.settings.givenSeed ?? 0)
    let pass = try StreamingPass(
      options, identity: "exact \(key.rawValue) \(keep.rawValue) \(ComparisonKey.version) \(seed)")
    var deduplicator =
      if let workplace = try pass.workplace() {
        try ExactDeduplicator(
          directory: workplace.directory, owner: workplace.tag, memory: options.memory, pool: workplace.pool)
      } else {
        try ExactDeduplicator(remembersFirst: options.report != nil, memory: options.memory)
      }
    let finished = deduplicator.finished
    var output = try DedupOutput(
      options, of: pass.inputs, names: pass.names, decontamination: pass.decontamination)
    var summary = try pass.run(
      finished: (finished.blocks, finished.digest, deduplicator.isResolved),
      work: { ExactDeduplicator.hashes(of: $0, key: key, keep: keep, seed: seed) },
      isFull: { deduplicator.isFull },
      take: { batch, hashes, words in
        let removals = try deduplicator.removals(from: batch, hashes: hashes)
        for removal in removals {
          if let first = removal.first {
            try output.remove(at: removal.location, duplicateOf: first, similarity: 1)
          } else {
            try output.removeEmpty(at: removal.location)
          }
        }
        try output.write(&batch, words: words, without: removals.map(\.index))
      },
      postpone: { batch, digest, hashes, workplace in
        try deduplicator.postpone(
          batch, hashes: hashes, blockDigest: digest, directory: workplace.directory, pool: workplace.pool)
      },
      resolve: { try deduplicator.resolvePostponed() },
      onMatches: { try output.report($0) })
    output.addClusters(deduplicator.clusterSizes())
    try output.finish(&summary)
    return summary
  }
}
