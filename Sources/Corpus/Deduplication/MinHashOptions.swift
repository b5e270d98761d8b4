import Support

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

  /// More bands, rows or hashes than this, or words in a shingle, are not supported.
  package static let mostHashes = 4096
  package static let mostUnits = 1000

  /// Throws unless these are options that the command could have given.
  func check(_ bounds: NumberBounds) throws {
    try bounds.check(parameters.bands, "options.parameters.bands", in: 1...Self.mostHashes)
    try bounds.check(parameters.rows, "options.parameters.rows", in: 1...(Self.mostHashes / parameters.bands))
    try bounds.check(shingles.length, "options.shingles.length", in: 1...Self.mostUnits)
    try bounds.check(Int(shingles.keep.rawValue), "options.shingles.keep", in: 0...7)
  }
}
