/// Describes the pairs of the stage `bands`: the file `bands.json` of its directory, written last.
package struct BandManifest: Codable, Sendable {
  var version = 1
  /// The sets of signatures, in order.
  package var sets: [DocumentSet]
  /// Which share of the key range this is, from 0, and the number of shares.
  package var share: Int
  package var shares: Int
  var hasChains: Bool
}
