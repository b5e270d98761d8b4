import Support

/// How much of the corpus the compared text holds: the note of each run of anchors.
struct SpanProgress: Codable {
  var batches = 0
  /// The digest of the blocks of these batches by ``DocumentBlock/chain(_:_:)``.
  var digest: UInt64 = 0
  /// The length of each file in bytes, and its XXH64.
  var textBytes = 0
  var textChecksum: UInt64?
  var placesBytes = 0
  var placesChecksum: UInt64?

  func check(_ bounds: NumberBounds) throws {
    let most = SignatureProgress.mostCounted
    try bounds.check(batches, "batches", in: 0...most)
    try bounds.check(textBytes, "textBytes", in: 0...most)
    try bounds.check(placesBytes, "placesBytes", in: 0...most)
    try bounds.check(placesBytes % DocumentOffsets.recordBytes, "the rest of placesBytes", in: 0...0)
  }
}
