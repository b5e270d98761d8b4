/// Describes the removals of the stage `clusters`: the file `clusters.json` of its directory, written last.
package struct ClusterManifest: Codable, Sendable {
  var version = 1
  package var sets: [DocumentSet]
  package var removed: Int
  /// The number of clusters of each size.
  package var clusterSizes: [Int: Int]
}
