import Tokenization

/// What `learn-bpe` learns, and from what.
package struct LearnOptions: Sendable {
  package enum Size: Sendable {
    case merges(Int)
    /// Tokens in all, special ones included.
    case vocabulary(Int)
  }

  package var counting: WordCountOptions
  /// Documents to count; nil where there are only files of counts.
  package var input: CorpusInput?
  /// Files of word counts.
  package var counts: [String] = []
  package var size = Size.merges(32000)
  /// The least count of a pair that is merged; nil: 1, in word mode 2.
  package var minimumFrequency: Int?
  /// Special tokens besides the one that ends documents.
  package var specialTokens: [String] = []
  /// The longest token, in bytes (word mode: characters).
  package var longestToken = Int.max
  /// Word mode: how many characters are kept, and the share of the text that they make up.
  package var alphabetLimit = Int.max
  package var characterCoverage = 1.0
  /// A tokenizer that keeps its ids and gets further merges, and its file.
  package var base: Tokenizer?
  /// SuperBPE: how many of the merges are learned inside pre-tokens; the others may cross spaces. Nil: all of them.
  package var superwords: Int?
  /// The most words in a token that crosses spaces.
  package var superwordLength = 4
  package var target: TokenizerTarget
  /// Whether each merge is shown.
  package var isVerbose = false

  package init(counting: WordCountOptions, input: CorpusInput?, target: TokenizerTarget) {
    (self.counting, self.input, self.target) = (counting, input, target)
  }
}
