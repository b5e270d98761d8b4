/// What the stage `clusters` says about its removals, in the file `clusters.json` of its directory, which it writes last.
package struct ClusterManifest: Codable, Sendable {
  var version = 1
  package var sets: [DocumentSet]
  package var removed: Int
  /// The number of clusters of each size.
  package var clusterSizes: [Int: Int]
}
