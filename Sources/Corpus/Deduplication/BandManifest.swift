/// What the stage `bands` says about its pairs, in the file `bands.json` of its directory, which it writes last.
package struct BandManifest: Codable, Sendable {
  var version = 1
  /// The sets of signatures in their order, and the number of each one's first document.
  package var sets: [DocumentSet]
  /// Which share of the key range this is, from 0, of how many.
  package var share: Int
  package var shares: Int
  var hasChains: Bool
}
