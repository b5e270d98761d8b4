import Support

/// Encodes a word in time linear in its length, without applying merges: by the longest token at each
/// position, taken back where merging would have given other tokens.
///
/// The merges turn every text, and every prefix of it, into exactly one sequence of tokens. A sequence is the
/// one that merging gives exactly when each two neighbors in it are: a merge across another border would
/// already happen between the two. So the word is walked from left to right, at each step with the longest
/// token that is compatible with the one before. Where none is, the last token is replaced by the next
/// shorter one, and no token may end at its old end again. Every position is ruled out at most once. (The
/// method is that of the crate `bpe` in rust-gems, GitHub, 2024.)
///
/// It needs merges that have ``TokenRanks``.
struct BacktrackingEncoder {
  private let ranks: TokenRanks

  init(_ ranks: TokenRanks) { self.ranks = ranks }

  /// Writes the ids of the word to `output`, which has a capacity of one per byte and 16 more, and returns
  /// their number.
  ///
  /// In word mode the text ends in ``TokenRanks/endOfWord``, and a character without a token becomes
  /// ``Vocabulary/missing``.
  func encode(
    _ text: UnsafePointer<UInt8>, _ count: Int, _ scratch: inout Scratch,
    into output: UnsafeMutablePointer<UInt32>
  ) -> Int {
    var end = count
    var endsUnknown = false
    if ranks.isWord && ranks.mark == nil {
      // The mark belongs to the last character, so no token may end between the two.
      var last = count - 2
      while last > 0 && text[last] & 0xc0 == 0x80 { last -= 1 }
      endsUnknown = ranks.rank(of: text + last, count - last) == nil
      if endsUnknown { end = last }
      scratch.reset(end)
      if !endsUnknown { scratch.ruleOut(end - 1) }
    } else {
      scratch.reset(end)
    }
    var written = walk(text, end, &scratch, output)
    let ids = ranks.ids
    for index in 0..<written where output[index] != Vocabulary.missing {
      output[index] = ids[Int(output[index])]
    }
    if endsUnknown {
      output[written] = Vocabulary.missing
      written += 1
    }
    return written
  }

  /// Writes ranks.
  private func walk(
    _ text: UnsafePointer<UInt8>, _ end: Int, _ scratch: inout Scratch,
    _ output: UnsafeMutablePointer<UInt32>
  ) -> Int {
    let (tokens, trie, isWord) = (ranks.tokens, ranks.trie, ranks.isWord)
    var count = 0
    // No merge reaches across an unknown character, so the tokens before it are final.
    var finalCount = 0
    var position = 0
    var candidate = TokenTrie.none
    while position < end {
      if candidate == TokenTrie.none {
        candidate = trie.longest(text + position, end - position, wholeCharacters: isWord)
        if candidate == TokenTrie.none {
          output[count] = Vocabulary.missing
          count += 1
          finalCount = count
          position += 1
          while position < end && text[position] & 0xc0 == 0x80 { position += 1 }
          continue
        }
      }
      while candidate != TokenTrie.none {
        let next = position + Int(tokens[Int(candidate)].length)
        if !scratch.isRuledOut(next)
          && (count == finalCount || areCompatible(output[count - 1], candidate, &scratch))
        {
          output[count] = candidate
          count += 1
          position = next
          break
        }
        candidate = tokens[Int(candidate)].prefix
      }
      if candidate == TokenTrie.none {
        // Back to the token before, or further where that has no shorter one.
        repeat {
          scratch.ruleOut(position)
          count -= 1
          candidate = tokens[Int(output[count])].prefix
          position -= Int(tokens[Int(output[count])].length)
        } while candidate == TokenTrie.none
      } else {
        candidate = TokenTrie.none
      }
    }
    return count
  }

  /// Whether merging the texts of both tokens together gives the two.
  @inline(__always)
  private func areCompatible(_ left: UInt32, _ right: UInt32, _ scratch: inout Scratch) -> Bool {
    let key = (UInt64(left) << 32 | UInt64(right)) << 1
    let verdict = scratch.verdict(for: key)
    if verdict.pointee & ~1 == key { return verdict.pointee & 1 == 1 }
    let answer = ranks.keepsBorder(left, right)
    verdict.pointee = key | (answer ? 1 : 0)
    return answer
  }

  /// What one thread needs.
  struct Scratch: ~Copyable {
    /// A bit for each position of the word at which no token may end.
    private var ruledOut: UnsafeMutablePointer<UInt64>
    private var capacity = 64
    /// A cache of pairs of tokens, shifted left by one, with the answer whether they are compatible in the
    /// lowest bit.
    private let verdicts: UnsafeMutablePointer<UInt64>
    private static let verdictCount = 1 << 13

    init() {
      ruledOut = .allocate(capacity: capacity)
      verdicts = .allocate(capacity: Self.verdictCount)
      verdicts.initialize(repeating: .max, count: Self.verdictCount)
    }

    deinit {
      ruledOut.deallocate()
      verdicts.deallocate()
    }

    @inline(__always) fileprivate mutating func reset(_ count: Int) {
      let words = count / 64 + 1
      if words > capacity {
        ruledOut.deallocate()
        capacity = words
        ruledOut = .allocate(capacity: words)
      }
      for index in 0..<words { ruledOut[index] = 0 }
    }

    @inline(__always) fileprivate func isRuledOut(_ position: Int) -> Bool {
      ruledOut[position >> 6] >> UInt64(position & 63) & 1 == 1
    }

    @inline(__always) fileprivate func ruleOut(_ position: Int) {
      ruledOut[position >> 6] |= 1 << UInt64(position & 63)
    }

    @inline(__always) fileprivate func verdict(for key: UInt64) -> UnsafeMutablePointer<UInt64> {
      verdicts + Int(truncatingIfNeeded: (key &* Hashing.goldenRatio) >> 51)
    }
  }
}
