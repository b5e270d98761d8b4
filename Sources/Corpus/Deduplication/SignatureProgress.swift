import Support

/// The progress of the stage `signatures` after a run, stored as the note of the run.
struct SignatureProgress: Codable {
  var documents = 0
  var digest: UInt64 = 0
  var countNames: [CountName] = []
  var counts: [Int] = []
  /// The number of documents in each block of input that the run covers.
  var blocks: [Int] = []
}
