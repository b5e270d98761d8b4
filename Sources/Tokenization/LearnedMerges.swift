/// What BPE learning found: the alphabet it began with and the pairs it merged, best first.
package struct LearnedMerges: Sendable {
  package struct Merge: Sendable, Equatable {
    /// Symbols: the alphabet is 0..<A, the result of merge m is A + m.
    package let left, right: UInt32
    /// Occurrences of the pair when it was chosen.
    package let count: Int
  }

  /// Text of each symbol of the alphabet, in word mode with `</w>` where the symbol ends a word.
  package let alphabet: [[UInt8]]
  package let merges: [Merge]

  /// The texts of all symbols, the alphabet's first.
  package func symbolTexts() -> [[UInt8]] {
    var texts = alphabet
    for merge in merges { texts.append(texts[Int(merge.left)] + texts[Int(merge.right)]) }
    return texts
  }
}
