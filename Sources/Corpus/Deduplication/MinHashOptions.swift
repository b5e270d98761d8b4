/// What counts as a near-duplicate, and what is stored about each document.
package struct MinHashOptions: Sendable, Equatable, Codable {
  package var shingles: ShingleOptions
  package var parameters: BandParameters
  package var keep: KeepRule
  /// Whether four bits of each hash are stored, from which the similarity of any two documents can be
  /// estimated.
  package var hasSketches: Bool

  package init(
    shingles: ShingleOptions = ShingleOptions(),
    parameters: BandParameters = .optimal(threshold: 0.7, hashes: 112), keep: KeepRule = .first,
    hasSketches: Bool = false
  ) {
    self.shingles = shingles
    self.parameters = parameters
    self.keep = keep
    self.hasSketches = hasSketches
  }

  package var hashes: Int { parameters.bands * parameters.rows }
}
