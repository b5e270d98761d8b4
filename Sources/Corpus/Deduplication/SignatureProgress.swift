import Support

/// Where the making of signatures stands after a run, as the note of the run.
struct SignatureProgress: Codable {
  var documents = 0
  var digest: UInt64 = 0
  var countNames: [CountName] = []
  var counts: [Int] = []
  /// Documents in each block of input that the run covers.
  var blocks: [Int] = []
}
