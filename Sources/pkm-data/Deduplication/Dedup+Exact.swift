import Commands
import Corpus
import Support

extension Dedup {
  func runExact() throws {
    let started = Progress.now()
    let reader = try input.reader()
    let screen = try screen()
    var output = try DedupOutput(self, names: reader.files, screen: screen)
    var deduplicator = try ExactDeduplicator(
      remembersFirst: report != nil, memory: DeduplicationJob.bytes(of: memory))
    let (key, seed) = (ExactKey(rawValue: key.rawValue)!, options.givenSeed ?? 0)
    var summary = try StreamingPass(self, reader: reader, screen: screen).run(
      work: { ExactDeduplicator.hashes(of: $0, key: key, seed: seed) },
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
        try output.write(batch, words: words, without: removals.map(\.index))
      },
      postpone: { batch, hashes, rest in
        try deduplicator.postpone(batch, hashes: hashes, directory: rest.directory, pool: rest.pool)
      },
      resolve: { try deduplicator.resolvePostponed() },
      found: { try output.report($0) })
    output.addClusters(deduplicator.clusterSizes())
    try output.finish(&summary)
    try options.report(summary, since: started)
  }
}
