import Support

/// Describes the removals of the stage `clusters`: the file `clusters.json` of its directory, written last.
package struct ClusterManifest: Codable, Sendable {
  var version = 2
  package var sets: [DocumentSet]
  package var removed: Int
  /// The number of clusters of each size.
  package var clusterSizes: [Int: Int]
  /// The sorted runs of removals.
  var runs: [RunRecord] = []

  static func path(_ directory: String) -> String { Path.join(directory, "clusters.json") }

  static func read(_ directory: String) throws -> ClusterManifest {
    let path = path(directory)
    return try JSONFile.readSealed(ClusterManifest.self, from: path) { manifest in
      let bounds = NumberBounds(path)
      try bounds.check(manifest.version, "version", in: 2...2)
      let documents = try DocumentSet.check(manifest.sets, bounds)
      try bounds.check(manifest.removed, "removed", in: 0...documents)
      let records = try bounds.sum(manifest.runs.map(\.records), "runs.records", most: documents)
      try bounds.check(manifest.removed, "removed", in: records...records)
      for size in manifest.clusterSizes.keys {
        try bounds.check(size, "a size of clusterSizes", in: 0...documents)
      }
      _ = try bounds.sum(Array(manifest.clusterSizes.values), "clusterSizes", most: documents)
    }
  }
}
