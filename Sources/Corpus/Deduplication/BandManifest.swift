import Support

/// Describes the pairs of the stage `bands`: the file `bands.json` of its directory, written last.
package struct BandManifest: Codable, Sendable {
  var version = 2
  /// The sets of signatures, in order.
  package var sets: [DocumentSet]
  /// Which share of the key range this is, from 0, and the number of shares.
  package var share: Int
  package var shares: Int
  var hasChains: Bool
  /// The sorted runs of pairs.
  var runs: [RunRecord]

  static func path(_ directory: String) -> String { Path.join(directory, "bands.json") }

  static func read(_ directory: String) throws -> BandManifest {
    let path = path(directory)
    return try JSONFile.readSealed(BandManifest.self, from: path) { manifest in
      let bounds = NumberBounds(path)
      try bounds.check(manifest.version, "version", in: 2...2)
      try bounds.check(manifest.shares, "shares", in: 1...BandJoin.units)
      try bounds.check(manifest.share, "share", in: 0...(manifest.shares - 1))
      try DocumentSet.check(manifest.sets, bounds)
    }
  }
}
