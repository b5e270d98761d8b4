/// The result of BPE learning: the alphabet, and the pairs that were merged, in order.
package struct LearnedMerges: Sendable {
  package struct Merge: Sendable, Equatable {
    /// Symbols: 0..<A are the alphabet, and A + m is the result of merge m.
    package let left, right: UInt32
    /// The count of the pair when it was merged.
    package let count: Int
  }

  /// The text of each symbol of the alphabet, in word mode with `</w>` if the symbol ends a word.
  package let alphabet: [[UInt8]]
  package let merges: [Merge]

  package init(alphabet: [[UInt8]], merges: [Merge]) { (self.alphabet, self.merges) = (alphabet, merges) }

  /// The texts of all symbols, those of the alphabet first.
  package func symbolTexts() -> [[UInt8]] {
    var texts = alphabet
    for merge in merges { texts.append(texts[Int(merge.left)] + texts[Int(merge.right)]) }
    return texts
  }
}
