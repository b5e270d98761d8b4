import Corpus

/// How near-duplicates are found, and which part of the work is done.
package struct MinHashDedupOptions: Sendable {
  package enum Stage: String, Sendable { case signatures, bands, clusters, filter }

  package var hashing: MinHashOptions
  /// The similarity from which documents are near-duplicates.
  package var threshold = 0.7
  /// Whether the shingles of candidate pairs are compared.
  package var verifiesPairs = false
  /// The only stage to be done; nil: all of them.
  package var stage: Stage?
  /// For ``Stage/filter``: the directory that ``Stage/clusters`` has made.
  package var clusters: String?
  /// For ``Stage/bands``: which share of the work, from 0, of how many.
  package var share = (index: 0, count: 1)

  package init(hashing: MinHashOptions) { self.hashing = hashing }
}
