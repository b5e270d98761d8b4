import Support

/// Chooses random documents with a given number of tokens in one pass, in order: each document is chosen with
/// probability wanted / remaining tokens (selection sampling; Knuth, The Art of Computer Programming, volume
/// 2, section 3.4.2, algorithm S, with tokens instead of records).
///
/// The choice never exceeds the wanted number of tokens, and falls short of it by less than the last
/// documents that did not fit.
struct DocumentSampler {
  private var wanted: Int
  private var left: Int
  private var generator: RandomGenerator

  init(wanted: Int, of total: Int, seed: UInt64) {
    (self.wanted, left) = (wanted, total)
    generator = RandomGenerator(seed: seed, stream: "document sample")
  }

  mutating func takes(_ tokens: Int) -> Bool {
    defer { left -= tokens }
    guard generator.uniform() * Double(left) < Double(wanted), tokens <= wanted else { return false }
    wanted -= tokens
    return true
  }
}
