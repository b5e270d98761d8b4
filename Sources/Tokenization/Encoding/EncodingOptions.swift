/// How a ``BPEEncoder`` deviates from applying all merges.
package struct EncodingOptions: Sendable {
  /// The number of merges to apply, the first ones; nil applies all.
  package var merges: Int?
  /// The probability of BPE-dropout (Provilkov et al., 2020), with which a pair is skipped in a step, see
  /// ``DropoutMerger``.
  package var dropout = 0.0
  package var seed: UInt64 = 1
  /// Word mode: a subword that is not in this vocabulary is split again.
  package var allowed: SubwordVocabulary?
  /// Word mode only: parts of words that are not split.
  package var glossary: Glossary?
  /// Whether the text of a special token becomes its id.
  package var parsesSpecialTokens = false
  /// Whether the ``Tokenizer/postProcessor`` puts its ids around each document.
  package var addsSpecialTokens = false

  package init() {}
}
